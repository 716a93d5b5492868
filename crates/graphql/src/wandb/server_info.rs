//! What this server can do, as the SDK asks. What must not live here: anything of a project.

use async_graphql::{Json, Object, SimpleObject};

/// The features whose protocol this server speaks whole. Others are absent, which the SDK takes as "off".
const FEATURES: [&str; 12] = [
    "ARTIFACT_COLLECTIONS_FILTERING_SORTING",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILE_DOWNLOAD_HANDLER",
    "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE",
    "ARTIFACT_REGISTRY_SEARCH",
    "ARTIFACT_V2_DOWNLOAD_HANDLER_SUPPORTS_ARTIFACT_ID",
    "CLIENT_IDS",
    "INCLUDE_ARTIFACT_TYPES_IN_REGISTRY_CREATION",
    "MARK_RUN_FILES_UPLOADED",
    "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
    "TOTAL_COUNT_IN_FILE_CONNECTION",
    "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
];

/// W&B protocol: the server.
pub struct ServerInfo;

/// W&B protocol: the server.
#[Object]
impl ServerInfo {
    /// W&B protocol: the newest client that the server knows of. Clients warn when they are newer, so this is beyond them all.
    async fn cli_version_info(&self) -> Json<serde_json::Value> {
        Json(serde_json::json!({ "max_cli_version": "99.0.0" }))
    }

    /// W&B protocol: whether the server should be updated. Always null: Regalia asks nobody for newer versions.
    async fn latest_local_version_info(&self) -> Option<LocalVersionInfo> {
        None
    }

    /// W&B protocol: what is switched on.
    async fn features(&self) -> Vec<ServerFeature> {
        FEATURES.iter().map(|name| ServerFeature { name, is_enabled: true }).collect()
    }
}

/// W&B protocol: a switch.
#[derive(SimpleObject)]
pub struct ServerFeature {
    /// W&B protocol: the feature's name.
    name: &'static str,
    /// W&B protocol: whether it is on.
    is_enabled: bool,
}

/// W&B protocol: versions of the server.
#[derive(SimpleObject)]
pub struct LocalVersionInfo {
    /// W&B protocol: whether there is a newer one.
    out_of_date: bool,
    /// W&B protocol: the newest.
    latest_version_string: String,
    /// W&B protocol: this one.
    version_on_this_instance_string: String,
}
