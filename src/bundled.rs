//! The model that stands in the program itself: Max-of-4 on 64 tokens.
//!
//! Untrusted: a verdict says by its digest which network it is about.

use crate::model::Network;
use crate::refusal::Refusal;

/// The name of [`Network::bundled`].
pub const BUNDLED: &str = "max_of_4_seed123";

impl Network {
    /// The model [`BUNDLED`].
    ///
    /// # Errors
    /// None, if the files are those this crate was published with.
    pub fn bundled() -> Result<Self, Refusal> {
        Self::from_bytes(
            include_bytes!("../models/max_of_4_seed123/config.json"),
            include_bytes!("../models/max_of_4_seed123/model.safetensors"),
        )
    }
}
