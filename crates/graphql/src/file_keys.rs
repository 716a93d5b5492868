//! Keys of the files of versions by their paths. What must not live here: who may read them (the resolvers know).

use std::collections::HashMap;
use std::sync::Arc;

use regalia_service::store::manifests::EntryRow;
use regalia_service::{Page, Result};

use crate::loaders::{Key, Source, grouped};

/// A page of the entries of some names of a manifest; the loader doesn't check who may read it. Those that differ in the manifest alone
/// load together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct EntriesNamed {
    manifest: i64,
    names: Arc<Vec<String>>,
    after: String,
    first: i64,
}

impl EntriesNamed {
    pub(crate) fn new(manifest: i64, names: &Arc<Vec<String>>, page: &Page) -> Self {
        Self { manifest, names: Arc::clone(names), after: page.after.clone(), first: page.first }
    }
}

impl Key for EntriesNamed {
    type Value = Vec<EntryRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut alike: HashMap<Self, Vec<i64>> = HashMap::new();
        for key in keys {
            alike.entry(Self { manifest: 0, ..key.clone() }).or_default().push(key.manifest);
        }
        let mut rows = Vec::new();
        for (like, manifests) in alike {
            let page = Page { after: like.after.clone(), first: like.first };
            let loaded = source.service.entries_named(&manifests, &like.names, &page, source.room.left()).await?;
            source.room.fill(loaded.iter().map(EntryRow::length).sum());
            rows.extend(loaded.into_iter().map(|row| (Self { manifest: row.manifest_id, ..like.clone() }, row)));
        }
        Ok(grouped(keys, rows))
    }
}

/// How many of some names a manifest has; the loader doesn't check who may read it. Those that differ in the manifest alone load
/// together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CountNamed {
    pub(crate) manifest: i64,
    pub(crate) names: Arc<Vec<String>>,
}

impl Key for CountNamed {
    type Value = i64;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut alike: HashMap<&Arc<Vec<String>>, Vec<i64>> = HashMap::new();
        for key in keys {
            alike.entry(&key.names).or_default().push(key.manifest);
        }
        let mut counts = HashMap::new();
        for (names, manifests) in alike {
            let loaded = source.service.count_entries(&manifests, names).await?;
            counts.extend(loaded.into_iter().map(|(manifest, count)| (Self { manifest, names: Arc::clone(names) }, count)));
        }
        Ok(counts)
    }
}
