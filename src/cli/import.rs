//! `gbmi import`.
