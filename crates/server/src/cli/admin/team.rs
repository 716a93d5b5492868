//! `regalia admin team`.

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, json};

use super::client::Server;
use super::{MEMBER_COLUMNS, fields, listed, missing};
use crate::cli::{Failure, Outcome};

const COLUMNS: &[(&str, &str)] = &[("name", "/name"), ("organization", "/organization/entityName"), ("created_at", "/createdAt")];

/// What a member may do in a team.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Role {
    /// Reads and writes in the team's projects
    Member,
    /// Also manages the team
    Admin,
}

impl Role {
    fn graphql(self) -> &'static str {
        match self {
            Self::Member => "MEMBER",
            Self::Admin => "ADMIN",
        }
    }
}

#[derive(Subcommand)]
pub(super) enum Team {
    /// Make a team
    Create {
        /// Letters, digits, `_`, `.` or `-`
        name: String,
        /// Entity name or display name of its organization
        #[arg(long, value_name = "ORG")]
        org: String,
        /// The organization's member who is its first admin
        #[arg(long, value_name = "USER")]
        admin: String,
    },
    /// List all teams
    List,
    /// Delete a team; one that still owns something only with --force
    Delete {
        /// The team
        name: String,
        /// Delete also all that it holds, for ever, whatever is linked under protected aliases
        #[arg(long)]
        force: bool,
    },
    /// List a team's members
    Members {
        /// The team
        name: String,
    },
    /// Add a member of the organization, or change a member's role
    AddMember {
        /// The team
        team: String,
        /// The user
        user: String,
        /// The role
        #[arg(long, value_enum, default_value = "member")]
        role: Role,
    },
    /// Remove a user
    RemoveMember {
        /// The team
        team: String,
        /// The user
        user: String,
    },
}

impl Team {
    pub(super) async fn run(self, server: &Server) -> Result<Outcome, Failure> {
        match self {
            Self::Create { name, org, admin } => {
                let document = "mutation ($input: TeamCreateInput!) {
                    teamCreate(input: $input) { team { name organization { entityName } createdAt } }
                }";
                let input = json!({ "input": { "name": name, "organization": org, "admin": admin } });
                let data = server.execute(document, input).await?;
                let row = fields(&data["teamCreate"]["team"], COLUMNS);
                let organization = super::text(&row, "/organization");
                Ok(Outcome::done(row, format!("Made the team {name} of the organization {organization}.")))
            }
            Self::List => {
                let document = "query ($first: Int, $after: String) {
                    teams(first: $first, after: $after) {
                        nodes { name organization { entityName } createdAt } pageInfo { hasNextPage endCursor }
                    }
                }";
                let rows = server.all(document, "/teams", Map::new()).await?.unwrap_or_default();
                Ok(listed(&rows, COLUMNS))
            }
            Self::Delete { name, force } => {
                let document = "mutation ($input: TeamDeleteInput!) { teamDelete(input: $input) { name } }";
                server.execute(document, json!({ "input": { "team": name, "force": force } })).await?;
                Ok(Outcome::done(json!({ "name": name }), format!("Deleted the team {name}.")))
            }
            Self::Members { name } => {
                let document = "query ($name: String!, $first: Int, $after: String) {
                    team(name: $name) {
                        members(first: $first, after: $after) {
                            nodes { role user { name displayName serviceAccount } } pageInfo { hasNextPage endCursor }
                        }
                    }
                }";
                let mut variables = Map::new();
                variables.insert("name".into(), name.as_str().into());
                let rows = server.all(document, "/team/members", variables).await?;
                Ok(listed(&rows.ok_or_else(|| missing("team", &name))?, MEMBER_COLUMNS))
            }
            Self::AddMember { team, user, role } => {
                let document = "mutation ($input: TeamMemberSetInput!) { teamMemberSet(input: $input) { team { name } } }";
                let role = role.graphql();
                server.execute(document, json!({ "input": { "team": team, "user": user, "role": role } })).await?;
                let role = role.to_lowercase();
                let text = format!("{user} is {role} of the team {team}.");
                Ok(Outcome::done(json!({ "team": team, "user": user, "role": role }), text))
            }
            Self::RemoveMember { team, user } => {
                let document = "mutation ($input: TeamMemberRemoveInput!) { teamMemberRemove(input: $input) { team { name } } }";
                server.execute(document, json!({ "input": { "team": team, "user": user } })).await?;
                let text = format!("Removed {user} from the team {team}.");
                Ok(Outcome::done(json!({ "team": team, "user": user }), text))
            }
        }
    }
}
