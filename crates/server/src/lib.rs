//! The server: configuration, authentication, routes, the PostgreSQL that it manages itself, web assets. What must not live
//! here: use-cases (the service crate) and what GraphQL fields mean (the graphql crate).

// How deep async-graphql's futures nest in the merged schema.
#![recursion_limit = "256"]

pub mod checkpoints;
pub mod config;
pub mod http;
pub mod postgres;
pub mod sealer;
pub mod serve;
