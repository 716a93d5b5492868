//! Keys of what runs made and used, which both sides of the schema show. Runs and versions that the caller doesn't see are absent, and
//! not counted. What must not live here: the graph (`native/lineage.rs`).

use std::collections::HashMap;

use regalia_service::Result;
use regalia_service::store::lineage::{Edge, Of};

use crate::loaders::{Key, Source, paged, pages};

pages! {
    /// A page of the versions that a run made, by number; the loader doesn't check the run's project.
    MadeBy;
    /// A page of the versions that a run used, by number; the loader doesn't check the run's project.
    UsedBy;
    /// A page of the runs that used a version, by number; the loader doesn't check who sees the version.
    UsersOf;
}

impl Key for MadeBy {
    type Value = Vec<Edge>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        paged(keys, |runs, page| async move {
            let edges = source.service.versions_of_runs(&source.caller, Of { made: &runs, used: &[] }, &page).await?;
            Ok(edges.into_iter().map(|edge| (edge.run.0, edge)).collect())
        })
        .await
    }
}

impl Key for UsedBy {
    type Value = Vec<Edge>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        paged(keys, |runs, page| async move {
            let edges = source.service.versions_of_runs(&source.caller, Of { made: &[], used: &runs }, &page).await?;
            Ok(edges.into_iter().map(|edge| (edge.run.0, edge)).collect())
        })
        .await
    }
}

impl Key for UsersOf {
    type Value = Vec<Edge>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        paged(keys, |versions, page| async move {
            let edges = source.service.runs_of_versions(&source.caller, Of { made: &[], used: &versions }, &page).await?;
            Ok(edges.into_iter().map(|edge| (edge.version.0, edge)).collect())
        })
        .await
    }
}

/// How many versions a run made, or used; the loader doesn't check the run's project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CountOf {
    /// The run.
    pub run: i64,
    /// Made, else used.
    pub made: bool,
}

impl Key for CountOf {
    type Value = i64;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let of = |made: bool| keys.iter().filter(|key| key.made == made).map(|key| key.run).collect::<Vec<_>>();
        let counts = source.service.count_versions_of_runs(&source.caller, Of { made: &of(true), used: &of(false) }).await?;
        Ok(counts.into_iter().map(|(made, run, count)| (Self { run: run.0, made }, count)).collect())
    }
}
