//! Demo data: an organization `demo` with people, teams, registries and as many versions as asked for. Everything but the mass of
//! collections and versions is made by the ordinary use-cases, so that it is what they would make; that mass is written by set
//! (`regalia_store::demo`), in one transaction. A broken-off load is taken up again by the next. What must not live here: a door
//! to it, for only whoever has the database loads demo data.

use bytes::Bytes;
use chrono::TimeDelta;
use regalia_domain::alias::ProtectedAliases;
use regalia_domain::digest::Md5;
use regalia_domain::ids::{OrganizationId, UserId};
use regalia_domain::names::{ArtifactTypeName, DisplayName, EntityName, ProjectName, RegistryName, SourceCollectionName};
use regalia_domain::paths::EntryPath;
use regalia_domain::roles::{OrganizationRole, RegistryRole, TeamRole, Visibility};
use regalia_domain::ttl::Ttl;
use regalia_store::access::{ProjectKind, ProjectRow};
use regalia_store::registry_members::{MemberKind, Named};
use regalia_store::{accounts, demo};
use uuid::Uuid;

use crate::registries::RegistryFields;
use crate::upload_plan::PlannedFile;
use crate::versions::NewVersion;
use crate::{Error, Request, Result, Service};

/// The organization's name.
pub const ORGANIZATION: &str = "demo";

/// The teams, each with the projects of [`PROJECTS`].
const TEAMS: [&str; 6] = ["demo-vision", "demo-speech", "demo-language", "demo-search", "demo-fraud", "demo-forecast"];

/// The people, who may be there already.
const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

/// The number of all requests of all loads. By it a load knows the organization that an earlier one made.
const LOADER: Uuid = Uuid::from_bytes(*b"regalia demodata");

const PROJECTS: [&str; 4] = ["research", "training", "evaluation", "serving"];

/// How many different contents the versions have.
const CONTENTS: usize = 16;

/// The source collection whose versions the others take their content from.
const CONTENTS_COLLECTION: &str = "contents";

/// A statement writes about so many versions: seconds of work, far below its time limit.
const PIECE: i32 = 5000;

/// The most versions of a collection, and the most that the first has beside them: a collection is written by one statement.
const LINE: u32 = 20_000;

/// How much demo data.
#[derive(Debug, Clone, Copy)]
pub struct DemoSize {
    /// Registries of the organization.
    pub registries: u32,
    /// Registry collections, evenly over the registries; each has a source collection, whose versions are linked into it.
    pub collections: u32,
    /// Versions. The first collection has a twentieth of them, but no more than 20,000, beside its share.
    pub versions: u32,
}

impl DemoSize {
    /// What a registry of this kind is measured with.
    pub const DEFAULT: Self = Self { registries: 200, collections: 10_000, versions: 200_000 };
    /// The most that is loaded.
    pub const MOST: Self = Self { registries: 10_000, collections: 1_000_000, versions: 10_000_000 };

    fn check(self) -> Result<()> {
        let Self { registries, collections, versions } = self;
        let most = Self::MOST;
        if registries == 0 || registries > most.registries || collections > most.collections || versions > most.versions {
            return Err(Error::Invalid(format!(
                "The demo data can't have this size: give 1 to {} registries, at most {} collections and at most {} versions.",
                most.registries, most.collections, most.versions
            )));
        }
        if collections < registries || versions < collections || versions.div_ceil(collections) > LINE {
            return Err(Error::Invalid(format!(
                "The demo data can't have this size: give at least as many collections as registries, and from 1 to {LINE} versions \
                 for each collection."
            )));
        }
        Ok(())
    }
}

/// How far a load is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What is being made.
    pub what: &'static str,
    /// How many are.
    pub done: u32,
    /// How many shall be.
    pub of: u32,
}

/// What was loaded, for whoever wants to look.
#[derive(Debug)]
pub struct Loaded {
    /// The site administrator's name, who is an admin of the organization too.
    pub administrator: String,
    /// A registry.
    pub registry: String,
}

