//! The rules of Regalia as pure types and functions: names, ids, digests, roles, paths, manifests.
//!
//! Nothing here waits, reads a clock, draws random numbers, or knows SQL, HTTP or GraphQL: bytes, times and
//! random bytes are parameters. What is valid is decided here, once, for every door. The rule numbers in the
//! comments are those of `docs/rules.md`.

pub mod alias;
pub mod description;
pub mod digest;
pub mod filters;
pub mod ids;
pub mod keys;
pub mod manifest;
pub mod metadata;
pub mod names;
pub mod orders;
pub mod passwords;
pub mod paths;
pub mod roles;
pub mod run_values;
pub mod types;

mod json;
mod text;
