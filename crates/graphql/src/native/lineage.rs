//! Where versions come from and where they went. What must not live here: the versions' own fields.

use std::collections::HashMap;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject, Union};
use regalia_domain::ids::{RunId, VersionId};
use regalia_service::lineage::{Direction, Lineage as Graph, Node};
use regalia_service::store::lineage::Edge;
use regalia_service::store::runs::RunRow;
use regalia_service::store::versions::VersionRow;

use super::run::ProjectRun;
use super::user::Paged;
use super::version::Version;
use crate::context::Reach as _;
use crate::error::{Fail as _, OrNull as _};
use crate::ids;
use crate::lineage::{MadeBy, UsedBy, UsersOf};
use crate::loaders::{ProjectKey, RunKey, UserSeen, VersionKey};
use crate::paging::{connection, numbered, probe};
use crate::present::Present;
use crate::shared::User;

/// Which way lineage is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum LineageDirection {
    /// What the version was made of.
    Upstream,
    /// What was made of the version.
    Downstream,
    /// Both; what else was made of the same is in neither.
    Both,
}

impl From<LineageDirection> for Direction {
    fn from(direction: LineageDirection) -> Self {
        match direction {
            LineageDirection::Upstream => Self::Upstream,
            LineageDirection::Downstream => Self::Downstream,
            LineageDirection::Both => Self::Both,
        }
    }
}

/// A version or a run of a lineage.
#[derive(Debug, Clone, Union)]
pub enum LineageNode {
    /// A version.
    Version(Version),
    /// A run.
    Run(ProjectRun),
}

/// What a run did with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum LineageEdgeKind {
    /// The run made the version, or logged what was there already.
    Made,
    /// The run used the version.
    Used,
}

/// That a run made or used a version.
#[derive(Debug, Clone, SimpleObject)]
pub struct LineageEdge {
    /// Id of a node: the run that made, or the version that was used.
    from: ID,
    /// Id of a node: the version that was made, or the run that used.
    to: ID,
    /// Which of the two it is.
    kind: LineageEdgeKind,
}

impl From<Edge> for LineageEdge {
    fn from(edge: Edge) -> Self {
        let (run, version) = (ids::id("Run", edge.run.0), ids::id("Version", edge.version.0));
        if edge.made {
            Self { from: run, to: version, kind: LineageEdgeKind::Made }
        } else {
            Self { from: version, to: run, kind: LineageEdgeKind::Used }
        }
    }
}

/// Where a version comes from and where it went, as far as you may see it: what you may not see is left out with what only it leads to.
#[derive(Debug, Clone)]
pub struct Lineage {
    graph: Graph,
}

/// Where a version comes from and where it went, as far as you may see it: what you may not see is left out with what only it leads to.
#[Object]
impl Lineage {
    /// The version that was asked about, then what was found, the nearest first. At most 1000.
    async fn nodes(&self, context: &Context<'_>) -> Result<Vec<Present<LineageNode>>> {
        let nodes = context.counted(self.graph.nodes.clone())?;
        let versions = nodes.iter().filter_map(|node| match node {
            Node::Version(VersionId(id)) => Some(VersionKey(*id)),
            Node::Run(_) => None,
        });
        let runs = nodes.iter().filter_map(|node| match node {
            Node::Run(RunId(id)) => Some(RunKey(*id)),
            Node::Version(_) => None,
        });
        let (mut versions, mut runs): (HashMap<_, VersionRow>, HashMap<_, RunRow>) =
            futures_util::future::try_join(context.rows(versions), context.rows(runs)).await?;
        // What was deleted a moment ago is left out.
        let node = |node| match node {
            Node::Version(VersionId(id)) => {
                versions.remove(&VersionKey(id)).map(|row| LineageNode::Version(Version { row, place: None }))
            }
            Node::Run(RunId(id)) => runs.remove(&RunKey(id)).map(|row| LineageNode::Run(ProjectRun(row))),
        };
        Ok(nodes.into_iter().filter_map(node).map(Present).collect())
    }

    /// What these runs did with these versions. At most 5000.
    async fn edges(&self, context: &Context<'_>) -> Result<Vec<LineageEdge>> {
        Ok(context.counted(self.graph.edges.clone())?.into_iter().map(Into::into).collect())
    }

    /// Whether there is more than fits. What lies beyond the depth that was asked for isn't meant.
    async fn truncated(&self) -> bool {
        self.graph.truncated
    }
}

/// The run that first made a version, if the caller sees it.
pub(super) async fn maker(context: &Context<'_>, version: &VersionRow) -> Result<Option<ProjectRun>> {
    let Some(run) = version.run_id else { return Ok(None) };
    let Some(row) = context.row(RunKey(run)).await? else { return Ok(None) };
    Ok(context.row(ProjectKey(row.project_id.0)).await?.map(|_| ProjectRun(row)))
}

/// Who made a version, if the caller sees him and where it was logged (rule 22).
pub(super) async fn author(context: &Context<'_>, version: &VersionRow) -> Result<Option<User>> {
    let Some(user) = version.created_by.filter(|_| version.source_visible()) else { return Ok(None) };
    Ok(context.row(UserSeen(user)).await?.map(User::from))
}

/// A page of the runs that used a version, as far as the caller sees them.
pub(super) async fn users(
    context: &Context<'_>,
    version: VersionId,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<Paged<ProjectRun>> {
    let page = numbered(first, after)?;
    let edges = context.page(UsersOf::new(version.0, &probe(&page))).await?;
    let mut runs = context.rows(edges.iter().map(|edge| RunKey(edge.run.0))).await?;
    let rows: Vec<RunRow> = edges.iter().filter_map(|edge| runs.remove(&RunKey(edge.run.0))).collect();
    Ok(connection(&page, rows, |row| row.id.to_string(), ProjectRun))
}

/// A page of the versions that a run made, or used, as far as the caller sees them.
pub(super) async fn versions(
    context: &Context<'_>,
    run: RunId,
    made: bool,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<Paged<Version>> {
    let page = numbered(first, after)?;
    let edges = if made {
        context.page(MadeBy::new(run.0, &probe(&page))).await?
    } else {
        context.page(UsedBy::new(run.0, &probe(&page))).await?
    };
    let mut versions = context.rows(edges.iter().map(|edge| VersionKey(edge.version.0))).await?;
    let rows: Vec<VersionRow> = edges.iter().filter_map(|edge| versions.remove(&VersionKey(edge.version.0))).collect();
    Ok(connection(&page, rows, |row| row.id.to_string(), |row| Version { row, place: None }))
}

/// Reads of lineage.
#[derive(Debug, Default)]
pub struct LineageQuery;

/// Reads of lineage.
#[Object]
impl LineageQuery {
    /// What a version was made of, and what was made of it, over how many runs; null when there is no such version or you may not see
    /// it. The links of a version are its own field.
    async fn lineage(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The version's id.")] version: ID,
        #[graphql(desc = "Which way.", default_with = "LineageDirection::Both")] direction: LineageDirection,
        #[graphql(desc = "How many generations, from 1 to 10: each is a run and what lies behind it.", default = 3)] depth: i32,
    ) -> Result<Option<Lineage>> {
        let id = VersionId(ids::number(&["Version", "Artifact"], &version)?);
        let (service, caller) = (context.service()?, context.caller()?);
        if service.version(caller, id).await.or_null()?.is_none() {
            return Ok(None);
        }
        Ok(Some(Lineage { graph: service.lineage(caller, id, direction.into(), depth).await.fail()? }))
    }
}
