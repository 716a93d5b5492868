//! Who plays in the access matrix and what they try their rights on: things that stay as they are, and a thing of its own for
//! each cell that changes one. What must not live here: rows.

use std::sync::Arc;

use regalia_domain::ids::{decode_id, encode_id};
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_testkit::{Answer, Client, Reply, Server, VersionSpec, secret};
use serde_json::{Value, json};

use super::Outcome;
use crate::native::own;

/// A kind of caller: a column.
pub struct Persona {
    /// The column's heading, and the name of the account.
    pub heading: &'static str,
    /// Who it is.
    pub who: &'static str,
    /// The place in the organization `acme`.
    seat: Option<OrganizationRole>,
    /// The role in the registries.
    role: Option<&'static str>,
    /// The place in the team `alpha`.
    place: Option<TeamRole>,
}

const fn persona(
    heading: &'static str,
    seat: Option<OrganizationRole>,
    role: Option<&'static str>,
    place: Option<TeamRole>,
    who: &'static str,
) -> Persona {
    Persona { heading, who, seat, role, place }
}

const VIEWER: Option<OrganizationRole> = Some(OrganizationRole::Viewer);
const MEMBER: Option<OrganizationRole> = Some(OrganizationRole::Member);

/// The service account's column.
const MACHINE: &str = "machine";

/// The columns: each ladder by power, what the registry gives, what the team gives, and who is above both.
pub static PERSONAE: [Persona; 13] = [
    persona("anon", None, None, None, "anonymous: without a key and not signed in"),
    persona("other", None, None, None, "another organization's admin"),
    persona("o-view", VIEWER, None, None, "organization viewer"),
    persona("o-memb", MEMBER, None, None, "organization member without a role in the registry and without a team"),
    persona("r-restr", MEMBER, Some("RESTRICTED_VIEWER"), None, "`restricted_viewer` of the registry"),
    persona("r-view", MEMBER, Some("VIEWER"), None, "`viewer` of the registry"),
    persona("r-memb", MEMBER, Some("MEMBER"), None, "`member` of the registry"),
    persona("r-admin", MEMBER, Some("ADMIN"), None, "`admin` of the registry"),
    persona("t-memb", MEMBER, None, Some(TeamRole::Member), "team member"),
    persona("t-admin", MEMBER, None, Some(TeamRole::Admin), "team admin"),
    persona(
        MACHINE,
        MEMBER,
        Some("MEMBER"),
        Some(TeamRole::Member),
        "service account of the team, also added to the registry, of which it thereby is `member`",
    ),
    persona("o-admin", Some(OrganizationRole::Admin), None, None, "organization admin"),
    persona("site", None, None, None, "site admin who is in no organization"),
];

/// What everybody who can sign in signs in with.
pub const PASSWORD: &str = "correct horse battery";

/// A version that lies where only some may see it.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// Linked as `C:best` into the registry `closed`, which only its members see.
    Closed,
    /// Linked as `C:best` into the registry `open`, which the organization sees.
    Open,
    /// In a project of the team, and nowhere else.
    Team,
    /// In a colleague's personal project.
    Personal,
}

/// The two kinds of registry, as our own schema calls them, as the stage does, and as the rows do.
pub const KINDS: [(&str, &str, &str); 2] =
    [("RESTRICTED", "closed", "a closed registry"), ("ORGANIZATION", "open", "an open registry")];

/// All places, with what the rows call them.
pub const PLACES: [(Place, &str); 4] = [
    (Place::Closed, "in a closed registry"),
    (Place::Open, "in an open registry"),
    (Place::Team, "the team's"),
    (Place::Personal, "a colleague's"),
];

impl Place {
    /// Owner, project and name of the version, as paths name it.
    pub fn path(self) -> [&'static str; 3] {
        match self {
            Self::Closed => ["acme", "wandb-registry-closed", "C"],
            Self::Open => ["acme", "wandb-registry-open", "C"],
            Self::Team => ["alpha", "demo", "team-net"],
            Self::Personal => ["bob", "demo", "own-net"],
        }
    }

    /// What is in the file of the version.
    pub fn content(self) -> String {
        format!("weights {self:?}")
    }
}

/// The people and what stays as it is.
pub struct Stage {
    /// The server.
    pub server: Server,
    /// Admin of `acme` and of `alpha`, who makes what the others try their rights on.
    pub alice: Client,
    /// The site's first admin, who isn't in the table.
    pub root: Client,
    clients: Vec<Client>,
    versions: Vec<(i64, String)>,
    /// A version of `alpha` that is only begun.
    pub begun: String,
    /// URLs that alice got: of a file, of a manifest, and one for an upload.
    pub urls: [String; 4],
}

