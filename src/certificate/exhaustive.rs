//! Hints of family `exhaustive`: none.

use serde::{Deserialize, Serialize};

/// No hints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exhaustive {}
