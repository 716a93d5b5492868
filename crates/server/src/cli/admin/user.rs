//! `regalia admin user`.

use clap::Subcommand;
use serde_json::{Map, json};

use super::client::Server;
use super::{fields, listed};
use crate::cli::{Failure, Outcome};

const COLUMNS: &[(&str, &str)] = &[
    ("name", "/name"),
    ("display_name", "/displayName"),
    ("email", "/email"),
    ("site_admin", "/siteAdmin"),
    ("service_account", "/serviceAccount"),
    ("default_entity", "/defaultEntity"),
    ("created_at", "/createdAt"),
];

#[derive(Subcommand)]
pub(super) enum User {
    /// Make an account; give it a key with `key create --user NAME`
    Create {
        /// Letters, digits, `_`, `.` or `-`
        name: String,
        /// Email address, by which the user can also sign in
        #[arg(long)]
        email: Option<String>,
        /// Let the user manage all accounts and organizations
        #[arg(long)]
        admin: bool,
    },
    /// List all accounts
    List,
    /// Delete an account with its keys and memberships; one that still owns something only with --force
    Delete {
        /// The user
        name: String,
        /// Delete also all that it holds, for ever, whatever is linked under protected aliases
        #[arg(long)]
        force: bool,
    },
    /// Change what people call a user, the email address, or where runs go that name no entity
    Update {
        /// The user
        name: String,
        /// What people call the user; empty: the name
        #[arg(long, value_name = "NAME", required_unless_present_any = ["email", "default_entity"])]
        display_name: Option<String>,
        /// Email address; empty: none
        #[arg(long)]
        email: Option<String>,
        /// Where runs go that name no entity: the user or one of the user's teams
        #[arg(long, value_name = "NAME")]
        default_entity: Option<String>,
    },
    /// Read a password for signing in with a browser from standard input, and end the user's sessions
    SetPassword {
        /// The user
        name: String,
    },
}

impl User {
    pub(super) async fn run(self, server: &Server) -> Result<Outcome, Failure> {
        match self {
            Self::Create { name, email, admin } => {
                let document = "mutation ($input: UserCreateInput!) {
                    userCreate(input: $input) { user { name displayName email siteAdmin serviceAccount defaultEntity createdAt } }
                }";
                let input = json!({ "input": { "name": name, "email": email, "siteAdmin": admin } });
                let data = server.execute(document, input).await?;
                let user = fields(&data["userCreate"]["user"], COLUMNS);
                Ok(Outcome::done(user, format!("Made the user {name}. `regalia admin key create --user {name}` makes a key.")))
            }
            Self::List => {
                let document = "query ($first: Int, $after: String) {
                    users(first: $first, after: $after) {
                        nodes { name displayName email siteAdmin serviceAccount defaultEntity createdAt } pageInfo { hasNextPage endCursor }
                    }
                }";
                let rows = server.all(document, "/users", Map::new()).await?.unwrap_or_default();
                Ok(listed(&rows, COLUMNS))
            }
            Self::Delete { name, force } => {
                let document = "mutation ($input: UserDeleteInput!) { userDelete(input: $input) { name } }";
                server.execute(document, json!({ "input": { "name": name, "force": force } })).await?;
                Ok(Outcome::done(json!({ "name": name }), format!("Deleted the user {name}.")))
            }
            Self::Update { name, display_name, email, default_entity } => {
                let document = "mutation ($input: UserUpdateInput!) {
                    userUpdate(input: $input) {
                        user { name displayName email siteAdmin serviceAccount defaultEntity createdAt }
                    }
                }";
                let mut input = json!({ "user": name, "defaultEntity": default_entity });
                for (field, value) in [("displayName", display_name), ("email", email)] {
                    if let Some(value) = value {
                        input[field] = if value.is_empty() { serde_json::Value::Null } else { value.into() };
                    }
                }
                let data = server.execute(document, json!({ "input": input })).await?;
                let user = fields(&data["userUpdate"]["user"], COLUMNS);
                Ok(Outcome::done(user, format!("Changed the user {name}.")))
            }
            Self::SetPassword { name } => {
                let document = "mutation ($input: UserSetPasswordInput!) { userSetPassword(input: $input) { user { name } } }";
                let input = json!({ "user": name, "newPassword": super::secret()? });
                server.execute(document, json!({ "input": input })).await?;
                Ok(Outcome::done(json!({ "name": name }), format!("Set the password of {name}.")))
            }
        }
    }
}