impl Stage {
    /// Puts everybody into his place.
    pub async fn set() -> Self {
        secret(PASSWORD);
        let server = Server::start().await;
        let (alice, bob, _) = server.people().await;
        let root = server.admin().await;
        let clients = cast(&server, &alice, &root).await;
        for (name, visibility) in [("closed", "RESTRICTED"), ("open", "ORGANIZATION")] {
            let id = alice.make_registry("acme", name, visibility).await;
            for persona in &PERSONAE {
                give(&alice, &id, persona.heading, persona.role).await;
            }
            own(&alice, "registryUpdate", json!({ "id": id, "protectedAliases": ["prod"] })).await.expect_ok();
        }
        let mut versions = Vec::new();
        for (place, _) in PLACES {
            let (who, owner, name) = match place {
                Place::Closed => (&alice, "alpha", "closed-net"),
                Place::Open => (&alice, "alpha", "open-net"),
                Place::Team => (&alice, "alpha", "team-net"),
                Place::Personal => (&bob, "bob", "own-net"),
            };
            let spec = VersionSpec::model(owner, name, place.content().as_bytes());
            let id = who.log(&spec).await.id;
            if matches!(place, Place::Closed | Place::Open) {
                let [organization, registry, collection] = place.path();
                let registry = registry.trim_start_matches("wandb-registry-");
                alice.link(&id, organization, registry, collection, &["best"]).await.expect_ok();
            }
            versions.push((decode_id(&["Artifact"], &id).unwrap(), id));
        }
        let begun = alice.create_version(&VersionSpec::model("alpha", "begun", b"begun"), "matrix").await.ok();
        let begun = begun["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
        let run = "mutation($input: UpsertBucketInput!) { upsertBucket(input: $input) { inserted } }";
        let alices = json!({ "input": { "entityName": "alpha", "modelName": "demo", "name": "run1" } });
        alice.graphql(run, alices).await.expect_ok();
        let urls = urls(&alice, &begun).await;
        for (persona, client) in PERSONAE.iter().zip(&clients).skip(1) {
            let input = json!({ "input": { "entityName": persona.heading, "modelName": "work", "name": "run1" } });
            client.graphql(run, input).await.expect_ok();
        }
        Self { server, alice, root, clients, versions, begun, urls }
    }

    /// `Version:n`.
    pub fn version(&self, place: Place) -> String {
        encode_id("Version", self.versions[place as usize].0)
    }

    /// `Artifact:n`.
    pub fn artifact(&self, place: Place) -> &str {
        &self.versions[place as usize].1
    }
}

/// Everybody's account and place; a client for each column.
async fn cast(server: &Server, alice: &Client, root: &Client) -> Vec<Client> {
    let mut clients = Vec::new();
    for persona in &PERSONAE {
        let name = persona.heading;
        let client = match name {
            "anon" => server.anonymous(),
            MACHINE => {
                let made = own(alice, "serviceAccountCreate", json!({ "team": "alpha", "name": name })).await.ok();
                let key = made["serviceAccountCreate"]["secret"].as_str().unwrap();
                secret(key);
                alice.with_key(key)
            }
            _ => {
                own(root, "userCreate", json!({ "name": name, "siteAdmin": name == "site" })).await.expect_ok();
                own(root, "userSetPassword", json!({ "user": name, "newPassword": PASSWORD })).await.expect_ok();
                if let Some(seat) = persona.seat {
                    server.join("acme", name, seat).await;
                }
                if let Some(place) = persona.place {
                    server.join_team("alpha", name, place).await;
                }
                server.client(name).await
            }
        };
        clients.push(client);
    }
    server.organization("elsewhere", "other").await;
    server.team("acme", "gamma", "alice").await;
    own(root, "userUpdate", json!({ "user": "bob", "email": "bob@acme.test" })).await.expect_ok();
    clients
}

/// Adds somebody to a registry with a role, if there is one.
async fn give(alice: &Client, registry: &str, user: &str, role: Option<&str>) {
    let Some(role) = role else { return };
    own(alice, "registryMemberAdd", json!({ "registry": registry, "users": [user] })).await.expect_ok();
    own(alice, "registryMemberSet", json!({ "registry": registry, "user": user, "role": role })).await.expect_ok();
}

/// URLs of a file, of a manifest, for an upload, and of a run's file.
async fn urls(alice: &Client, begun: &str) -> [String; 4] {
    let text = "{ project(entityName: \"alpha\", name: \"demo\") { artifactCollectionMembership(name: \"team-net:latest\") { \
        files(first: 1) { edges { node { directUrl } } } artifact { currentManifest { file { directUrl } } } } } }";
    let seen = alice.graphql(text, json!({})).await.ok();
    let place = &seen["project"]["artifactCollectionMembership"];
    let create = "mutation { createRunFiles(input: {entityName: \"alpha\", projectName: \"demo\", runName: \"run1\", files: \
        [\"seen.txt\"]}) { files { uploadUrl } } }";
    let created = alice.graphql(create, json!({})).await.ok();
    let upload = created["createRunFiles"]["files"][0]["uploadUrl"].as_str().expect("a URL");
    assert_eq!(alice.put(upload, "seen").await, 200);
    let files =
        "{ project(entityName: \"alpha\", name: \"demo\") { run(name: \"run1\") { files { edges { node { directUrl } } } } } }";
    let run = alice.graphql(files, json!({})).await.ok();
    let announced = alice.announce_files(begun, &[("model.txt".into(), b"begun".to_vec())]).await.ok();
    [
        &place["files"]["edges"][0]["node"]["directUrl"],
        &place["artifact"]["currentManifest"]["file"]["directUrl"],
        &announced["createArtifactFiles"]["files"]["edges"][0]["node"]["uploadUrl"],
        &run["project"]["run"]["files"]["edges"][0]["node"]["directUrl"],
    ]
    .map(|url| url.as_str().expect("a URL").to_owned())
}

/// A registry, team or organization that was made for one cell.
pub struct Fresh {
    /// Its name.
    pub name: String,
    /// Its opaque id, of a registry.
    pub id: String,
    /// Who tries something on it: the cell's caller, or a service account of this team.
    pub by: Cell,
}

/// A version that was logged into a collection of `alpha` and linked into a registry for one cell, as `C:best`.
pub struct Published {
    /// The registry's name.
    pub registry: String,
    /// `Registry:n`.
    id: String,
    /// `Artifact:n`.
    pub version: String,
    /// `ArtifactCollectionMembership:n`.
    pub place: String,
    /// `ArtifactCollection:n`, of the registry's collection.
    pub collection: String,
}

impl Published {
    /// `Collection:n`.
    pub fn native(&self) -> String {
        encode_id("Collection", decode_id(&["ArtifactCollection"], &self.collection).unwrap())
    }
}

/// One caller before one operation. Whatever it makes is called after its number, so no two cells meet.
#[derive(Clone)]
pub struct Cell {
    /// The people and what stays as it is.
    pub stage: Arc<Stage>,
    /// Who asks.
    pub me: Client,
    /// Of the cell.
    pub number: usize,
    persona: usize,
}

impl Cell {
    /// A caller, by the column.
    pub fn new(stage: &Arc<Stage>, persona: usize, number: usize) -> Self {
        Self { stage: stage.clone(), me: stage.clients[persona].clone(), number, persona }
    }

