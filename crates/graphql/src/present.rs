//! What is there though nothing is asked of it. What must not live here: types of the schema.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};

/// One of several types, of which a document may ask for fields of the others alone. The engine answers null for an object without
/// fields, which says that it isn't there; it is `{}`.
#[derive(Debug, Clone)]
pub struct Present<T>(pub T);

impl<T: OutputType> OutputType for Present<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.0.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, context: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        Ok(match self.0.resolve(context, field).await? {
            Value::Null => Value::Object(Default::default()),
            asked => asked,
        })
    }
}
