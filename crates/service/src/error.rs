//! The one error of all use-cases: a stable code and a sentence for a person. Doors map the code; they don't look into the
//! sentence. What must not live here: HTTP, GraphQL.

use regalia_store as store;

/// Result of a use-case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a use-case fails with. Each sentence says what was wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No key, one that expired, or a session that ended.
    #[error("{0}")]
    Unauthenticated(String),
    /// A key that is unknown or revoked, or a text that is none.
    #[error("This API key opens nothing here: it is mistyped, unknown or revoked.")]
    UnknownKey,
    /// The target is absent or invisible: the same for both.
    #[error("{0}")]
    NotFound(String),
    /// The target is visible, the right is missing.
    #[error("{0}")]
    Forbidden(String),
    /// The input breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// A name is taken, or the state doesn't allow it.
    #[error("{0}")]
    Conflict(String),
    /// The body is larger than allowed.
    #[error("{0}")]
    TooLarge(String),
    /// Too much was asked for in a short time; later it may succeed.
    #[error("{0}")]
    TooMany(String),
    /// What was asked for takes the database longer than any request may. The client's to change, so no fault of the server
    /// (rule 45), and no client repeats it by itself.
    #[error(
        "This takes the database longer than one request may, so it was ended. Ask for less in one request (a smaller `first`, \
         fewer fields, fewer files), or try again later if it was little."
    )]
    TooSlow(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database is busy or away; trying again later helps.
    #[error("The server can't do this at the moment, because it is stopping or its database is away. Please try again.")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A bug or a broken installation. The cause is for the log alone.
    #[error("Something went wrong inside the server. Its log has the cause under this request's id.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// The answer to a request without a key.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::Unauthenticated(
            "This needs an API key. Send it as `Authorization: Bearer <key>` or as the password of Basic authentication.".into(),
        )
    }

    /// A store's "not found" and "not permitted" in words; everything else as it is.
    pub fn named(missing: impl Into<String>, forbidden: impl Into<String>) -> impl FnOnce(store::Error) -> Self {
        move |error| match error {
            store::Error::NotFound => Self::NotFound(missing.into()),
            store::Error::Forbidden => Self::Forbidden(forbidden.into()),
            other => other.into(),
        }
    }

    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated(_) | Self::UnknownKey => "UNAUTHENTICATED",
            Self::NotFound(_) => "NOT_FOUND",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::Invalid(_) => "INVALID",
            Self::Conflict(_) => "CONFLICT",
            Self::TooLarge(_) => "TOO_LARGE",
            Self::TooMany(_) => "TOO_MANY",
            Self::TooSlow(_) => "TOO_SLOW",
            Self::Unavailable(_) => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// Logs what a client must not see, once.
    pub fn log(&self) {
        if let Self::TooSlow(cause) | Self::Unavailable(cause) | Self::Internal(cause) = self {
            let mut chain = cause.to_string();
            let mut next = cause.source();
            while let Some(cause) = next {
                chain.push_str(": ");
                chain.push_str(&cause.to_string());
                next = cause.source();
            }
            tracing::error!(code = self.code(), cause = %chain, "request failed");
        }
    }
}

/// A task that didn't end: it panicked, or the server is stopping, and then trying again later helps.
impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        if error.is_cancelled() { Self::Unavailable(Box::new(error)) } else { Self::Internal(Box::new(error)) }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound => Self::NotFound("There is no such thing, or you may not see it.".into()),
            store::Error::Forbidden => Self::Forbidden("You do not have the right to do this.".into()),
            store::Error::TooManyAliases => Self::Invalid(format!(
                "A version has at most {} aliases in one collection. Take some away first.",
                store::aliases::MOST
            )),
            store::Error::Protected(alias) => Self::Forbidden(format!(
                "The alias \"{alias}\" is protected in this registry: only its admins set, move or remove it. Ask one of them, or use \
                 another alias."
            )),
            store::Error::Exists => Self::Conflict("It already exists.".into()),
            store::Error::Invalid => Self::Invalid(
                "The input holds something that can't be stored, such as a NUL character or an over-long text.".into(),
            ),
            other @ store::Error::TooSlow(_) => Self::TooSlow(Box::new(other)),
            other if other.is_transient() => Self::Unavailable(Box::new(other)),
            other => Self::Internal(Box::new(other)),
        }
    }
}

impl From<regalia_blobs::Error> for Error {
    fn from(error: regalia_blobs::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}

macro_rules! invalid {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::Invalid(error.to_string())
            }
        }
    )*};
}

invalid!(
    regalia_domain::description::DescriptionError,
    regalia_domain::filters::FilterError,
    regalia_domain::orders::OrderError,
    regalia_domain::orders::CursorError,
    regalia_domain::ids::IdError,
    regalia_domain::keys::KeyError,
    regalia_domain::manifest::ManifestError,
    regalia_domain::metadata::MetadataError,
    regalia_domain::names::NameError,
    regalia_domain::passwords::PasswordError,
    regalia_domain::paths::PathError,
    regalia_domain::roles::NotForMachines,
    regalia_domain::roles::UnknownWord,
    regalia_domain::run_values::RunValuesError,
    regalia_domain::ttl::TtlError,
    regalia_domain::types::TypesError,
);
