//! Rows of what becomes of versions, links and collections, on both sides. What must not live here: how they are run.

use regalia_domain::ids::decode_id;
use serde_json::{Value, json};

use super::stage::{Cell, KINDS, Published};
use super::{Rows, row};
use crate::native::own;

/// The rows of our own side.
pub fn ours(r: &mut Rows) {
    for (visibility, _, kind) in KINDS {
        r.section(&format!("Our own schema: links and collections of {kind}"));
        row!(r, "Mutation.linkUpdate", "an ordinary alias", |c| {
            let link = c.published(visibility).await;
            c.own("linkUpdate", json!({ "link": link.place, "addAliases": ["next"], "removeAliases": ["best"] })).await
        });
        row!(r, "Mutation.linkUpdate", "a protected alias", |c| {
            let link = c.published(visibility).await;
            c.protect(&link, "best").await;
            c.own("linkUpdate", json!({ "link": link.place, "removeAliases": ["best"] })).await
        });
        row!(r, "Mutation.linkDelete", "", |c| {
            let link = c.published(visibility).await;
            c.own("linkDelete", json!({ "link": link.place })).await
        });
        row!(r, "Mutation.linkDelete", "with a protected alias", |c| {
            let link = c.published(visibility).await;
            c.protect(&link, "best").await;
            c.own("linkDelete", json!({ "link": link.place })).await
        });
        row!(r, "Mutation.aliasRestore", "an ordinary alias", |c| {
            let link = c.published(visibility).await;
            let at = moved(&c, &link).await;
            c.own("aliasRestore", json!({ "collection": link.native(), "alias": "best", "at": at })).await
        });
        row!(r, "Mutation.aliasRestore", "a protected alias", |c| {
            let link = c.published(visibility).await;
            let at = moved(&c, &link).await;
            c.protect(&link, "best").await;
            c.own("aliasRestore", json!({ "collection": link.native(), "alias": "best", "at": at })).await
        });
        row!(r, "Mutation.collectionUpdate", "", |c| {
            let link = c.published(visibility).await;
            c.own("collectionUpdate", json!({ "collection": link.native(), "description": "new", "addTags": ["x"] })).await
        });
        row!(r, "Mutation.collectionDelete", "", |c| {
            let link = c.published(visibility).await;
            c.own("collectionDelete", json!({ "collection": link.native() })).await
        });
        row!(r, "Mutation.collectionDelete", "with a protected alias", |c| {
            let link = c.published(visibility).await;
            c.protect(&link, "best").await;
            c.own("collectionDelete", json!({ "collection": link.native() })).await
        });
    }
    r.section("Our own schema: changes of versions");
    row!(r, "Mutation.versionUpdate", "the team's", |c| {
        let version = c.logged().await;
        c.own("versionUpdate", json!({ "version": version, "description": "new" })).await
    });
    row!(r, "Mutation.versionUpdate", "in an open registry", |c| {
        let link = c.published("ORGANIZATION").await;
        c.own("versionUpdate", json!({ "version": link.version, "description": "new" })).await
    });
    row!(r, "Mutation.versionDelete", "the team's", |c| {
        let version = c.logged().await;
        c.own("versionDelete", json!({ "version": version })).await
    });
    row!(r, "Mutation.versionDelete", "under a protected alias of an open registry", |c| {
        let link = c.published("ORGANIZATION").await;
        c.protect(&link, "best").await;
        c.own("versionDelete", json!({ "version": link.version, "deleteAliases": true })).await
    });
}

