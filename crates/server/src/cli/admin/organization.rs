//! `regalia admin org`.

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, json};

use super::client::Server;
use super::{MEMBER_COLUMNS, fields, listed, missing};
use crate::cli::{Failure, Outcome};

const COLUMNS: &[(&str, &str)] = &[("entity_name", "/entityName"), ("display_name", "/name"), ("created_at", "/createdAt")];

/// What a member may do in an organization.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Role {
    /// Reads only
    Viewer,
    /// Works in teams and creates registries
    Member,
    /// Manages the organization
    Admin,
}

impl Role {
    fn graphql(self) -> &'static str {
        match self {
            Self::Viewer => "VIEWER",
            Self::Member => "MEMBER",
            Self::Admin => "ADMIN",
        }
    }
}

/// Who creates an organization's registries.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Creation {
    /// Members and admins
    Members,
    /// Admins only
    Admins,
}

#[derive(Subcommand)]
pub(super) enum Organization {
    /// Make an organization
    Create {
        /// What people call it; its entity name is the same where that fits and is free
        name: String,
        /// The user who is its first admin
        #[arg(long, value_name = "USER")]
        admin: String,
    },
    /// List all organizations
    List,
    /// Change what people call an organization, or who creates its registries
    Update {
        /// Entity name or display name
        name: String,
        /// What people call it; the entity name stays
        #[arg(long, value_name = "NAME", required_unless_present = "registry_creation")]
        display_name: Option<String>,
        /// Who creates its registries
        #[arg(long, value_enum)]
        registry_creation: Option<Creation>,
    },
    /// Delete an organization; one that still owns something only with --force
    Delete {
        /// Entity name or display name
        name: String,
        /// Delete also all that it holds, for ever, whatever is linked under protected aliases
        #[arg(long)]
        force: bool,
    },
    /// List an organization's members
    Members {
        /// Entity name or display name
        name: String,
    },
    /// Add a user, or change a member's role
    AddMember {
        /// Entity name or display name
        org: String,
        /// The user
        user: String,
        /// The role
        #[arg(long, value_enum, default_value = "member")]
        role: Role,
    },
    /// Remove a user, also from the organization's teams and registries
    RemoveMember {
        /// Entity name or display name
        org: String,
        /// The user
        user: String,
    },
}

impl Organization {
    pub(super) async fn run(self, server: &Server) -> Result<Outcome, Failure> {
        match self {
            Self::Create { name, admin } => {
                let document = "mutation ($input: OrganizationCreateInput!) {
                    organizationCreate(input: $input) { organization { entityName name createdAt } }
                }";
                let data = server.execute(document, json!({ "input": { "displayName": name, "admin": admin } })).await?;
                let row = fields(&data["organizationCreate"]["organization"], COLUMNS);
                let entity = super::text(&row, "/entity_name");
                Ok(Outcome::done(row, format!("Made the organization \"{name}\". Its entity name is {entity}.")))
            }
            Self::List => {
                let document = "query ($first: Int, $after: String) {
                    organizations(first: $first, after: $after) {
                        nodes { entityName name createdAt } pageInfo { hasNextPage endCursor }
                    }
                }";
                let rows = server.all(document, "/organizations", Map::new()).await?.unwrap_or_default();
                Ok(listed(&rows, COLUMNS))
            }
            Self::Update { name, display_name, registry_creation } => {
                let document = "mutation ($input: OrganizationUpdateInput!) {
                    organizationUpdate(input: $input) { organization { entityName name createdAt } }
                }";
                let creation = registry_creation.map(|who| match who {
                    Creation::Members => "MEMBERS",
                    Creation::Admins => "ADMINS",
                });
                let input = json!({ "organization": name, "displayName": display_name, "registryCreation": creation });
                let data = server.execute(document, json!({ "input": input })).await?;
                let row = fields(&data["organizationUpdate"]["organization"], COLUMNS);
                Ok(Outcome::done(row, format!("Changed the organization \"{name}\".")))
            }
            Self::Members { name } => {
                let document = "query ($name: String!, $first: Int, $after: String) {
                    organization(name: $name) {
                        members(first: $first, after: $after) {
                            nodes { role user { name displayName serviceAccount } } pageInfo { hasNextPage endCursor }
                        }
                    }
                }";
                let mut variables = Map::new();
                variables.insert("name".into(), name.as_str().into());
                let rows = server.all(document, "/organization/members", variables).await?;
                Ok(listed(&rows.ok_or_else(|| missing("organization", &name))?, MEMBER_COLUMNS))
            }
            Self::Delete { name, force } => {
                let document = "mutation ($input: OrganizationDeleteInput!) { organizationDelete(input: $input) { entityName } }";
                let data = server.execute(document, json!({ "input": { "organization": name, "force": force } })).await?;
                let row = fields(&data["organizationDelete"], &[("entity_name", "/entityName")]);
                Ok(Outcome::done(row, format!("Deleted the organization \"{name}\".")))
            }
            Self::AddMember { org, user, role } => {
                let document = "mutation ($input: OrganizationMemberSetInput!) {
                    organizationMemberSet(input: $input) { organization { entityName } }
                }";
                let role = role.graphql();
                let input = json!({ "input": { "organization": org, "user": user, "role": role } });
                let data = server.execute(document, input).await?;
                let entity = super::text(&data, "/organizationMemberSet/organization/entityName");
                let role = role.to_lowercase();
                let text = format!("{user} is {role} of the organization {entity}.");
                Ok(Outcome::done(json!({ "organization": entity, "user": user, "role": role }), text))
            }
            Self::RemoveMember { org, user } => {
                let document = "mutation ($input: OrganizationMemberRemoveInput!) {
                    organizationMemberRemove(input: $input) { organization { entityName } }
                }";
                let data = server.execute(document, json!({ "input": { "organization": org, "user": user } })).await?;
                let entity = super::text(&data, "/organizationMemberRemove/organization/entityName");
                let text = format!("Removed {user} from the organization {entity}.");
                Ok(Outcome::done(json!({ "organization": entity, "user": user }), text))
            }
        }
    }
}
