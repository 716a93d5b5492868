//! For tests: a running server with a database of its own, people in it, a client that speaks both sides of the schema as the
//! SDK does, a counter of SQL statements, a clock that can be set, and the gates that every answer and log line of a test has
//! to pass. What must not live here: tests.
//!
//! `DATABASE_URL` names the PostgreSQL to make databases on; `make test` starts one.

// A test that can't go on says why and ends; nothing here runs anywhere else.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod clock;
mod gates;
mod server;
mod statements;
mod wire;

pub use regalia_server::http::Patience;

pub use client::{Answer, Client, Reply};
pub use clock::SetClock;
pub use gates::secret;
pub use server::{Held, Neighbor, Server, Twin, neighbor};
pub use wire::{Published, VersionSpec, md5_base64, md5_hex};
