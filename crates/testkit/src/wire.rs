//! The SDK's own requests for logging and linking a version, step by step, so that a test can stop between them.

use base64::Engine as _;
use md5::Digest as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Answer, Client};

/// Lowercase hexadecimal MD5.
#[must_use]
pub fn md5_hex(bytes: &[u8]) -> String {
    md5::Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Base64 MD5.
#[must_use]
pub fn md5_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(md5::Md5::digest(bytes))
}

/// A version to log.
#[derive(Debug, Clone)]
pub struct VersionSpec {
    /// Owner of the project.
    pub entity: String,
    /// Project.
    pub project: String,
    /// Collection.
    pub name: String,
    /// Type.
    pub type_name: String,
    /// Aliases.
    pub aliases: Vec<String>,
    /// Paths and bytes.
    pub files: Vec<(String, Vec<u8>)>,
    /// Paths and URIs of references.
    pub references: Vec<(String, String)>,
    /// The run that logs it.
    pub run: Option<String>,
}

impl VersionSpec {
    /// A model of one file, in a project `demo`.
    #[must_use]
    pub fn model(entity: &str, name: &str, bytes: &[u8]) -> Self {
        Self {
            entity: entity.to_owned(),
            project: "demo".to_owned(),
            name: name.to_owned(),
            type_name: "model".to_owned(),
            aliases: vec!["latest".to_owned()],
            files: vec![("model.txt".to_owned(), bytes.to_vec())],
            references: Vec::new(),
            run: None,
        }
    }

    /// The manifest's JSON, as the SDK writes it.
    #[must_use]
    pub fn manifest(&self) -> Vec<u8> {
        let files =
            self.files.iter().map(|(path, bytes)| (path.clone(), json!({ "digest": md5_base64(bytes), "size": bytes.len() })));
        let references =
            self.references.iter().map(|(path, uri)| (path.clone(), json!({ "digest": uri, "size": 3, "ref": uri })));
        let contents: serde_json::Map<String, Value> = files.chain(references).collect();
        let manifest = json!({
            "version": 1, "storagePolicy": "wandb-storage-policy-v1", "storagePolicyConfig": { "storageLayout": "V2" }, "contents": contents,
        });
        manifest.to_string().into_bytes()
    }

    /// The artifact's digest, as the SDK computes it.
    #[must_use]
    pub fn digest(&self) -> String {
        let files = self.files.iter().map(|(path, bytes)| (path.clone(), md5_base64(bytes)));
        let references = self.references.iter().map(|(path, uri)| (path.clone(), uri.clone()));
        let mut lines: Vec<(String, String)> = files.chain(references).collect();
        lines.sort();
        let mut text = "wandb-artifact-manifest-v1\n".to_owned();
        for (path, digest) in lines {
            text.push_str(&format!("{path}:{digest}\n"));
        }
        md5_hex(text.as_bytes())
    }
}

/// A version that was logged.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its id.
    pub id: String,
    /// Its state after `createArtifact`: `PENDING`, or `COMMITTED` when it was there already.
    pub state: String,
}

const CREATE: &str = "mutation CreateArtifact($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id state \
    artifactSequence { latestArtifact { id versionIndex } } } } }";
const MANIFEST: &str = "mutation CreateArtifactManifest($input: CreateArtifactManifestInput!) { createArtifactManifest(input: $input) { \
    artifactManifest { id file { id uploadUrl uploadHeaders } } } }";
const UPDATE_MANIFEST: &str = "mutation UpdateArtifactManifest($artifactManifestID: ID!, $digest: String, $baseArtifactID: ID, $includeUpload: \
    Boolean!) { updateArtifactManifest(input: {artifactManifestID:$artifactManifestID,digest:$digest,baseArtifactID:$baseArtifactID}) { \
    artifactManifest { file { uploadUrl @include(if: $includeUpload) uploadHeaders @include(if: $includeUpload) } } } }";
const FILES: &str = "mutation CreateArtifactFiles($input: CreateArtifactFilesInput!) { createArtifactFiles(input: $input) { files { edges { node { \
    name storagePath uploadUrl uploadHeaders uploadMultipartUrls { uploadID } artifact { id } } } } } }";
const COMMIT: &str =
    "mutation CommitArtifact($artifactID: ID!) { commitArtifact(input: {artifactID: $artifactID}) { artifact { id digest } } }";
const LINK: &str = "mutation LinkArtifact($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex artifactMembership { id \
    versionIndex aliases { id alias } artifactCollection { __typename name project { name } } artifact { id versionIndex artifactSequence { name project { name } } } } } }";

