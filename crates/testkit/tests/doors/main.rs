//! Both sides of the schema and the file doors against a real PostgreSQL, through HTTP, with the SDK's own requests. One
//! binary; a file for each thing that is proved. What must not live here: rules that need no database (the domain crate's
//! tests), the SDK itself (tests/sdk), crashes (tests/crash).
#![allow(clippy::unwrap_used, clippy::expect_used)] // A test that can't go on says why and ends.
// As in the server: for an optimized build.
#![recursion_limit = "256"]

mod access;
mod again;
mod alias_races;
mod audit;
mod documents;
mod expiry;
mod files;
mod filters;
mod garbage;
mod history;
mod life;
mod limits;
mod lineage;
mod lists;
mod main_job;
mod matrix;
mod members;
mod native;
mod pages;
mod parts;
mod people;
mod project_links;
mod races;
mod reads;
mod refusals;
mod registries;
mod removal;
mod rights;
mod runs;
mod scale;
mod schema;
mod sessions;
mod shares;
mod statements;
mod tenants;