    /// The caller's name; of nobody's account for who is anonymous.
    pub fn name(&self) -> &'static str {
        PERSONAE[self.persona].heading
    }

    /// A name of the cell's own.
    pub fn new_name(&self) -> String {
        format!("x{}", self.number)
    }

    // What is tried -----------------------------------------------------------------------------------------------

    /// A mutation of our own.
    pub async fn own(&self, field: &str, input: Value) -> Outcome {
        let answer = self.me.graphql(&crate::documents::native_mutation(field), json!({ "input": input })).await;
        self.outcome(answer)
    }

    /// A mutation of the W&B protocol, by what it selects.
    pub async fn wire(&self, field: &str, selection: &str, input: Value) -> Outcome {
        let (first, rest) = field.split_at(1);
        let kind = format!("{}{rest}Input", first.to_uppercase());
        let text = format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ {selection} }} }}");
        self.outcome(self.me.graphql(&text, json!({ "input": input })).await)
    }

    fn outcome(&self, answer: Answer) -> Outcome {
        Outcome::of(if answer.errors.is_empty() { "" } else { answer.code() }, answer.message(), Some(answer.request))
    }

    /// A query, and whether there is something at a place of the answer.
    pub async fn query(&self, text: &str, variables: Value, pointer: &str) -> Outcome {
        let answer = self.me.graphql(text, variables).await;
        if answer.errors.is_empty() {
            return Outcome::seen(answer.data.pointer(pointer).is_some_and(|value| !value.is_null()));
        }
        self.outcome(answer)
    }

    /// A query, and whether a text is anywhere in the answer.
    pub async fn holds(&self, text: &str, variables: Value, part: &str) -> Outcome {
        let answer = self.me.graphql(text, variables).await;
        if answer.errors.is_empty() {
            return Outcome::seen(answer.data.to_string().contains(&format!("\"{part}\"")));
        }
        self.outcome(answer)
    }

    /// Any request, with the caller's key.
    pub async fn http(&self, method: &str, path: &str, body: Option<&str>) -> Outcome {
        let reply = self
            .me
            .request(method, path, |mut request| {
                if !self.me.key().is_empty() {
                    request = request.basic_auth("api", Some(self.me.key()));
                }
                match body {
                    Some(body) => request.header("content-type", "application/json").body(body.to_owned()),
                    None => request,
                }
            })
            .await;
        replied(&reply)
    }

    /// Any request as a page of the server's sends it, with a cookie.
    pub async fn browser(&self, method: &str, path: &str, cookie: &str, body: Option<Value>) -> Reply {
        let number = self.number;
        self.me
            .request(method, path, |mut request| {
                // Each cell from an address of its own, so that nobody's failed tries are another's.
                let address = format!("10.0.{}.{}", number / 250, number % 250);
                request = request.header("origin", self.me.url()).header("x-forwarded-for", address);
                if !cookie.is_empty() {
                    request = request.header("cookie", cookie);
                }
                match body {
                    Some(body) => request.json(&body),
                    None => request,
                }
            })
            .await
    }

    /// Signs in with the name and the password.
    pub async fn sign_in(&self) -> Reply {
        self.browser("POST", "/session", "", Some(json!({ "name": self.name(), "password": PASSWORD }))).await
    }

    // What it is tried on -----------------------------------------------------------------------------------------

    /// A new user who is a member of `acme`.
    pub async fn person(&self) -> String {
        let name = self.new_name();
        own(&self.stage.root, "userCreate", json!({ "name": name })).await.expect_ok();
        self.stage.server.join("acme", &name, OrganizationRole::Member).await;
        name
    }

    /// A new API key of somebody's; its id.
    pub async fn key(&self, by: &Client, user: &str) -> Value {
        let made = own(by, "apiKeyCreate", json!({ "user": user })).await.ok();
        secret(made["apiKeyCreate"]["secret"].as_str().unwrap());
        made["apiKeyCreate"]["apiKey"]["id"].clone()
    }

    /// A new registry of `acme` in which the caller has the role of the column.
    pub async fn registry(&self, visibility: &str) -> Fresh {
        let name = self.new_name();
        let id = self.stage.alice.make_registry("acme", &name, visibility).await;
        give(&self.stage.alice, &id, self.name(), PERSONAE[self.persona].role).await;
        Fresh { name, id, by: self.clone() }
    }

    /// A new registry into which the caller may link, if he is in the organization: so that only the right on the version decides.
    /// One of the caller's own, because the link shows the version to all who see the registry.
    pub async fn target(&self) -> Fresh {
        let name = self.new_name();
        let id = self.stage.alice.make_registry("acme", &name, "RESTRICTED").await;
        give(&self.stage.alice, &id, self.name(), PERSONAE[self.persona].seat.map(|_| "MEMBER")).await;
        Fresh { name, id, by: self.clone() }
    }

    /// The same as [`Cell::registry`] with bob as its member.
    pub async fn registry_with_bob(&self, visibility: &str) -> Fresh {
        let registry = self.registry(visibility).await;
        give(&self.stage.alice, &registry.id, "bob", Some("VIEWER")).await;
        registry
    }

    /// The same with the team `gamma`, in which nobody of the table is, as its member.
    pub async fn registry_with_gamma(&self, visibility: &str) -> Fresh {
        let registry = self.registry(visibility).await;
        let input = json!({ "registry": registry.id, "teams": ["gamma"] });
        own(&self.stage.alice, "registryMemberAdd", input).await.expect_ok();
        registry
    }

    /// A new team of `acme` in which the caller has the place of the column.
    pub async fn team(&self) -> Fresh {
        let alice = &self.stage.alice;
        let name = format!("team{}", self.number);
        own(alice, "teamCreate", json!({ "organization": "acme", "name": name, "admin": "alice" })).await.expect_ok();
        let mut by = self.clone();
        match PERSONAE[self.persona].place {
            Some(_) if self.name() == MACHINE => {
                let input = json!({ "team": name, "name": format!("machine{}", self.number) });
                let made = own(alice, "serviceAccountCreate", input).await.ok();
                let key = made["serviceAccountCreate"]["secret"].as_str().unwrap();
                secret(key);
                by.me = alice.with_key(key);
            }
            Some(place) => self.stage.server.join_team(&name, self.name(), place).await,
            None => {}
        }
        Fresh { name, id: String::new(), by }
    }

    /// The same with bob as its member.
    pub async fn team_with_bob(&self) -> Fresh {
        let team = self.team().await;
        self.stage.server.join_team(&team.name, "bob", TeamRole::Member).await;
        team
    }

    /// A service account of a team that isn't the caller; its name.
    pub async fn service_account(&self, team: &str) -> String {
        let name = format!("spare{}", self.number);
        let made = own(&self.stage.alice, "serviceAccountCreate", json!({ "team": team, "name": name })).await.ok();
        secret(made["serviceAccountCreate"]["secret"].as_str().unwrap());
        name
    }

    /// A new organization with the caller on the seat of the column. A service account is in no other than its own, which is
    /// here for it: it may not change it anyway.
    pub async fn organization(&self) -> Fresh {
        let by = self.clone();
        if self.name() == MACHINE {
            return Fresh { name: "acme".into(), id: String::new(), by };
        }
        let name = self.stage.server.organization(&format!("org{}", self.number), "alice").await;
        if let Some(seat) = PERSONAE[self.persona].seat {
            self.stage.server.join(&name, self.name(), seat).await;
        }
        Fresh { name, id: String::new(), by }
    }

    /// A new version of `alpha`, the only one of a collection with the cell's name; its `Artifact:n`.
    pub async fn logged(&self) -> String {
        let name = self.new_name();
        self.stage.alice.log(&VersionSpec::model("alpha", &name, name.as_bytes())).await.id
    }

    /// A new version, published in a new registry in which the caller has the role of the column; the collection has a tag `old`.
    pub async fn published(&self, visibility: &str) -> Published {
        let registry = self.registry(visibility).await;
        let version = self.logged().await;
        let linked = self.stage.alice.link(&version, "acme", &registry.name, "C", &["best"]).await.ok();
        let place = linked["linkArtifact"]["artifactMembership"]["id"].as_str().unwrap().to_owned();
        let select = format!(
            "select c.id from collections c join projects p on p.id = c.project_id where p.kind = 'registry' and p.name = '{}'",
            registry.name
        );
        let collection = self.id("ArtifactCollection", &select).await;
        let published = Published { registry: registry.name, id: registry.id, version, place, collection };
        own(&self.stage.alice, "collectionUpdate", json!({ "collection": published.native(), "addTags": ["old"] }))
            .await
            .expect_ok();
        published
    }

    /// Protects an alias of the registry that something was published in.
    pub async fn protect(&self, published: &Published, alias: &str) {
        own(&self.stage.alice, "registryUpdate", json!({ "id": published.id, "protectedAliases": [alias] })).await.expect_ok();
    }

    /// A new version of `alpha` without files, begun by alice; its `Version:n`.
    pub async fn begun(&self) -> String {
        let input =
            json!({ "entity": "alpha", "project": "demo", "collection": self.new_name(), "typeName": "model", "files": [] });
        let begun = own(&self.stage.alice, "versionBegin", input).await.ok();
        begun["versionBegin"]["version"]["id"].as_str().unwrap().to_owned()
    }

    /// The id of the W&B protocol for a number of ours, such as `Artifact` for `Version`.
    pub fn other_id(&self, from: &str, to: &str, id: &str) -> String {
        encode_id(to, decode_id(&[from], id).unwrap())
    }

    /// The id of the W&B protocol of a row.
    pub async fn id(&self, kind: &str, select: &str) -> String {
        encode_id(kind, self.stage.server.number(select).await)
    }

    /// The same of a user or team.
    pub async fn account(&self, kind: &str, name: &str) -> String {
        self.id(kind, &format!("select id from entities where name = '{name}'")).await
    }
}

/// The outcome of a request that isn't GraphQL.
pub fn replied(reply: &Reply) -> Outcome {
    let code = match reply.status {
        200..=399 => "",
        400 => "INVALID",
        401 => "UNAUTHENTICATED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        other => panic!("the status {other} says nothing of rights: {}", reply.text()),
    };
    Outcome { request: None, ..Outcome::of(code, &reply.message(), None) }
}
