//! Service errors as GraphQL errors: the sentence, and the stable code in `extensions.code`. What must not live here:
//! HTTP statuses (the server maps the code, by which side the operation is of).

use async_graphql::ErrorExtensions as _;
use regalia_service::Error;

/// Turns a service result into a resolver's.
pub(crate) trait Fail<T> {
    /// Maps the error; internal ones are logged here, once.
    fn fail(self) -> async_graphql::Result<T>;
}

impl<T, E: std::borrow::Borrow<Error>> Fail<T> for Result<T, E> {
    fn fail(self) -> async_graphql::Result<T> {
        self.map_err(|error| {
            let error: &Error = error.borrow();
            error.log();
            async_graphql::Error::new(error.to_string()).extend_with(|_, extensions| extensions.set("code", error.code()))
        })
    }
}

/// Absent and invisible as null: what a query answers (rule 45).
pub(crate) trait OrNull<T> {
    /// `NotFound` becomes `None`.
    fn or_null(self) -> async_graphql::Result<Option<T>>;
}

impl<T> OrNull<T> for Result<T, Error> {
    fn or_null(self) -> async_graphql::Result<Option<T>> {
        match self {
            Err(Error::NotFound(_)) => Ok(None),
            other => other.map(Some).fail(),
        }
    }
}

/// A domain type's refusal of an input, as the service's.
pub(crate) trait Parsed<T> {
    /// Maps the error.
    fn parsed(self) -> async_graphql::Result<T>;
}

impl<T, E: Into<Error>> Parsed<T> for Result<T, E> {
    fn parsed(self) -> async_graphql::Result<T> {
        self.map_err(Into::into).fail()
    }
}
