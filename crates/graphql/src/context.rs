//! What a resolver reaches: the service, the request, the caller.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::Context;
use async_graphql::dataloader::Loader;
use regalia_service::store::access::Caller;
use regalia_service::{Error, Request, Service};

use crate::error::Fail as _;
use crate::loaders::{RowLoader, Rows};

/// Short ways to what was put into the context by the server.
pub(crate) trait Reach<'c> {
    /// The use-cases.
    fn service(&self) -> async_graphql::Result<&'c Arc<Service>>;
    /// Who asks, and in which request.
    fn request(&self) -> async_graphql::Result<&'c Request>;
    /// Who asks; `UNAUTHENTICATED` for anonymous requests.
    fn caller(&self) -> async_graphql::Result<&'c Caller>;
    /// A row of this request's loader; none when it is absent or invisible.
    fn row<K>(&self, key: K) -> impl Future<Output = async_graphql::Result<Option<<RowLoader as Loader<K>>::Value>>> + Send
    where
        K: Send + Sync + std::hash::Hash + Eq + Clone + 'static,
        RowLoader: Loader<K, Error = Arc<Error>>;
    /// Many rows of this request's loader, in one statement; absent and invisible ones are not among them.
    fn rows<K>(
        &self,
        keys: impl Iterator<Item = K> + Send,
    ) -> impl Future<Output = async_graphql::Result<HashMap<K, <RowLoader as Loader<K>>::Value>>> + Send
    where
        K: Send + Sync + std::hash::Hash + Eq + Clone + 'static,
        RowLoader: Loader<K, Error = Arc<Error>>;
}

impl<'c> Reach<'c> for Context<'c> {
    fn service(&self) -> async_graphql::Result<&'c Arc<Service>> {
        self.data::<Arc<Service>>()
    }

    fn request(&self) -> async_graphql::Result<&'c Request> {
        self.data::<Request>()
    }

    fn caller(&self) -> async_graphql::Result<&'c Caller> {
        self.request()?.caller().fail()
    }

    async fn row<K>(&self, key: K) -> async_graphql::Result<Option<<RowLoader as Loader<K>>::Value>>
    where
        K: Send + Sync + std::hash::Hash + Eq + Clone + 'static,
        RowLoader: Loader<K, Error = Arc<Error>>,
    {
        // Anonymous requests have no loader.
        self.caller()?;
        self.data::<Rows>()?.load_one(key).await.fail()
    }

    async fn rows<K>(
        &self,
        keys: impl Iterator<Item = K> + Send,
    ) -> async_graphql::Result<HashMap<K, <RowLoader as Loader<K>>::Value>>
    where
        K: Send + Sync + std::hash::Hash + Eq + Clone + 'static,
        RowLoader: Loader<K, Error = Arc<Error>>,
    {
        self.caller()?;
        self.data::<Rows>()?.load_many(keys).await.fail()
    }
}

/// Forgets the rows that were loaded, after each write: a document may write, read, write and read again.
pub(crate) fn forget(context: &Context<'_>) -> async_graphql::Result<()> {
    let rows = context.data::<Rows>()?;
    rows.clear::<crate::loaders::ProjectKey>();
    rows.clear::<crate::loaders::VersionKey>();
    rows.clear::<crate::loaders::CollectionKey>();
    rows.clear::<crate::loaders::RunKey>();
    rows.clear::<crate::loaders::TypesOf>();
    rows.clear::<crate::loaders::AliasesOf>();
    rows.clear::<crate::loaders::PlacesOf>();
    rows.clear::<crate::loaders::NewestOf>();
    rows.clear::<crate::loaders::FirstOf>();
    Ok(())
}
