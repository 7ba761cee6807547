//! The proof rules: what the checker may conclude about attention and about logits, one file each.

mod attention;
mod direct_path;
mod entries;
mod order;

pub use attention::Attention;
pub use direct_path::{DirectPath, Margin, Margins, Set};
pub use entries::{sides, table};
pub use order::Order;

use super::arithmetic::Enclosure;
use super::meter::{Kind, Meter};

/// The largest of some numbers; everything if there are none.
pub(super) fn largest<R: Enclosure>(entries: Vec<R>, kind: Kind, meter: &Meter) -> R {
    meter.add(kind, entries.len().saturating_sub(1));
    entries
        .into_iter()
        .reduce(|a, b| a.max(&b))
        .unwrap_or(R::everything())
}
