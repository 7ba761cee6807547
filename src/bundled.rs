//! The model that stands in the program itself: Max-of-4 on 64 tokens.
//!
//! Untrusted: a verdict says by its digest which network it is about.

use crate::model::Network;
use crate::refusal::Refusal;

/// The name of [`Network::bundled`].
pub const BUNDLED: &str = "max_of_4_seed123";

/// Its files, by name.
pub const BUNDLED_FILES: [(&str, &[u8]); 2] = [
    (
        "config.json",
        include_bytes!("../models/max_of_4_seed123/config.json"),
    ),
    (
        "model.safetensors",
        include_bytes!("../models/max_of_4_seed123/model.safetensors"),
    ),
];

impl Network {
    /// The model [`BUNDLED`].
    ///
    /// # Errors
    /// None, if the files are those this crate was published with.
    pub fn bundled() -> Result<Self, Refusal> {
        let [(_, config), (_, weights)] = BUNDLED_FILES;
        Self::from_bytes(config, weights)
    }
}
