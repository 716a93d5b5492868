//! `regalia admin service-account`. Further keys of one come from `key create`; `user delete` ends one.

use clap::Subcommand;
use serde_json::json;

use super::client::Server;
use super::{fields, in_days};
use crate::cli::{Failure, Outcome};

#[derive(Subcommand)]
pub(super) enum ServiceAccount {
    /// Make an account without a password for machines, and print its key, this once
    Create {
        /// Letters, digits, `_`, `.` or `-`
        name: String,
        /// The team that it belongs to
        #[arg(long, value_name = "TEAM")]
        team: String,
        /// What people call it
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// What its key is called in lists
        #[arg(long, value_name = "LABEL", default_value = "")]
        key_name: String,
        /// After how many days the key opens nothing any more; never, if not given
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36500))]
        expires_in_days: Option<u32>,
    },
}

impl ServiceAccount {
    pub(super) async fn run(self, server: &Server) -> Result<Outcome, Failure> {
        let Self::Create { name, team, display_name, key_name, expires_in_days } = self;
        let document = "mutation ($input: ServiceAccountCreateInput!) {
            serviceAccountCreate(input: $input) { user { name displayName defaultEntity } apiKey { id expiresAt } secret }
        }";
        let input = json!({
            "name": name, "team": team, "displayName": display_name, "keyName": key_name, "keyExpiresAt": in_days(expires_in_days),
        });
        let data = server.execute(document, json!({ "input": input })).await?;
        let columns = [
            ("name", "/user/name"),
            ("display_name", "/user/displayName"),
            ("team", "/user/defaultEntity"),
            ("key_id", "/apiKey/id"),
            ("key", "/secret"),
            ("expires_at", "/apiKey/expiresAt"),
        ];
        let made = fields(&data["serviceAccountCreate"], &columns);
        let key = super::text(&made, "/key");
        Ok(Outcome::done(made, key))
    }
}
