//! Filters: the values and patterns that they compare with. The tree itself follows.

pub mod number;
pub mod pattern;
pub mod timestamp;
pub mod value;