impl Client {
    /// `createArtifact`.
    pub async fn create_version(&self, spec: &VersionSpec, client_id: &str) -> Answer {
        let aliases: Vec<Value> =
            spec.aliases.iter().map(|alias| json!({ "artifactCollectionName": spec.name, "alias": alias })).collect();
        let input = json!({
            "entityName": spec.entity, "projectName": spec.project, "artifactTypeName": spec.type_name, "artifactCollectionName": spec.name,
            "digest": spec.digest(), "digestAlgorithm": "MANIFEST_MD5", "aliases": aliases, "enableDigestDeduplication": true,
            "clientID": client_id, "sequenceClientID": "sequence", "runName": spec.run,
        });
        self.graphql(CREATE, json!({ "input": input })).await
    }

    /// `createArtifactManifest`; `manifest` none: without its digest.
    pub async fn announce_manifest(&self, spec: &VersionSpec, id: &str, manifest: Option<&[u8]>) -> Answer {
        let input = json!({
            "artifactID": id, "name": "wandb_manifest.json", "digest": manifest.map(md5_base64).unwrap_or_default(), "entityName": spec.entity,
            "projectName": spec.project, "runName": "", "type": "FULL",
        });
        self.graphql(MANIFEST, json!({ "input": input })).await
    }

    /// `createArtifactFiles`.
    pub async fn announce_files(&self, id: &str, files: &[(String, Vec<u8>)]) -> Answer {
        self.announce_files_of(id, None, files).await
    }

    /// `createArtifactFiles` for one announced manifest of the version.
    pub async fn announce_files_of(&self, id: &str, draft: Option<&str>, files: &[(String, Vec<u8>)]) -> Answer {
        let file = |(path, bytes): &(String, Vec<u8>)| json!({ "artifactID": id, "name": path, "md5": md5_base64(bytes), "artifactManifestID": draft });
        let files: Vec<Value> = files.iter().map(file).collect();
        self.graphql(FILES, json!({ "input": { "artifactFiles": files, "storageLayout": "V2" } })).await
    }

    /// `createArtifact` for a version that several processes call `distributed_id`.
    pub async fn create_shared(&self, spec: &VersionSpec, distributed_id: &str, client_id: &str) -> Answer {
        let aliases: Vec<Value> =
            spec.aliases.iter().map(|alias| json!({ "artifactCollectionName": spec.name, "alias": alias })).collect();
        let input = json!({
            "entityName": spec.entity, "projectName": spec.project, "artifactTypeName": spec.type_name, "artifactCollectionName": spec.name,
            "digest": spec.digest(), "digestAlgorithm": "MANIFEST_MD5", "aliases": aliases, "enableDigestDeduplication": true,
            "clientID": client_id, "distributedID": distributed_id,
        });
        self.graphql(CREATE, json!({ "input": input })).await
    }

    /// `createArtifactManifest` of a kind, without its digest.
    pub async fn announce_part(&self, id: &str, kind: &str, base: Option<&str>, run: &str) -> Answer {
        let input = json!({
            "artifactID": id, "baseArtifactID": base, "name": "wandb_manifest.json", "digest": "", "entityName": "", "projectName": "",
            "runName": run, "type": kind,
        });
        self.graphql(MANIFEST, json!({ "input": input })).await
    }

    /// `updateArtifactManifest`.
    pub async fn update_manifest(&self, draft: &str, base: Option<&str>, manifest: &[u8]) -> Answer {
        let variables =
            json!({ "artifactManifestID": draft, "digest": md5_base64(manifest), "baseArtifactID": base, "includeUpload": true });
        self.graphql(UPDATE_MANIFEST, variables).await
    }

    /// Sends one part of a pending version, its files and a manifest, as the SDK does.
    ///
    /// # Panics
    /// When a step fails.
    pub async fn send_part(&self, id: &str, kind: &str, base: Option<&str>, files: &[(String, Vec<u8>)], manifest: &[u8]) {
        let draft = self.announce_part(id, kind, base, "").await.ok();
        let draft = draft["createArtifactManifest"]["artifactManifest"]["id"].as_str().expect("an id").to_owned();
        let announced = self.announce_files_of(id, Some(&draft), files).await.ok();
        self.upload(&announced, files).await;
        let updated = self.update_manifest(&draft, base, manifest).await.ok();
        let url = updated["updateArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"].as_str().expect("an upload URL");
        assert_eq!(self.put(url, manifest.to_vec()).await, 200, "upload of the manifest");
    }

    /// `commitArtifact`.
    pub async fn commit(&self, id: &str) -> Answer {
        self.graphql(COMMIT, json!({ "artifactID": id })).await
    }