impl Service {
    /// Loads demo data, and tells of its progress.
    ///
    /// # Errors
    /// `Conflict`, before anything is changed, when there is demo data already, or a name is taken; `Invalid` for sizes.
    pub async fn load_demo(&self, size: DemoSize, mut tell: impl FnMut(Progress)) -> Result<Loaded> {
        size.check()?;
        let id = {
            let mut connection = self.store.read().await?;
            demo::administrator(&mut connection).await?
        };
        let id =
            id.ok_or_else(|| Error::Conflict("There is no site administrator yet. Start the server once, then load.".into()))?;
        let admin = self.demo_request(id).await?;
        let place = self.demo_place().await?;
        let people = self.demo_people(&admin).await?;
        let [publisher, author, _] = people;
        let organization = self.demo_organization(&admin, place, people).await?;
        let alice = self.demo_request(publisher).await?;
        let projects = self.demo_teams(&alice, author).await?;
        let contents = self.demo_contents(&alice, &projects[0]).await?;
        let mut registries = Vec::new();
        for number in 0..size.registries {
            registries.push(self.demo_registry(&alice, number).await?);
            tell(Progress { what: "registries", done: number + 1, of: size.registries });
        }

        let long = (size.versions / 20).min(LINE);
        let (long, each) =
            if size.versions - long < size.collections { (0, size.versions) } else { (long, size.versions - long) };
        // All are below `DemoSize::MOST`.
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let rows = demo::Demo {
            organization,
            registries: registries.iter().map(|row| row.id.0).collect(),
            projects: projects.iter().map(|row| row.id.0).collect(),
            contents,
            publisher,
            author,
            request: admin.id,
            began: self.clock.now() - TimeDelta::days(365),
            each: number(each / size.collections),
            one_more: number(each % size.collections),
            long: number(long),
        };
        self.demo_versions(&rows, number(size.collections), size.versions, &mut tell).await?;
        let mut connection = self.store.read().await?;
        demo::analyze(&mut connection).await?;
        // Of the first line.
        let registry = registries.first().map(|row| row.name.clone()).unwrap_or_default();
        Ok(Loaded { administrator: admin.caller()?.name.clone(), registry })
    }

    /// A request of a user, as no client sent it.
    async fn demo_request(&self, user: UserId) -> Result<Request> {
        let mut connection = self.store.read().await?;
        let caller = accounts::actor(&mut connection, user).await?.ok_or(regalia_store::Error::NotFound)?;
        Ok(Request { caller: Some(caller), id: LOADER, base_url: String::new() })
    }

    /// The organization, if a load that was broken off made it. Whatever else has a name that is needed stays as it is, and so
    /// nothing is loaded: but for people, who may have been there before.
    async fn demo_place(&self) -> Result<Option<OrganizationId>> {
        let names: Vec<&str> = [ORGANIZATION].into_iter().chain(TEAMS).chain(PEOPLE).collect();
        let mut connection = self.store.read().await?;
        let holders = demo::holders(&mut connection, &names, LOADER).await?;
        let own = holders.iter().find(|row| row.loaded && row.name == ORGANIZATION).map(|row| row.id);
        for row in &holders {
            let name = row.name.as_str();
            let (fits, what) = match row.kind.as_str() {
                "organization" => (own == Some(row.id), "an organization that no load of demo data made"),
                "team" => (own.is_some() && own == row.organization && TEAMS.contains(&name), "a team of another organization"),
                _ if row.service_account => (false, "a service account"),
                _ => (PEOPLE.contains(&name), "a user"),
            };
            if !fits {
                return Err(Error::Conflict(format!(
                    "The demo data needs the name \"{name}\", and {what} has it. Nothing was changed. Load it into another installation."
                )));
            }
        }
        let own = own.map(OrganizationId);
        if let Some(id) = own
            && demo::is_filled(&mut connection, id).await?
        {
            return Err(Error::Conflict(format!(
                "There is demo data already: the organization \"{ORGANIZATION}\" has collections. Nothing was added."
            )));
        }
        Ok(own)
    }

    /// Alice, who publishes, and bob, who logs; and carol. Who is there already takes part as he is.
    async fn demo_people(&self, admin: &Request) -> Result<[UserId; PEOPLE.len()]> {
        let mut people = [UserId(0); PEOPLE.len()];
        for (person, name) in people.iter_mut().zip(PEOPLE) {
            *person = match self.user(admin.caller()?, name).await {
                Err(Error::NotFound(_)) => self.create_user(admin, &EntityName::parse(name)?, None, false, None).await?.id,
                known => known?.id,
            };
        }
        Ok(people)
    }

    /// The organization with its members. Who is in it already keeps his role: people may have changed it meanwhile.
    async fn demo_organization(
        &self,
        admin: &Request,
        place: Option<OrganizationId>,
        [alice, bob, carol]: [UserId; PEOPLE.len()],
    ) -> Result<OrganizationId> {
        let caller = admin.caller()?;
        let id = match place {
            Some(id) => id,
            None => {
                let made =
                    self.create_organization(admin, &DisplayName::parse(ORGANIZATION)?, &EntityName::parse("alice")?).await?;
                if made.name != ORGANIZATION {
                    return Err(Error::Conflict(format!(
                        "The name \"{ORGANIZATION}\" has just been taken. Load the demo data into another installation."
                    )));
                }
                made.id
            }
        };
        let roles = [
            (alice, "alice", OrganizationRole::Admin),
            (bob, "bob", OrganizationRole::Member),
            (carol, "carol", OrganizationRole::Viewer),
            // So that whoever has the installation's first key sees something.
            (caller.user, caller.name.as_str(), OrganizationRole::Admin),
        ];
        let present = {
            let mut connection = self.store.read().await?;
            demo::members(&mut connection, ORGANIZATION, &roles.map(|(user, ..)| user.0)).await?
        };
        for (user, name, role) in roles {
            if !present.contains(&user.0) {
                self.set_organization_member(admin, ORGANIZATION, &EntityName::parse(name)?, role).await?;
            }
        }
        Ok(id)
    }

