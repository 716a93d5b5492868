//! What a resolver reaches: the service, the request, the caller.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::Context;
use regalia_domain::ids::VersionId;
use regalia_service::store::access::Caller;
use regalia_service::{Request, Service};

use crate::error::Fail as _;
use crate::loaders::{Key, Loaders, MetadataOf};
use crate::meter::Meter;
use crate::scalars::JsonString;

/// Short ways to what was put into the context by the server.
pub(crate) trait Reach<'c> {
    /// The use-cases.
    fn service(&self) -> async_graphql::Result<&'c Arc<Service>>;
    /// Who asks, and in which request.
    fn request(&self) -> async_graphql::Result<&'c Request>;
    /// Who asks; `UNAUTHENTICATED` for anonymous requests.
    fn caller(&self) -> async_graphql::Result<&'c Caller>;
    /// What a key stands for; none when it is absent or invisible.
    fn row<K: Key>(&self, key: K) -> impl Future<Output = async_graphql::Result<Option<K::Value>>> + Send;
    /// What many keys stand for, in one statement; absent and invisible ones are not among them.
    fn rows<K: Key>(
        &self,
        keys: impl Iterator<Item = K> + Send,
    ) -> impl Future<Output = async_graphql::Result<HashMap<K, K::Value>>> + Send;
    /// The rows of a page, none for a parent that is absent.
    fn page<K: Key<Value = Vec<R>>, R>(&self, key: K) -> impl Future<Output = async_graphql::Result<Vec<R>>> + Send;
    /// Keeps what another statement brought along under its key; none: it is absent.
    fn know<K: Key>(&self, key: K, row: Option<K::Value>) -> async_graphql::Result<()>;
    /// Forgets what was loaded, after each write.
    fn forget(&self) -> async_graphql::Result<()>;
    /// The rows of a list without pages, counted; `TOO_LARGE` when the request has brought too many.
    fn counted<R>(&self, rows: Vec<R>) -> async_graphql::Result<Vec<R>>;
    /// The bytes of a text that is yet to be loaded, counted; `TOO_LARGE` when the request has brought too much.
    fn weigh(&self, bytes: i32) -> async_graphql::Result<()>;
    /// A text that may be long, counted; `TOO_LARGE` when the request has brought too much.
    fn long<T: AsRef<str>>(&self, text: T) -> async_graphql::Result<T>;
    /// The metadata of a version that the caller was allowed to see, counted; `TOO_LARGE` when the request has brought too much.
    fn metadata(&self, version: VersionId) -> impl Future<Output = async_graphql::Result<JsonString>> + Send;
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

    async fn row<K: Key>(&self, key: K) -> async_graphql::Result<Option<K::Value>> {
        self.loaders()?.load(key).await.fail()
    }

    async fn rows<K: Key>(&self, keys: impl Iterator<Item = K> + Send) -> async_graphql::Result<HashMap<K, K::Value>> {
        let loaders = self.loaders()?;
        let answers: Vec<_> = keys.map(|key| (key.clone(), loaders.load(key))).collect();
        let mut rows = HashMap::new();
        // All are asked for by now, so waiting for one after the other takes no longer.
        for (key, answer) in answers {
            if let Some(row) = answer.await.fail()? {
                rows.insert(key, row);
            }
        }
        Ok(rows)
    }

    async fn page<K: Key<Value = Vec<R>>, R>(&self, key: K) -> async_graphql::Result<Vec<R>> {
        Ok(self.row(key).await?.unwrap_or_default())
    }

    fn know<K: Key>(&self, key: K, row: Option<K::Value>) -> async_graphql::Result<()> {
        self.loaders()?.know(key, row);
        Ok(())
    }

    fn forget(&self) -> async_graphql::Result<()> {
        self.loaders()?.forget();
        Ok(())
    }

    fn counted<R>(&self, rows: Vec<R>) -> async_graphql::Result<Vec<R>> {
        self.data::<Meter>()?.rows(self.item.pos, rows.len()).fail()?;
        Ok(rows)
    }

    fn weigh(&self, bytes: i32) -> async_graphql::Result<()> {
        self.data::<Meter>()?.bytes(usize::try_from(bytes).unwrap_or_default()).fail()
    }

    fn long<T: AsRef<str>>(&self, text: T) -> async_graphql::Result<T> {
        self.data::<Meter>()?.bytes(text.as_ref().len()).fail()?;
        Ok(text)
    }

    async fn metadata(&self, version: VersionId) -> async_graphql::Result<JsonString> {
        // A version whose row is gone since it was found has none.
        let text = self.row(MetadataOf(version.0)).await?;
        Ok(JsonString(self.long(text.as_deref().unwrap_or("{}"))?.to_owned()))
    }
}

trait HasLoaders<'c> {
    fn loaders(&self) -> async_graphql::Result<&'c Loaders>;
}

impl<'c> HasLoaders<'c> for Context<'c> {
    fn loaders(&self) -> async_graphql::Result<&'c Loaders> {
        // Anonymous requests have none.
        self.caller()?;
        self.data::<Loaders>()
    }
}
