//! Lineage: what runs made and used, page by page, and the graph from a version both ways. What must not live here: the notes of what
//! runs make and use (`commit`, `versions`, `runs`).

use std::collections::HashSet;

use regalia_domain::ids::{RunId, VersionId};
use regalia_store::access::Caller;
use regalia_store::lineage::{self, Edge, Of, Part};

use crate::{Error, Page, Result, Service};

/// The most generations that a graph is followed: a generation is a run and what lies behind it.
pub const MOST_DEPTH: i32 = 10;

/// The most runs and versions of one graph, and the most edges.
const MOST_NODES: usize = 1000;
const MOST_EDGES: usize = 5000;

/// Which way a graph is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// What it was made of.
    Upstream,
    /// What was made of it.
    Downstream,
    /// Both, each for itself: what else was made of the same is in neither.
    Both,
}

/// A run or a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Node {
    /// A version.
    Version(VersionId),
    /// A run.
    Run(RunId),
}

/// Where something comes from, and where it went.
#[derive(Debug, Clone)]
pub struct Lineage {
    /// The version that was asked about, then the others by generation.
    pub nodes: Vec<Node>,
    /// Which of these runs made and used which of these versions.
    pub edges: Vec<Edge>,
    /// Whether there was more than fits. What lies beyond the depth that was asked for isn't meant.
    pub truncated: bool,
}

impl Lineage {
    fn of(version: VersionId) -> Self {
        Self { nodes: vec![Node::Version(version)], edges: Vec::new(), truncated: false }
    }
}

/// A graph that is being followed.
struct Walk {
    lineage: Lineage,
    known: HashSet<Node>,
    drawn: HashSet<Edge>,
}

impl Walk {
    fn begin(version: VersionId) -> Self {
        Self { lineage: Lineage::of(version), known: HashSet::from([Node::Version(version)]), drawn: HashSet::new() }
    }

    /// Draws an edge that leads to a node, unless there is no room for either; whether it is drawn now.
    fn draw(&mut self, edge: Edge, node: Node) -> bool {
        if self.drawn.contains(&edge) {
            return true;
        }
        let new = !self.known.contains(&node);
        if self.lineage.edges.len() >= MOST_EDGES || (new && self.lineage.nodes.len() >= MOST_NODES) {
            self.lineage.truncated = true;
            return false;
        }
        if new {
            self.known.insert(node);
            self.lineage.nodes.push(node);
        }
        self.drawn.insert(edge);
        self.lineage.edges.push(edge);
        true
    }
}

/// One way of a walk: where it has been, and where it goes on from. Each way goes through a cycle once.
#[derive(Default)]
struct Way {
    been: HashSet<Node>,
    next: Vec<i64>,
}

impl Way {
    fn from(version: VersionId) -> Self {
        Self { been: HashSet::from([Node::Version(version)]), next: vec![version.0] }
    }

    fn reach(&mut self, node: Node) {
        if self.been.insert(node) {
            self.next.push(match node {
                Node::Version(VersionId(id)) | Node::Run(RunId(id)) => id,
            });
        }
    }

    fn take(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.next)
    }
}

impl Service {
    /// The graph from a version that the caller sees. A generation is a run and what lies behind it: what it used on the way up, what
    /// it made on the way down. Two statements for each, and one for the edges between what was found, by whichever way; what the caller
    /// doesn't see is not there, and nothing is reached through it.
    ///
    /// # Errors
    /// `Invalid` for a depth that isn't 1 to [`MOST_DEPTH`].
    pub async fn lineage(&self, caller: &Caller, version: VersionId, direction: Direction, depth: i32) -> Result<Lineage> {
        if !(1..=MOST_DEPTH).contains(&depth) {
            return Err(Error::Invalid(format!("`depth` is {depth}; it must be from 1 to {MOST_DEPTH}.")));
        }
        // One row more than fits tells that there is more.
        let limit = i64::try_from(MOST_EDGES).unwrap_or(i64::MAX) + 1;
        let all = Part { after: 0, each: limit, all: limit };
        let way = |wanted: bool| if wanted { Way::from(version) } else { Way::default() };
        let (mut up, mut down) = (way(direction != Direction::Downstream), way(direction != Direction::Upstream));
        let mut walk = Walk::begin(version);
        let mut connection = self.store.read().await?;
        for _ in 0..depth {
            let (made, used) = (up.take(), down.take());
            if made.is_empty() && used.is_empty() {
                break;
            }
            let edges = lineage::runs(&mut connection, caller, Of { made: &made, used: &used }, all).await?;
            walk.lineage.truncated |= edges.len() > MOST_EDGES;
            for edge in edges {
                if walk.draw(edge, Node::Run(edge.run)) {
                    if edge.made { &mut up } else { &mut down }.reach(Node::Run(edge.run));
                }
            }
            let (used, made) = (up.take(), down.take());
            if made.is_empty() && used.is_empty() {
                break;
            }
            let edges = lineage::versions(&mut connection, caller, Of { made: &made, used: &used }, all).await?;
            walk.lineage.truncated |= edges.len() > MOST_EDGES;
            for edge in edges {
                if walk.draw(edge, Node::Version(edge.version)) {
                    if edge.made { &mut down } else { &mut up }.reach(Node::Version(edge.version));
                }
            }
        }
        let (mut runs, mut versions) = (Vec::new(), Vec::new());
        for node in &walk.lineage.nodes {
            match node {
                Node::Run(RunId(id)) => runs.push(*id),
                Node::Version(VersionId(id)) => versions.push(*id),
            }
        }
        let edges = lineage::between(&mut connection, &runs, &versions, limit).await?;
        walk.lineage.truncated |= edges.len() > MOST_EDGES;
        for edge in edges {
            walk.draw(edge, Node::Run(edge.run));
        }
        Ok(walk.lineage)
    }

    /// One page of the versions that each of several runs made or used and that the caller sees, by number. For runs that the caller
    /// was allowed to see.
    ///
    /// # Errors
    /// `Invalid` for what is no cursor.
    pub async fn versions_of_runs(&self, caller: &Caller, runs: Of<'_>, page: &Page) -> Result<Vec<Edge>> {
        let part = part(page)?;
        let mut connection = self.store.read().await?;
        Ok(lineage::versions(&mut connection, caller, runs, part).await?)
    }

    /// How many versions each of several runs made or used that the caller sees. For runs that the caller was allowed to see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn count_versions_of_runs(&self, caller: &Caller, runs: Of<'_>) -> Result<Vec<(bool, RunId, i64)>> {
        let mut connection = self.store.read().await?;
        Ok(lineage::count_versions(&mut connection, caller, runs).await?)
    }

    /// One page of the runs that made or used each of several versions and that the caller sees, by number. For versions that the
    /// caller was allowed to see.
    ///
    /// # Errors
    /// `Invalid` for what is no cursor.
    pub async fn runs_of_versions(&self, caller: &Caller, versions: Of<'_>, page: &Page) -> Result<Vec<Edge>> {
        let part = part(page)?;
        let mut connection = self.store.read().await?;
        Ok(lineage::runs(&mut connection, caller, versions, part).await?)
    }
}

/// A page of each.
fn part(page: &Page) -> Result<Part> {
    let after = match page.after.as_str() {
        "" => 0,
        text => text.parse().map_err(|_| Error::Invalid("`after` is not a cursor of a list of runs or versions.".into()))?,
    };
    Ok(Part { after, each: page.first, all: i64::MAX })
}
