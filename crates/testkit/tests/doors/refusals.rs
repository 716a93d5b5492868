//! What is refused: with which status (rule 45), in which words, and that nothing has changed then, in any table. What must
//! not live here: who may do what (`access`), and floods (`limits`).

use std::collections::BTreeMap;

use base64::Engine as _;
use chrono::TimeDelta;
use regalia_domain::ids::{decode_id, encode_id};
use regalia_domain::roles::OrganizationRole;
use regalia_testkit::{Answer, Client, Reply, Server, VersionSpec, md5_base64, md5_hex};
use serde_json::{Value, json};

mod commits;
mod everywhere;
mod files;
mod operations;
mod versions;

/// Bytes of a sentence; it may quote what was sent, but not all of it.
const LONGEST: usize = 1100;

const LINKING: &str = "linking is only allowed within the same team or to a collection in your organization's registry";

const UPSERT: &str = "mutation($input: UpsertModelInput!) { upsertModel(input: $input) { inserted project { id name } } }";
const CREATE: &str = "mutation($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id state } } }";
const MANIFEST: &str =
    "mutation($input: CreateArtifactManifestInput!) { createArtifactManifest(input: $input) { artifactManifest { id } } }";
const UPDATE_MANIFEST: &str =
    "mutation($input: UpdateArtifactManifestInput!) { updateArtifactManifest(input: $input) { artifactManifest { id } } }";
const FILES: &str = "mutation($input: CreateArtifactFilesInput!) { createArtifactFiles(input: $input) { files { edges { node { \
    uploadUrl artifact { id } } } } } }";
const LINK: &str = "mutation($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex } }";
const RUN: &str = "mutation($input: UpsertBucketInput!) { upsertBucket(input: $input) { inserted bucket { name } } }";
const RUN_FILES: &str =
    "mutation($input: CreateRunFilesInput!) { createRunFiles(input: $input) { runID files { name uploadUrl } } }";
const USE: &str = "mutation($input: UseArtifactInput!) { useArtifact(input: $input) { artifact { id } } }";
const REGISTRY_CREATE: &str = "mutation($input: RegistryCreateInput!) { registryCreate(input: $input) { registry { id } } }";
const REGISTRY_UPDATE: &str = "mutation($input: RegistryUpdateInput!) { registryUpdate(input: $input) { registry { id } } }";
const VERSION_LINK: &str = "mutation($input: VersionLinkInput!) { versionLink(input: $input) { link { index aliases } } }";
const VERSION_BEGIN: &str =
    "mutation($input: VersionBeginInput!) { versionBegin(input: $input) { version { id } uploads { url } } }";

/// Tables as they were; what is refused must leave them so.
struct Unchanged<'s> {
    server: &'s Server,
    rows: BTreeMap<String, String>,
}

impl<'s> Unchanged<'s> {
    async fn since_now(server: &'s Server) -> Self {
        Self { server, rows: server.everything().await }
    }

    /// Fails if any table changed.
    async fn check(&mut self, what: &str) {
        let rows = self.server.everything().await;
        let changed: Vec<_> = rows.iter().filter(|(table, rows)| self.rows.get(*table) != Some(rows)).collect();
        assert!(changed.is_empty(), "{what} changed {changed:?}; before: {:?}", self.rows);
        assert_eq!(self.server.objects().1, Vec::<String>::new(), "{what} left something in staging");
    }

    /// Fails unless an operation of the W&B protocol was refused with this status, these words, and nothing changed.
    async fn wire(&mut self, what: &str, answer: Answer, status: u16, words: &[&str]) {
        assert_eq!(answer.status, status, "{what}: {} {}", answer.data, answer.message());
        self.refused(what, &answer, code_of(status), words).await;
    }

    /// The same for an operation of our own side, which answers 200 and a code (rule 45).
    async fn ours(&mut self, what: &str, answer: Answer, code: &str, words: &[&str]) {
        assert_eq!(answer.status, 200, "{what}: {} {}", answer.data, answer.message());
        self.refused(what, &answer, code, words).await;
    }

    async fn refused(&mut self, what: &str, answer: &Answer, code: &str, words: &[&str]) {
        assert_eq!(answer.code(), code, "{what}: {} {}", answer.data, answer.message());
        sentence(what, answer.message(), words);
        self.check(what).await;
    }

    /// The same for a route that isn't GraphQL.
    async fn route(&mut self, what: &str, reply: Reply, status: u16, words: &[&str]) {
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        sentence(what, &reply.message(), words);
        self.check(what).await;
    }
}

fn code_of(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        409 => "CONFLICT",
        413 => "TOO_LARGE",
        _ => "INVALID",
    }
}

/// A sentence that a person understands: whole, not too long, with what matters in it.
fn sentence(what: &str, message: &str, words: &[&str]) {
    let whole = message.contains(' ') && message.ends_with(['.', '…']) && message.len() < LONGEST;
    assert!(whole, "{what} is told as ({} bytes): {message:.300}", message.len());
    for word in words {
        assert!(message.contains(word), "{what} doesn't say {word:?}: {message}");
    }
}

fn text(n: usize, c: char) -> String {
    std::iter::repeat_n(c, n).collect()
}

fn aliases(collection: &str, names: &[&str]) -> Value {
    names.iter().map(|name| json!({ "artifactCollectionName": collection, "alias": name })).collect()
}

/// A version's input for `createArtifact`, to be spoilt in one place.
fn create(entity: &str, project: &str, collection: &str) -> Value {
    json!({ "entityName": entity, "projectName": project, "artifactTypeName": "model", "artifactCollectionName": collection,
        "digest": md5_hex(b""), "digestAlgorithm": "MANIFEST_MD5" })
}

fn link(version: &str, organization: &str, project: &str, collection: &str) -> Value {
    json!({ "artifactID": version, "entityName": organization, "projectName": project, "artifactPortfolioName": collection })
}

/// An object with some of its fields replaced.
fn with(mut object: Value, fields: Value) -> Value {
    object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    object
}

async fn input(client: &Client, document: &str, input: Value) -> Answer {
    client.graphql(document, json!({ "input": input })).await
}

/// A refused commit changes nothing.
async fn refused_commit(server: &Server, client: &Client, what: &str, id: &str, status: u16, words: &[&str]) {
    let before = (server.everything().await, server.objects());
    let answer = client.commit(id).await;
    assert_eq!((answer.status, answer.code()), (status, code_of(status)), "{what}: {}", answer.message());
    sentence(what, answer.message(), words);
    assert_eq!((server.everything().await, server.objects()), before, "{what}");
}
