//! The server: configuration, authentication, routes, the PostgreSQL that it manages itself, web assets. What must not live
//! here: use-cases (the service crate) and what GraphQL fields mean (the graphql crate).

// For the compiler alone: the futures of all mutations are one in another in an optimized build, deeper than its default.
#![recursion_limit = "256"]

pub mod checkpoints;
pub mod config;
pub mod http;
pub mod postgres;
pub mod sealer;
pub mod serve;
