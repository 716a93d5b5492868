//! Keys of runs, for both sides: what is loaded by them. What must not live here: runs by number (`loaders`), lists of runs
//! (`lists`), and what a caller may see: the loaders don't check projects.

use std::collections::HashMap;
use std::sync::Arc;

use regalia_service::store::run_files::{RunFileRow, Which};
use regalia_service::store::runs::{LongText, RunRow};
use regalia_service::{Page, Result};

use crate::loaders::{Key, PageOf, Source, grouped};

/// A run of a project by the client's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunNamed(pub i64, pub String);

/// A long text of a run. Whoever asks has counted its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunText(pub i64, pub LongText);

/// A page of a run's files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunFiles {
    pub(crate) page: PageOf,
    // The same for many runs.
    pub(crate) which: Arc<Which>,
}

/// How many files a run has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunFileCount {
    pub(crate) run: i64,
    pub(crate) which: Arc<Which>,
}

impl Key for RunNamed {
    type Value = RunRow;

    fn text(&self) -> Option<&str> {
        Some(&self.1)
    }

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let (projects, names): (Vec<i64>, Vec<&str>) = keys.iter().map(|key| (key.0, key.1.as_str())).unzip();
        let rows = source.service.runs_named(&projects, &names).await?;
        Ok(rows.into_iter().map(|row| (RunNamed(row.project_id.0, row.name.clone()), row)).collect())
    }
}

impl Key for RunText {
    type Value = String;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let wanted: Vec<_> = keys.iter().map(|key| (key.0, key.1)).collect();
        let rows = source.service.run_texts(&wanted).await?;
        Ok(rows.into_iter().map(|(run, text, value)| (RunText(run, text), value)).collect())
    }
}

impl Key for RunFiles {
    type Value = Vec<RunFileRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut alike: HashMap<(&Arc<Which>, &str, i64), Vec<i64>> = HashMap::new();
        for Self { page, which } in keys {
            alike.entry((which, &page.after, page.first)).or_default().push(page.parent);
        }
        let mut rows = Vec::new();
        for ((which, after, first), runs) in alike {
            let loaded = source.service.run_files(&runs, which, &Page { after: after.to_owned(), first }).await?;
            rows.extend(loaded.into_iter().map(|row| {
                let page = PageOf { parent: row.run_id.0, after: after.to_owned(), first };
                (Self { page, which: Arc::clone(which) }, row)
            }));
        }
        Ok(grouped(keys, rows))
    }
}

impl Key for RunFileCount {
    type Value = i64;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut alike: HashMap<&Arc<Which>, Vec<i64>> = HashMap::new();
        for key in keys {
            alike.entry(&key.which).or_default().push(key.run);
        }
        let mut counts = HashMap::new();
        for (which, runs) in alike {
            let rows = source.service.count_run_files(&runs, which).await?;
            counts.extend(rows.into_iter().map(|(run, count)| (Self { run, which: Arc::clone(which) }, count)));
        }
        Ok(counts)
    }
}
