//! Filtered lists: which rows stand on a page, by number; and tags. What must not live here: the rows themselves, and the ways in which
//! doors write filters and cursors.

use regalia_domain::orders::{CollectionOrder, RegistryOrder, VersionOrder};
use regalia_store::lists::{Collections, Listed, Part, Projects, Versions};
use regalia_store::tags::{self, TagRow};

use crate::{Result, Service};

impl Service {
    /// One part of the list of each parent.
    ///
    /// # Errors
    /// `TooSlow`.
    pub async fn list_projects(&self, list: &Projects<'_>, part: Part<'_, RegistryOrder>) -> Result<Vec<Listed>> {
        let mut connection = self.store.read().await?;
        Ok(list.part(&mut connection, part).await?)
    }

    /// One part of the list of each parent.
    ///
    /// # Errors
    /// `TooSlow`.
    pub async fn list_collections(&self, list: &Collections<'_>, part: Part<'_, CollectionOrder>) -> Result<Vec<Listed>> {
        let mut connection = self.store.read().await?;
        Ok(list.part(&mut connection, part).await?)
    }

    /// One part of the list of each parent.
    ///
    /// # Errors
    /// `TooSlow`.
    pub async fn list_versions(&self, list: &Versions<'_>, part: Part<'_, VersionOrder>) -> Result<Vec<Listed>> {
        let mut connection = self.store.read().await?;
        Ok(list.part(&mut connection, part).await?)
    }

    /// How many there are of each parent, by its number.
    ///
    /// # Errors
    /// `TooSlow`.
    pub async fn count_projects(&self, list: &Projects<'_>) -> Result<Vec<(i64, i64)>> {
        let mut connection = self.store.read().await?;
        Ok(list.count(&mut connection).await?)
    }

    /// How many there are of each parent, by its number.
    ///
    /// # Errors
    /// `TooSlow`.
    pub async fn count_collections(&self, list: &Collections<'_>) -> Result<Vec<(i64, i64)>> {
        let mut connection = self.store.read().await?;
        Ok(list.count(&mut connection).await?)
    }

    /// How many there are of each parent, by its number.
    ///
    /// # Errors
    /// `TooSlow`.
    pub async fn count_versions(&self, list: &Versions<'_>) -> Result<Vec<(i64, i64)>> {
        let mut connection = self.store.read().await?;
        Ok(list.count(&mut connection).await?)
    }

    /// Tags of collections. The caller of this checks their projects.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn tags_of_collections(&self, collections: &[i64]) -> Result<Vec<TagRow>> {
        let mut connection = self.store.read().await?;
        Ok(tags::of_collections(&mut connection, collections).await?)
    }

    /// Tags of versions. The caller of this checks who may see them.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn tags_of_versions(&self, versions: &[i64]) -> Result<Vec<TagRow>> {
        let mut connection = self.store.read().await?;
        Ok(tags::of_versions(&mut connection, versions).await?)
    }
}
