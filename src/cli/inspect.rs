//! `gbmi inspect`.
