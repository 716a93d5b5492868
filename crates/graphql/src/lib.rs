//! `/graphql`: one merged schema with two sides. [`native`] is Regalia's own API; [`wandb`] is what the W&B SDK sends. Both
//! are thin: a resolver parses, calls one service function and maps the result. What must not live here: rules, SQL, HTTP.
//!
//! The types `User` and `Organization` are one for both sides, each side adding its fields in its own file; `context`,
//! `error`, `ids`, `loaders` and `scalars` are shared. Else neither side names the other.

mod ahead;
pub mod context;
pub mod documents;
pub mod error;
mod file_keys;
pub mod ids;
pub mod limits;
pub mod lineage;
mod lists;
pub mod loaders;
pub mod member_keys;
pub mod meter;
pub mod native;
pub mod paging;
mod present;
pub mod prices;
pub mod rounds;
pub mod run_keys;
pub mod scalars;
pub mod shared;
pub mod wandb;

use std::sync::Arc;

use async_graphql::{EmptySubscription, MergedObject, Schema, SchemaBuilder, ValidationMode};
use regalia_service::Service;

/// Reads. The W&B protocol's and Regalia's own fields stand side by side.
#[derive(MergedObject, Default)]
pub struct Query(native::NativeQuery, wandb::WandbQuery);

/// Writes. The W&B protocol's and Regalia's own fields stand side by side.
#[derive(MergedObject, Default)]
pub struct Mutation(native::NativeMutation, wandb::WandbMutation);

/// The schema that `/graphql` serves.
pub type RegaliaSchema = Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema; with a service it can execute, without one it can be printed. It takes it that [`documents`] has
/// validated what it executes.
#[must_use]
pub fn schema(service: Option<Arc<Service>>) -> RegaliaSchema {
    let mut builder = builder().validation_mode(ValidationMode::Fast);
    if let Some(service) = service {
        builder = builder.data(service);
    }
    builder.finish()
}

fn builder() -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .limit_depth(limits::DEPTH)
        .limit_recursive_depth(limits::DEPTH * 2)
        .limit_complexity(limits::FIELDS)
        .limit_directives(limits::DIRECTIVES)
        .disable_suggestions()
}

/// The schema as text, in an order that doesn't change from build to build.
#[must_use]
pub fn sdl() -> String {
    schema(None).sdl_with_options(async_graphql::SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items())
}