    /// The teams; returns their projects.
    async fn demo_teams(&self, alice: &Request, author: UserId) -> Result<Vec<ProjectRow>> {
        let (caller, first, bob) = (alice.caller()?, EntityName::parse("alice")?, EntityName::parse("bob")?);
        let mut projects = Vec::new();
        for name in TEAMS {
            let team = EntityName::parse(name)?;
            if let Err(Error::NotFound(_)) = self.team(caller, name).await {
                self.create_team(alice, ORGANIZATION, &team, &first).await?;
            }
            let absent = {
                let mut connection = self.store.read().await?;
                demo::members(&mut connection, name, &[author.0]).await?.is_empty()
            };
            if absent {
                self.set_team_member(alice, &team, &bob, TeamRole::Member).await?;
            }
            for project in PROJECTS {
                projects.push(self.upsert_project(alice, &team, &ProjectName::parse(project)?, None).await?.0);
            }
        }
        Ok(projects)
    }

    /// What the versions hold: versions that are logged like any other.
    async fn demo_contents(&self, alice: &Request, project: &ProjectRow) -> Result<Vec<demo::ContentRow>> {
        let known = {
            let mut connection = self.store.read().await?;
            demo::contents(&mut connection, project.id, CONTENTS_COLLECTION).await?
        };
        for number in known.len()..CONTENTS {
            let bytes = Bytes::from(format!("Content number {number} of the demo data.\n").repeat(20 + number));
            let new = NewVersion {
                entity: EntityName::parse(&project.entity_name)?,
                project: ProjectName::parse(&project.name)?,
                collection: SourceCollectionName::parse(CONTENTS_COLLECTION)?,
                type_name: ArtifactTypeName::parse("model")?,
                run: None,
                digest: Md5::of(&[]),
                description: None,
                metadata: None,
                aliases: Vec::new(),
                ttl: Ttl::INHERIT,
                history_step: None,
                tags: Vec::new(),
                client_id: None,
                deduplicate: true,
                distributed_id: None,
            };
            let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
            let file = PlannedFile { path: EntryPath::parse("content.txt")?, md5: Md5::of(&bytes), size };
            let plan = self.plan_version(alice, new, vec![file]).await?;
            for (_, target) in plan.uploads {
                self.send(alice, target, bytes.clone()).await?;
            }
            self.commit_version(alice, plan.version).await?;
        }
        let mut connection = self.store.read().await?;
        Ok(demo::contents(&mut connection, project.id, CONTENTS_COLLECTION).await?)
    }

    /// A registry by its number: some restricted, some with a list of types, some with a protected alias; bob and teams are
    /// members.
    async fn demo_registry(&self, alice: &Request, number: u32) -> Result<ProjectRow> {
        let area = TEAMS[number as usize % TEAMS.len()];
        let name = RegistryName::parse(&format!("{}-{number:03}", area.trim_start_matches("demo-")))?;
        match self.project(alice.caller()?, ORGANIZATION, ProjectKind::Registry, name.as_str()).await {
            Err(Error::NotFound(_)) => {}
            known => return known,
        }
        let types = [ArtifactTypeName::parse("dataset")?, ArtifactTypeName::parse("model")?];
        let fields = RegistryFields {
            description: Some(format!("Registry {number} of the demo data.")),
            visibility: Some(if (number + 1).is_multiple_of(4) { Visibility::Restricted } else { Visibility::Organization }),
            types: number.is_multiple_of(3).then(|| types.to_vec()),
            ..RegistryFields::default()
        };
        let registry = self.create_registry(alice, ORGANIZATION, &name, &fields).await?;
        let mut members = vec![(MemberKind::Team, Named::Name(area.to_owned()))];
        if number.is_multiple_of(2) {
            members.push((MemberKind::User, Named::Name("bob".to_owned())));
        }
        self.add_registry_members(alice, registry.id, &members).await?;
        if number.is_multiple_of(2) {
            let bob = (MemberKind::User, Named::Name("bob".to_owned()));
            self.set_registry_member(alice, registry.id, bob, RegistryRole::Member).await?;
        }
        if number.is_multiple_of(5) {
            let protected = ProtectedAliases::parse(["production"].into_iter())?;
            let fields = RegistryFields { protected_aliases: Some(protected), ..RegistryFields::default() };
            self.update_registry(alice, registry.id, &fields).await?;
        }
        Ok(registry)
    }

    /// All collections and versions, or none.
    async fn demo_versions(&self, rows: &demo::Demo, lines: i32, of: u32, tell: &mut impl FnMut(Progress)) -> Result<()> {
        let mut tx = self.begin().await?;
        demo::prepare(&mut tx, rows).await?;
        let (mut line, mut done) = (0, 0);
        while line < lines {
            // The first line is long.
            let next = if line == 0 { 1 } else { (line + (PIECE / (rows.each + 1)).max(1)).min(lines) };
            done += demo::fill(&mut tx, rows, line..next).await?;
            tell(Progress { what: "versions", done: u32::try_from(done).unwrap_or(of), of });
            line = next;
        }
        Ok(regalia_store::commit(tx).await?)
    }
}
