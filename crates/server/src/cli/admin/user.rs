//! `regalia admin user`.

use clap::Subcommand;
use serde_json::{Map, json};

use super::client::Server;
use super::{fields, listed};
use crate::cli::{Failure, Outcome};

const COLUMNS: &[(&str, &str)] = &[
    ("name", "/name"),
    ("email", "/email"),
    ("site_admin", "/siteAdmin"),
    ("default_entity", "/defaultEntity"),
    ("created_at", "/createdAt"),
];

#[derive(Subcommand)]
pub(super) enum User {
    /// Make an account; give it a key with `key create --user NAME`
    Create {
        /// Letters, digits, `_`, `.` or `-`
        name: String,
        /// Email address, only shown
        #[arg(long)]
        email: Option<String>,
        /// Let the user manage all accounts and organizations
        #[arg(long)]
        admin: bool,
    },
    /// List all accounts
    List,
    /// Delete an account with its keys and memberships
    Delete {
        /// The user
        name: String,
    },
    /// Set where a user's runs go that name no entity
    SetDefaultEntity {
        /// The user
        user: String,
        /// The user himself or one of his teams
        entity: String,
    },
}

impl User {
    pub(super) async fn run(self, server: &Server) -> Result<Outcome, Failure> {
        match self {
            Self::Create { name, email, admin } => {
                let document = "mutation ($input: UserCreateInput!) {
                    userCreate(input: $input) { user { name email siteAdmin defaultEntity createdAt } }
                }";
                let input = json!({ "input": { "name": name, "email": email, "siteAdmin": admin } });
                let data = server.execute(document, input).await?;
                let user = fields(&data["userCreate"]["user"], COLUMNS);
                Ok(Outcome::done(user, format!("Made the user {name}. `regalia admin key create --user {name}` makes a key.")))
            }
            Self::List => {
                let document = "query ($first: Int, $after: String) {
                    users(first: $first, after: $after) {
                        nodes { name email siteAdmin defaultEntity createdAt } pageInfo { hasNextPage endCursor }
                    }
                }";
                let rows = server.all(document, "/users", Map::new()).await?.unwrap_or_default();
                Ok(listed(&rows, COLUMNS))
            }
            Self::Delete { name } => {
                let document = "mutation ($input: UserDeleteInput!) { userDelete(input: $input) { name } }";
                server.execute(document, json!({ "input": { "name": name } })).await?;
                Ok(Outcome::done(json!({ "name": name }), format!("Deleted the user {name}.")))
            }
            Self::SetDefaultEntity { user, entity } => {
                let document = "mutation ($input: UserSetDefaultEntityInput!) {
                    userSetDefaultEntity(input: $input) { user { name email siteAdmin defaultEntity createdAt } }
                }";
                let data = server.execute(document, json!({ "input": { "user": user, "entity": entity } })).await?;
                let row = fields(&data["userSetDefaultEntity"]["user"], COLUMNS);
                Ok(Outcome::done(row, format!("The default entity of {user} is {entity}.")))
            }
        }
    }
}