    /// Makes a registry by our own side of the schema, `visibility` being `ORGANIZATION` or `RESTRICTED`; returns its id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn make_registry(&self, organization: &str, name: &str, visibility: &str) -> String {
        const MAKE: &str = "mutation($input: RegistryCreateInput!) { registryCreate(input: $input) { registry { id } } }";
        let input = json!({ "organization": organization, "name": name, "visibility": visibility });
        let made = self.graphql(MAKE, json!({ "input": input })).await.ok();
        made["registryCreate"]["registry"]["id"].as_str().expect("an id").to_owned()
    }

    /// `linkArtifact` into a registry.
    pub async fn link(&self, id: &str, organization: &str, registry: &str, collection: &str, aliases: &[&str]) -> Answer {
        self.link_into(id, organization, &format!("wandb-registry-{registry}"), collection, aliases).await
    }

    /// `linkArtifact`.
    pub async fn link_into(&self, id: &str, entity: &str, project: &str, collection: &str, aliases: &[&str]) -> Answer {
        let aliases: Vec<Value> =
            aliases.iter().map(|alias| json!({ "artifactCollectionName": collection, "alias": alias })).collect();
        let input = json!({
            "artifactID": id, "entityName": entity, "projectName": project, "artifactPortfolioName": collection, "aliases": aliases,
        });
        self.graphql(LINK, json!({ "input": input })).await
    }

    /// Uploads what `createArtifactFiles` answered with URLs for.
    ///
    /// # Panics
    /// When an upload fails.
    pub async fn upload(&self, announced: &Value, files: &[(String, Vec<u8>)]) {
        let edges = announced["createArtifactFiles"]["files"]["edges"].as_array().expect("edges");
        assert_eq!(edges.len(), files.len());
        for (edge, (path, bytes)) in edges.iter().zip(files) {
            assert_eq!(edge["node"]["name"], *path);
            if let Some(url) = edge["node"]["uploadUrl"].as_str() {
                assert_eq!(self.put(url, bytes.clone()).await, 200, "upload of {path}");
            }
        }
    }

    /// Everything up to, but without, the commit.
    ///
    /// # Panics
    /// When a step fails.
    pub async fn begin(&self, spec: &VersionSpec) -> Published {
        let created = self.create_version(spec, &Uuid::new_v4().to_string()).await.ok();
        let artifact = &created["createArtifact"]["artifact"];
        let id = artifact["id"].as_str().expect("an id").to_owned();
        let state = artifact["state"].as_str().expect("a state").to_owned();
        if state == "COMMITTED" {
            return Published { id, state };
        }
        self.announce_manifest(spec, &id, None).await.expect_ok();
        let announced = self.announce_files(&id, &spec.files).await.ok();
        self.upload(&announced, &spec.files).await;
        self.upload_manifest(spec, &id, &spec.manifest()).await;
        Published { id, state }
    }

    /// Everything up to, but without, the commit, with a manifest and its digest of the test's own; returns the id. Sends
    /// the files of `spec`, whatever the manifest says.
    ///
    /// # Panics
    /// When a step fails.
    pub async fn begin_with(&self, spec: &VersionSpec, digest: &str, manifest: &[u8]) -> String {
        let input = json!({
            "entityName": spec.entity, "projectName": spec.project, "artifactTypeName": spec.type_name,
            "artifactCollectionName": spec.name, "digest": digest, "digestAlgorithm": "MANIFEST_MD5",
        });
        let created = self.graphql(CREATE, json!({ "input": input })).await.ok();
        let id = created["createArtifact"]["artifact"]["id"].as_str().expect("an id").to_owned();
        let announced = self.announce_files(&id, &spec.files).await.ok();
        self.upload(&announced, &spec.files).await;
        self.upload_manifest(spec, &id, manifest).await;
        id
    }

    /// Announces the manifest with its digest, and sends it.
    ///
    /// # Panics
    /// When a step fails.
    pub async fn upload_manifest(&self, spec: &VersionSpec, id: &str, manifest: &[u8]) {
        let announced = self.announce_manifest(spec, id, Some(manifest)).await.ok();
        let url = announced["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"].as_str().expect("an upload URL");
        assert_eq!(self.put(url, manifest.to_vec()).await, 200, "upload of the manifest");
    }

    /// Logs a version with the SDK's own requests.
    ///
    /// # Panics
    /// When a step fails.
    pub async fn log(&self, spec: &VersionSpec) -> Published {
        let published = self.begin(spec).await;
        if published.state == "PENDING" {
            self.commit(&published.id).await.expect_ok();
        }
        published
    }
}
