//! Lineage on the wire: who made a version, which runs used it, what a run made and used. What must not live here: how a run comes to
//! make or use something (`publish`, `run_changes`).

use async_graphql::connection::{CursorType as _, OpaqueCursor, PageInfo};
use async_graphql::{Context, Object, SimpleObject, Union};
use regalia_service::Page;
use regalia_service::store::lineage::Edge;
use regalia_service::store::versions::VersionRow;

use crate::context::Reach as _;
use crate::lineage::{CountOf, MadeBy, UsedBy, UsersOf};
use crate::loaders::{ProjectKey, RunKey, UserSeen, VersionKey};
use crate::paging;
use crate::shared::User;
use crate::wandb::artifact::Artifact;
use crate::wandb::run::Run;

/// W&B protocol: who made a version: a run, or the user who saved it without one.
#[derive(Union)]
pub enum ArtifactCreator {
    /// W&B protocol: a run.
    Run(Run),
    /// W&B protocol: a user.
    User(User),
}

/// Who made a version; none when the caller has no right where it was logged (rule 22).
pub(crate) async fn creator(context: &Context<'_>, version: &VersionRow) -> async_graphql::Result<Option<ArtifactCreator>> {
    if let Some(run) = version.run_id {
        return Ok(seen(context, run).await?.map(ArtifactCreator::Run));
    }
    let Some(user) = version.created_by.filter(|_| version.source_visible()) else { return Ok(None) };
    Ok(context.row(UserSeen(user)).await?.map(|row| ArtifactCreator::User(row.into())))
}

/// A run, if the caller sees its project.
async fn seen(context: &Context<'_>, run: i64) -> async_graphql::Result<Option<Run>> {
    let Some(row) = context.row(RunKey(run)).await? else { return Ok(None) };
    Ok(context.row(ProjectKey(row.project_id.0)).await?.map(|_| Run(row)))
}

/// The wanted rows of a page, each with its cursor, and what the page says of itself.
fn part(page: &Page, mut edges: Vec<Edge>, key: impl Fn(&Edge) -> i64) -> (Vec<(String, Edge)>, PageInfo) {
    let most = usize::try_from(page.first).unwrap_or(0);
    let has_next_page = edges.len() > most;
    edges.truncate(most);
    let rows: Vec<(String, Edge)> =
        edges.into_iter().map(|edge| (OpaqueCursor(key(&edge).to_string()).encode_cursor(), edge)).collect();
    let cursor = |row: Option<&(String, Edge)>| row.map(|(cursor, _)| cursor.clone());
    let info = PageInfo {
        has_previous_page: !page.after.is_empty(),
        has_next_page,
        start_cursor: cursor(rows.first()),
        end_cursor: cursor(rows.last()),
    };
    (rows, info)
}

/// W&B protocol: a version in a run's list.
#[derive(SimpleObject)]
pub struct ArtifactEdge {
    /// W&B protocol: for `after`.
    cursor: String,
    /// W&B protocol: the version.
    node: Artifact,
}

/// A page of the versions that a run made, or used.
struct Versions {
    count: CountOf,
    rows: Vec<(String, Edge)>,
    page_info: PageInfo,
}

impl Versions {
    async fn of_run(
        context: &Context<'_>,
        count: CountOf,
        first: Option<i32>,
        after: Option<&str>,
    ) -> async_graphql::Result<Self> {
        let page = paging::numbered(paging::shortened(first), after)?;
        let probe = paging::probe(&page);
        let edges = if count.made {
            context.page(MadeBy::new(count.run, &probe)).await?
        } else {
            context.page(UsedBy::new(count.run, &probe)).await?
        };
        let (rows, page_info) = part(&page, edges, |edge| edge.version.0);
        Ok(Self { count, rows, page_info })
    }

    async fn edges(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ArtifactEdge>> {
        let key = |edge: &Edge| VersionKey(edge.version.0);
        let mut versions = context.rows(self.rows.iter().map(|(_, edge)| key(edge))).await?;
        let node = |(cursor, edge): &(String, Edge)| {
            Some(ArtifactEdge { cursor: cursor.clone(), node: Artifact(versions.remove(&key(edge))?) })
        };
        Ok(self.rows.iter().filter_map(node).collect())
    }
}

// The SDK 0.22 calls the two by their names.
macro_rules! connection {
    ($(#[$doc:meta])* $name:ident, made: $made:literal) => {
        $(#[$doc])*
        pub struct $name(Versions);

        impl $name {
            /// The wanted page of a run.
            pub(crate) async fn of_run(
                context: &Context<'_>,
                run: i64,
                first: Option<i32>,
                after: Option<&str>,
            ) -> async_graphql::Result<Self> {
                Ok(Self(Versions::of_run(context, CountOf { run, made: $made }, first, after).await?))
            }
        }

        $(#[$doc])*
        #[Object]
        impl $name {
            /// W&B protocol: one for each version of the page.
            async fn edges(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ArtifactEdge>> {
                self.0.edges(context).await
            }

            /// W&B protocol: where the page ends.
            async fn page_info(&self) -> &PageInfo {
                &self.0.page_info
            }

            /// W&B protocol: how many there are on all pages together.
            async fn total_count(&self, context: &Context<'_>) -> async_graphql::Result<i64> {
                Ok(context.row(self.0.count).await?.unwrap_or_default())
            }
        }
    };
}

connection! {
    /// W&B protocol: a page of the versions that a run logged, as far as the caller sees them.
    ArtifactConnection, made: true
}

connection! {
    /// W&B protocol: a page of the versions that a run used, as far as the caller sees them.
    InputArtifactConnection, made: false
}

/// W&B protocol: a page of the runs that used a version, as far as the caller sees them.
#[derive(SimpleObject)]
#[graphql(name = "ArtifactUsersConnection")]
pub struct UsersConnection {
    /// W&B protocol: one for each run of the page.
    edges: Vec<UsersEdge>,
    /// W&B protocol: where the page ends.
    page_info: PageInfo,
}

/// W&B protocol: a run in a version's list.
#[derive(SimpleObject)]
#[graphql(name = "ArtifactUsersEdge")]
pub struct UsersEdge {
    /// W&B protocol: for `after`.
    cursor: String,
    /// W&B protocol: the run.
    node: Run,
}

impl UsersConnection {
    /// The runs that used a version which the caller sees. The SDK takes the first page for all.
    pub(crate) async fn of_version(
        context: &Context<'_>,
        version: i64,
        first: Option<i32>,
        after: Option<&str>,
    ) -> async_graphql::Result<Self> {
        let page = paging::numbered(paging::shortened(first.or(Some(paging::MOST))), after)?;
        // Counted before the runs are read.
        let edges = context.counted(context.page(UsersOf::new(version, &paging::probe(&page))).await?)?;
        let (rows, page_info) = part(&page, edges, |edge| edge.run.0);
        let mut runs = context.rows(rows.iter().map(|(_, edge)| RunKey(edge.run.0))).await?;
        let edges = rows
            .into_iter()
            .filter_map(|(cursor, edge)| Some(UsersEdge { cursor, node: Run(runs.remove(&RunKey(edge.run.0))?) }));
        Ok(Self { edges: edges.collect(), page_info })
    }
}
