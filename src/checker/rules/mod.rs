//! The proof rules: what the checker may conclude about attention and about logits, one file each.

mod attention;
mod direct_path;
mod entries;
mod order;

pub use attention::Attention;
pub use direct_path::{DirectPath, Margin, Margins, Set};
pub use entries::{sides, table};
pub use order::Order;