/// The rows of the W&B protocol.
pub fn wire(r: &mut Rows) {
    for (visibility, _, kind) in KINDS {
        r.section(&format!("W&B protocol: links and collections of {kind}"));
        row!(r, "Mutation.addAliases", "an ordinary one", |c| {
            let link = c.published(visibility).await;
            c.wire("addAliases", "success", aliases(&link, "next")).await
        });
        row!(r, "Mutation.addAliases", "a protected one", |c| {
            let link = c.published(visibility).await;
            c.protect(&link, "next").await;
            c.wire("addAliases", "success", aliases(&link, "next")).await
        });
        row!(r, "Mutation.deleteAliases", "an ordinary one", |c| {
            let link = c.published(visibility).await;
            c.wire("deleteAliases", "success", aliases(&link, "best")).await
        });
        row!(r, "Mutation.deleteAliases", "a protected one", |c| {
            let link = c.published(visibility).await;
            c.protect(&link, "best").await;
            c.wire("deleteAliases", "success", aliases(&link, "best")).await
        });
        row!(r, "Mutation.unlinkArtifact", "", |c| {
            let link = c.published(visibility).await;
            let input = json!({ "artifactID": link.version, "artifactPortfolioID": link.collection });
            c.wire("unlinkArtifact", "success", input).await
        });
        row!(r, "Mutation.updateArtifactPortfolio", "", |c| {
            let link = c.published(visibility).await;
            let input = json!({ "artifactPortfolioID": link.collection, "description": "new" });
            c.wire("updateArtifactPortfolio", "artifactCollection { id }", input).await
        });
        row!(r, "Mutation.deleteArtifactPortfolio", "", |c| {
            let link = c.published(visibility).await;
            let input = json!({ "artifactPortfolioID": link.collection });
            c.wire("deleteArtifactPortfolio", "artifactCollection { state }", input).await
        });
        row!(r, "Mutation.createArtifactCollectionTagAssignments", "", |c| {
            let link = c.published(visibility).await;
            c.wire("createArtifactCollectionTagAssignments", "tags { name }", tags(&link, "new")).await
        });
        row!(r, "Mutation.deleteArtifactCollectionTagAssignments", "", |c| {
            let link = c.published(visibility).await;
            c.wire("deleteArtifactCollectionTagAssignments", "success", tags(&link, "old")).await
        });
    }
    r.section("W&B protocol: changes of versions and source collections");
    row!(r, "Mutation.updateArtifact", "the team's", |c| {
        let version = c.logged().await;
        c.wire("updateArtifact", "artifact { id }", json!({ "artifactID": version, "description": "new" })).await
    });
    row!(r, "Mutation.deleteArtifact", "the team's", |c| {
        let version = c.logged().await;
        c.wire("deleteArtifact", "artifact { id }", json!({ "artifactID": version })).await
    });
    row!(r, "Mutation.updateArtifactSequence", "the team's", |c| {
        let input = json!({ "artifactSequenceID": source(&c).await, "description": "new" });
        c.wire("updateArtifactSequence", "artifactCollection { id }", input).await
    });
    row!(r, "Mutation.moveArtifactSequence", "the team's", |c| {
        let input = json!({ "artifactSequenceID": source(&c).await, "destinationArtifactTypeName": "other" });
        c.wire("moveArtifactSequence", "artifactCollection { id }", input).await
    });
    row!(r, "Mutation.deleteArtifactSequence", "the team's", |c| {
        let input = json!({ "artifactSequenceID": source(&c).await });
        c.wire("deleteArtifactSequence", "artifactCollection { state }", input).await
    });
}

/// Takes `best` away from what was published; since when it had been there.
async fn moved(c: &Cell, link: &Published) -> Value {
    let removed = json!({ "link": link.place, "removeAliases": ["best"] });
    own(&c.stage.alice, "linkUpdate", removed).await.expect_ok();
    let number = decode_id(&["ArtifactCollection"], &link.collection).unwrap();
    let query = format!("select lower(valid) as at from aliases where collection_id = {number} and alias = 'best'");
    c.stage.server.rows(&query).await.remove(0)["at"].clone()
}

/// The id of the collection of a version that was logged for the cell.
async fn source(c: &Cell) -> String {
    c.logged().await;
    c.id("ArtifactCollection", &format!("select id from collections where name = '{}'", c.new_name())).await
}

fn aliases(link: &Published, alias: &str) -> Value {
    json!({ "artifactID": link.version, "aliases": [with(link, "alias", alias.into())] })
}

fn tags(link: &Published, tag: &str) -> Value {
    with(link, "tags", json!([{ "tagName": tag }]))
}

fn with(link: &Published, key: &str, value: Value) -> Value {
    let project = format!("wandb-registry-{}", link.registry);
    let mut place = json!({ "entityName": "acme", "projectName": project, "artifactCollectionName": "C" });
    place[key] = value;
    place
}
