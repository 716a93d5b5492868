//! GraphQL documents of both sides: what the SDK sends for the main job, in all the fields that the server offers, and what a
//! person asks in GraphiQL. `schema` executes every one of them and counts the fields; `statements` counts their SQL.
//! What must not live here: what is expected of an answer.

use regalia_domain::ids::{decode_id, encode_id};
use regalia_testkit::{Client, Server, VersionSpec, md5_base64, md5_hex};
use serde_json::{Value, json};

// W&B protocol ----------------------------------------------------------------------------------------------------

const ARTIFACT: &str = "fragment Artifact on Artifact { id artifactSequence { __typename id name state description createdAt updatedAt \
    project { id name entityName } defaultArtifactType { name } latestArtifact { id versionIndex } \
    artifactMembership(aliasName: \"latest\") { id } digestAlgorithm tags { edges { node { id name } } } } \
    versionIndex artifactType { name } description metadata ttlDurationSeconds ttlIsInherited tags { id name } historyStep \
    state size \
    digest digestAlgorithm commitHash fileCount createdAt updatedAt aliases { id alias artifactCollection { __typename name project { name } } } \
    currentManifest { id file { id name directUrl } } }";

const FILE: &str = "fragment File on File { id name displayName directUrl url sizeBytes storagePath mimetype updatedAt digest \
    md5 uploadUrl \
    uploadHeaders uploadMultipartUrls { uploadID uploadUrlParts { partNumber uploadUrl } } artifact { id } }";

const MEMBERSHIP: &str = "fragment Membership on ArtifactCollectionMembership { id versionIndex createdAt aliases { id alias } \
    artifactCollection { __typename id name state description createdAt updatedAt project { id name } defaultArtifactType { name } \
    artifactMembership(aliasName: \"v0\") { id } tags { edges { node { id name } } } ... on ArtifactPortfolio { id name \
    description createdAt updatedAt project { id name } \
    defaultArtifactType { name } artifactMembership(aliasName: \"latest\") { versionIndex } tags { edges { node { id name } } } \
    } } artifact { ...Artifact } }";

const REGISTRY: &str = "fragment Registry on Project { id internalId name entityName entity { id name entityType isTeam \
    organization { name } } \
    description createdAt updatedAt access allowAllArtifactTypes: allowAllArtifactTypesInRegistry readOnly \
    artifactTypes(includeAll: true) { edges { node { id name createdAt } } } }";

/// A registry with its members.
pub const MEMBERS: &str = "query RegistryMembers($project: String!, $entity: String!) { project(name: $project, entityName: \
    $entity) { members { id name username email role { name } } teamMembers { team { id name isTeam entityType } role { name } } } }";

/// A registry renamed.
pub fn rename_registry() -> String {
    [
        "mutation RenameRegistry($input: RenameProjectInput!) { renameProject(input: $input) { inserted project { ...Registry } } } ",
        REGISTRY,
    ]
    .concat()
}

/// A registry deleted.
pub const DELETE_REGISTRY: &str = "mutation DeleteRegistry($id: String!) { deleteModel(input: {id: $id}) { success } }";

/// Members added.
pub const CREATE_MEMBERS: &str = "mutation CreateRegistryMembers($input: CreateProjectMembersInput!) { result: \
    createProjectMembers(input: $input) { success } }";

/// Members removed.
pub const DELETE_MEMBERS: &str = "mutation DeleteRegistryMembers($input: DeleteProjectMembersInput!) { result: \
    deleteProjectMembers(input: $input) { success } }";

/// A user's role.
pub const UPDATE_USER_ROLE: &str = "mutation UpdateUserRegistryRole($input: UpdateProjectMemberInput!) { result: \
    updateProjectMember(input: $input) { success } }";

/// A team's role.
pub const UPDATE_TEAM_ROLE: &str = "mutation UpdateTeamRegistryRole($input: UpdateProjectTeamMemberInput!) { result: \
    updateProjectTeamMember(input: $input) { success } }";

/// A change of a version, a link or a collection on the wire: its field and what to select. Its input's type is named after it.
pub const CHANGES: [(&str, &str); 12] = [
    ("addAliases", "success"),
    ("deleteAliases", "success"),
    ("updateArtifact", "artifact { id description metadata tags { name } aliases { alias } }"),
    ("deleteArtifact", "artifact { id state }"),
    ("unlinkArtifact", "artifactID clientMutationId success"),
    ("updateArtifactPortfolio", "artifactCollection { __typename id name description }"),
    ("updateArtifactSequence", "artifactCollection { __typename id name description }"),
    ("moveArtifactSequence", "artifactCollection { __typename id defaultArtifactType { name } }"),
    ("deleteArtifactPortfolio", "artifactCollection { __typename state ... on ArtifactPortfolio { state } }"),
    ("deleteArtifactSequence", "artifactCollection { __typename state ... on ArtifactSequence { state } }"),
    ("createArtifactCollectionTagAssignments", "tags { id name tagCategoryName }"),
    ("deleteArtifactCollectionTagAssignments", "success"),
];

/// The document of one of them, with `$input`.
///
/// # Panics
/// When it isn't in [`CHANGES`].
pub fn change(field: &str) -> String {
    let (_, payload) = CHANGES.iter().find(|(name, _)| *name == field).expect("a change on the wire");
    document(field, payload)
}

fn document(field: &str, payload: &str) -> String {
    let (first, rest) = field.split_at(1);
    format!("mutation($input: {}{rest}Input!) {{ {field}(input: $input) {{ {payload} }} }}", first.to_uppercase())
}

const RUN: &str = "fragment Run on Run { id name displayName description notes config summaryMetrics systemMetrics tags state \
    stopped sweepName group jobType commit readOnly historyLineCount historyKeys createdAt heartbeatAt projectId user { name \
    username } project { id name entity { id name } } }";

const RUN_FILES: &str = "fragment RunFiles on Run { fileCount files(names: $fileNames, after: $fileCursor, first: $fileLimit, \
    pattern: $pattern) { totalCount edges { node { id name url(upload: $upload) directUrl sizeBytes mimetype updatedAt md5 digest \
    storagePath } cursor } pageInfo { endCursor hasNextPage } } }";

/// The runs of a project, in all that can be asked of a run.
pub fn runs() -> String {
    let text = "query Runs($project: String! = \"demo\", $entity: String! = \"alpha\", $cursor: String, $first: Int = 50, \
        $order: String, $filters: JSONString, $fileCursor: String, $fileLimit: Int = 50, $fileNames: [String] = [], $upload: \
        Boolean = false, $pattern: String) { project(name: $project, entityName: $entity) { internalId runCount(filters: $filters) \
        readOnly runs(filters: $filters, after: $cursor, first: $first, order: $order) { edges { node { ...Run ...RunFiles } \
        cursor } pageInfo { endCursor hasNextPage } } } } ";
    [text, RUN, " ", RUN_FILES].concat()
}

/// What a run asks that shall be resumed.
const RESUME: &str = "query RunResumeStatus($project: String, $entity: String, $name: String!) { model(name: $project, entityName: \
    $entity) { id name entity { id name } bucket(name: $name, missingOk: true) { id name summaryMetrics displayName logLineCount \
    historyLineCount eventsLineCount historyTail eventsTail config tags notes wandbConfig(keys: [\"t\"]) } } }";

/// Who the caller is.
pub const VIEWER: &str = "query Viewer { viewer { id name username email admin flags entity deletedAt \
    apiKeys { edges { node { id name description } } } teams { edges { node { name } } } } }";

/// Where the caller's runs go that name no entity.
pub const DEFAULT_ENTITY: &str = "query GetDefaultEntity { viewer { id entity } }";

/// What the server can do.
pub const SERVER_FEATURES: &str = "query ServerFeaturesQuery { serverInfo { features { name isEnabled } } }";

/// What older clients ask besides.
pub const SERVER_VERSIONS: &str = "query ServerInfo { serverInfo { cliVersionInfo latestLocalVersionInfo { outOfDate \
    latestVersionString \
    versionOnThisInstanceString } } }";

/// An organization and its entity.
pub const FETCH_ORGANIZATION: &str =
    "query FetchOrganization($org: String!) { organization(name: $org) { id name orgEntity { __typename id name entityType } } }";

/// An id of another service; may fail freely.
pub const CORE_WEAVE: &str = "query OrganizationCoreWeaveOrganizationID($entityName: String!) { entity(name: $entityName) { \
    organization { \
    coreWeaveOrganizationId } } }";

/// Switches for an organization.
pub const FEATURE_FLAGS: &str = "query OrgFeatureFlags($org: String!) { organization(name: $org) { featureFlags(rampIDType: OrgName) { rampKey isEnabled } } }";

/// Whether an entity's digests are XXH128.
pub const XXHASH: &str =
    "query XXHashDigestsEnabled($entityName: String!) { entity(name: $entityName) { xxhashDigestsEnabled } }";

/// The organizations behind an entity.
pub const FETCH_ORG_INFO: &str = "query FetchOrgInfoFromEntity($entity: String!) { entity(name: $entity) { organization { name \
    orgEntity { name } } \
    user { organizations { name orgEntity { name } } } } }";

/// `api.artifact_collection`'s and older clients' ways to a version.
pub const ARTIFACT_TYPE: &str = "query ArtifactType($entityName: String!, $projectName: String!, $name: String!) { \
    project(name: $projectName, \
    entityName: $entityName) { artifact(name: $name, enableTracking: false) { id artifactType { name } } } }";

/// A version by id.
pub fn artifact_by_id() -> String {
    ["query ArtifactByID($id: ID!) { artifact(id: $id) { ...Artifact } } ", ARTIFACT].concat()
}

/// A version's manifest.
pub const FETCH_MANIFEST: &str =
    "query FetchArtifactManifest($id: ID!) { artifact(id: $id) { currentManifest { id file { directUrl } } } }";

/// A registry, or null.
pub fn fetch_registry() -> String {
    ["query FetchRegistry($entity: String!, $name: String!) { entity(name: $entity) { project(name: $name) { ...Registry } } } \
        ", REGISTRY].concat()
}

/// A registry or project made or changed.
pub fn upsert_registry() -> String {
    [
        "mutation UpsertRegistry($input: UpsertModelInput!) { upsertModel(input: $input) { inserted project { ...Registry } } } ",
        REGISTRY,
    ]
    .concat()
}

/// A team with its members.
pub const TEAM: &str = "query GetTeamEntity($name: String!) { entity(name: $name) { id name available photoUrl readOnly \
    readOnlyAdmin isTeam entityType privateOnly storageBytes codeSavingEnabled defaultAccess isPaid limits members { id admin \
    pending email username name photoUrl accountType apiKey role } } }";

/// A new team.
pub const CREATE_TEAM: &str = "mutation CreateTeam($teamName: String!, $teamAdminUserName: String) { result: createTeam(input: \
    {teamName: $teamName, teamAdminUserName: $teamAdminUserName}) { entity { id name available photoUrl limits } } }";

/// Somebody added to a team.
pub const CREATE_INVITE: &str = "mutation CreateInvite($entity: String!, $email: String, $username: String, $admin: Boolean) { \
    result: createInvite(input: {entityName: $entity, email: $email, username: $username, admin: $admin}) { invite { id name \
    email createdAt toUser { name } } } }";

/// Somebody removed from a team.
pub const DELETE_INVITE: &str = "mutation DeleteInvite($id: String, $entity: String) { result: deleteInvite(input: {id: $id, \
    entityName: $entity}) { success } }";

/// A new service account.
pub const CREATE_SERVICE_ACCOUNT: &str = "mutation CreateServiceAccount($entity: String!, $description: String!) { result: \
    createServiceAccount(input: {description: $description, entityName: $entity}) { user { id } } }";

/// A new account.
pub const CREATE_USER: &str = "mutation CreateUserFromAdmin($email: String!, $admin: Boolean) { result: createUser(input: \
    {email: $email, admin: $admin}) { user { id name username email admin } } }";

/// The caller's default entity.
pub const UPDATE_USER: &str = "mutation($entity: String) { updateUser(input: {defaultEntity: $entity}) { user { entity } } }";

/// A new key of the caller.
pub const GENERATE_API_KEY: &str = "mutation GenerateApiKey($description: String) { result: generateApiKey(input: {description: \
    $description}) { apiKey { id name description } } }";

/// A key revoked.
pub const DELETE_API_KEY: &str = "mutation DeleteApiKey($id: String!) { result: deleteApiKey(input: {id: $id}) { success } }";

const PROJECT: &str = "fragment ProjectFragment on Project { __typename id name entityName createdAt dockerImage isBenchmark repo views user { id \
    name username email admin flags entity deletedAt apiKeys { edges { node { id name description } } } teams { edges { node { \
    name } } } } }";

/// A page of projects.
pub fn projects() -> String {
    let text = "query GetProjects($entity: String, $cursor: String, $perPage: Int = 50) { models(entityName: $entity, after: \
        $cursor, first: $perPage) { pageInfo { __typename endCursor hasNextPage } edges { cursor node { ...ProjectFragment } } } } ";
    [text, PROJECT].concat()
}

/// A new project, in the words of the older SDKs.
pub const CREATE_PROJECT: &str = "mutation upsertModel($description: String $entityName: String $id: String $name: String \
    $framework: String $access: String $views: JSONString) { upsertModel(input: { description: $description entityName: \
    $entityName id: $id name: $name framework: $framework access: $access views: $views }) { project { id name entityName \
    description access views } model { id name entityName description access views } inserted } }";

/// A run begun or updated.
pub fn upsert_bucket() -> String {
    ["mutation UpsertBucket($input: UpsertBucketInput!) { upsertBucket(input: $input) { bucket { ...Run } inserted } } ", RUN]
        .concat()
}

/// The same by `wandb sync` before 0.28.
const SYNC_BUCKET: &str = "mutation UpsertBucket($input: UpsertBucketInput!) { upsertBucket(input: $input) { bucket { id name } \
    inserted serverSettings { serverMessages { utfText plainText htmlText messageType messageLevel } } } }";

/// A place by `collection:alias`.
pub fn membership_by_name() -> String {
    let text = "query ArtifactMembershipByName($entity: String!, $project: String!, $name: String!) { project(name: $project, \
        entityName: $entity) { artifactCollectionMembership(name: $name) { ...Membership } } } ";
    [text, MEMBERSHIP, " ", ARTIFACT].concat()
}

/// A version used by a run.
pub const USE_ARTIFACT: &str = "mutation UseArtifact($input: UseArtifactInput!) { useArtifact(input: $input) { artifact { id \
    digest description state createdAt metadata } } }";

/// URLs of a version's files.
pub const FILE_URLS: &str = "query GetArtifactMembershipFileUrls($entity: String!, $project: String!, $collection: String!, \
    $alias: String!, \
    $after: String, $perPage: Int) { project(name: $project, entityName: $entity) { artifactCollection(name: $collection) { \
    artifactMembership(aliasName: $alias) { files(after: $after, first: $perPage) { edges { cursor node { name directUrl } } \
    pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } } } } }";

/// Some files of a version, with all that there is to say.
pub fn membership_files() -> String {
    let text = "query ArtifactMembershipFiles($entity: String!, $project: String!, $collection: String!, $alias: String!, \
        $names: [String!]) { \
        project(name: $project, entityName: $entity) { artifactType(name: \"model\") { id name createdAt artifact(name: \
        \"none:latest\") { id } \
        artifactCollection(name: $collection) { artifactMembership(aliasName: $alias) { \
        files(first: 50, names: $names) { totalCount edges { node { ...File } } } } } } } } ";
    [text, FILE].concat()
}

/// An organization's registries.
pub fn fetch_registries() -> String {
    let text = "query FetchRegistries($organization: String!, $filters: JSONString, $cursor: String, $perPage: Int, $order: String) { \
        organization(name: $organization) { orgEntity { projects(filters: $filters, after: $cursor, first: $perPage, order: $order) { \
        pageInfo { endCursor hasNextPage } edges { node { ...Registry } } } } } } ";
    [text, REGISTRY].concat()
}

/// The collections of registries.
pub const REGISTRY_COLLECTIONS: &str = "query RegistryCollections($organization: String!, $registryFilter: JSONString, \
    $collectionFilter: JSONString, $cursor: String, $perPage: Int, $order: String) { organization(name: $organization) { orgEntity { \
    artifactCollections(collectionTypes: [PORTFOLIO], projectFilters: $registryFilter, filters: $collectionFilter, after: $cursor, \
    first: $perPage, order: $order) { totalCount pageInfo { endCursor hasNextPage } edges { cursor node { __typename id name \
    description createdAt updatedAt project { id internalId name entity { name } } type: defaultArtifactType { name } tags { edges { \
    node { id name } } } } } } } } }";

/// The versions in registries.
pub fn registry_versions() -> String {
    let text = "query RegistryVersions($organization: String!, $registryFilter: JSONString, $collectionFilter: JSONString, \
        $artifactFilter: JSONString, $cursor: String, $perPage: Int, $order: String) { organization(name: $organization) { orgEntity { \
        artifactMemberships(projectFilters: $registryFilter, collectionFilters: $collectionFilter, filters: $artifactFilter, after: \
        $cursor, first: $perPage, order: $order) { pageInfo { endCursor hasNextPage } edges { node { ...Membership } } } } } } ";
    [text, MEMBERSHIP, ARTIFACT].concat()
}

/// The versions of a collection.
pub fn project_artifacts() -> String {
    let text = "query ProjectArtifacts($project: String!, $entity: String!, $type: String!, $collection: String!, $cursor: String, \
        $perPage: Int, $order: String, $filters: JSONString) { project(name: $project, entityName: $entity) { artifactType(name: \
        $type) { artifactCollection(name: $collection) { __typename artifacts(filters: $filters, after: $cursor, first: $perPage, \
        order: $order) { totalCount pageInfo { endCursor hasNextPage } edges { version node { ...Artifact } } } } } } } ";
    [text, ARTIFACT].concat()
}

/// A project's types.
pub const PROJECT_TYPES: &str = "query ProjectArtifactTypes($entity: String!, $project: String!, $cursor: String, $perPage: Int) { \
    project(name: $project, entityName: $entity) { artifactTypes(after: $cursor, first: $perPage) { edges { node { __typename id \
    name description createdAt } } pageInfo { endCursor hasNextPage } } } }";

/// The collections of a type.
pub const TYPE_COLLECTIONS: &str = "query ArtifactTypeArtifactCollections($project: String!, $entity: String!, $type: String!, \
    $cursor: String, $perPage: Int, $filters: JSONString, $order: String) { project(name: $project, entityName: $entity) { \
    artifactType(name: $type) { artifactCollections(after: $cursor, first: $perPage, filters: $filters, order: $order) { totalCount \
    pageInfo { endCursor hasNextPage } edges { cursor node { __typename id name description createdAt updatedAt project { id \
    internalId name entity { name } } type: defaultArtifactType { name } tags { edges { node { id name } } } } } } } } }";

/// The aliases of a collection.
pub const COLLECTION_ALIASES: &str = "query ArtifactCollectionAliases($id: ID!, $cursor: String, $perPage: Int = 1000) { \
    artifactCollection(id: $id) { __typename aliases(after: $cursor, first: $perPage) { pageInfo { endCursor hasNextPage } edges { \
    node { __typename id alias } } } } }";

/// Files of a version by its id, as before 0.28.
pub const ARTIFACT_FILE_URLS: &str = "query ArtifactFileUrls($id: ID!, $names: [String!], $cursor: String, $perPage: Int) { \
    artifact(id: $id) { files(after: $cursor, first: $perPage, names: $names) { totalCount pageInfo { endCursor hasNextPage } \
    edges { node { name directUrl } } } } }";

/// Files of a version that a client knows by their digests.
pub const FILES_BY_ENTRIES: &str = "query ArtifactFileURLsByManifestEntries($id: ID!, $entries: [ArtifactManifestEntryInput!], \
    $storageLayout: String!, $manifestVersion: String!, $storageRegion: String) { artifact(id: $id) { \
    filesByManifestEntries(storageLayout: $storageLayout, manifestVersion: $manifestVersion, entries: $entries, \
    storageRegion: $storageRegion) { pageInfo { hasNextPage endCursor } edges { node { name directUrl } } } } }";

/// A type that nothing has yet.
pub const CREATE_TYPE: &str = "mutation CreateArtifactType($input: CreateArtifactTypeInput!) { createArtifactType(input: $input) { \
    artifactType { id name } } }";

/// The end of an upload in parts, which is refused.
pub const COMPLETE_MULTIPART: &str = "mutation CompleteMultipartUploadArtifact($completeMultipartAction: \
    CompleteMultipartAction!, $completedParts: [UploadPartsInput!]!, $artifactID: ID!, $storagePath: String!, $uploadID: String!) { \
    completeMultipartUploadArtifact(input: {completeMultipartAction: $completeMultipartAction, completedParts: $completedParts, \
    artifactID: $artifactID, storagePath: $storagePath, uploadID: $uploadID}) { digest } }";

/// Files of a run.
pub fn create_run_files() -> String {
    let text = "mutation CreateRunFiles($input: CreateRunFilesInput!) { createRunFiles(input: $input) { runID uploadHeaders \
        files { ...File } } } ";
    [text, FILE].concat()
}

/// A version's links, the runs that used it and who made it.
pub const ARTIFACT_LINEAGE: &str = "query($id: ID!) { artifact(id: $id) { \
    artifactMemberships { pageInfo { endCursor hasNextPage } edges { cursor node { versionIndex createdAt aliases { id alias } \
    artifactCollection { __typename name project { id internalId name entity { name } } } } } } \
    usedBy { pageInfo { endCursor hasNextPage } edges { cursor node { __typename id name project { id internalId name entity { name } } } } } \
    createdBy { __typename ... on Run { id name project { id internalId name entity { name } } } ... on User { id username } } } }";

/// What a run made and used.
pub const RUN_ARTIFACTS: &str = "query($entity: String!, $project: String!, $run: String!, $first: Int, $after: String) { \
    project(entityName: $entity, name: $project) { run(name: $run) { \
    made: outputArtifacts(first: $first, after: $after) { totalCount pageInfo { endCursor hasNextPage } edges { cursor node { id versionIndex } } } \
    used: inputArtifacts(first: $first, after: $after) { totalCount pageInfo { endCursor hasNextPage } edges { cursor node { id versionIndex } } } \
    } } }";

/// The filtered lists, all at once.
const SEARCHES: &str = r#"
query Searches($registries: JSONString, $collections: JSONString, $versions: JSONString) {
  organization(name: "acme") {
    advancedRegistryFeatures { advancedSearch }
    orgEntity {
      projects(filters: $registries, order: "+name", first: 10) { edges { cursor node { id } } pageInfo { ...Page } }
      artifactCollections(
        projectFilters: $registries, filters: $collections, collectionTypes: [PORTFOLIO], order: "-created_at", first: 10
      ) { ...Collections }
      artifactMemberships(projectFilters: $registries, collectionFilters: $collections, filters: $versions, first: 10) {
        edges { cursor node { id } } pageInfo { ...Page }
      }
    }
  }
  project(entityName: "alpha", name: "demo") {
    artifactCollections(filters: $collections, first: 10) { ...Collections }
    artifactType(name: "model") { artifactSequence(name: "net") { id } description artifactCollections(first: 10) { ...Collections } }
    artifactTypes(includeAll: true, first: 10) { pageInfo { ...Page } edges { cursor node { name } } }
  }
}
fragment Page on PageInfo { endCursor hasNextPage }
fragment Collections on ArtifactCollectionConnection {
  totalCount pageInfo { ...Page }
  edges {
    cursor
    node {
      id artifacts(first: 1) { totalCount } aliases { edges { node { alias } } }
      ... on ArtifactSequence { artifacts(first: 1) { totalCount } aliases { edges { node { id } } } }
      ... on ArtifactPortfolio {
        aliases(first: 1000) { pageInfo { ...Page } edges { cursor node { id alias } } }
        artifacts(filters: $versions, order: "-version_index", first: 10) {
          totalCount pageInfo { ...Page } edges { cursor version node { id } }
        }
      }
    }
  }
}
"#;

// Regalia's own ---------------------------------------------------------------------------------------------------

/// All that a person can ask, at once.
/// Runs, by our own side.
const RUN_INFO: &str = "fragment RunInfo on Run { __typename id name project { id internalId name entity { name } } }";

/// Where a version stands.
pub const LINKED_ARTIFACTS: &str = "query FetchLinkedArtifacts($artifactID: ID!) { artifact(id: $artifactID) { artifactMemberships { \
    edges { node { versionIndex createdAt aliases { __typename id alias } artifactCollection { __typename name project { id internalId \
    name entity { name } } } } } } } }";

/// Who used a version.
pub fn used_by() -> String {
    ["query ArtifactUsedBy($id: ID!) { artifact(id: $id) { usedBy { edges { node { ...RunInfo } } } } } ", RUN_INFO].concat()
}

/// Who made a version.
pub fn created_by() -> String {
    let text = "query ArtifactCreatedBy($id: ID!) { artifact(id: $id) { createdBy { __typename ... on Run { ...RunInfo } } } } ";
    [text, RUN_INFO].concat()
}

/// What a run used (`inputArtifacts`) or made (`outputArtifacts`).
pub fn run_artifacts(field: &str) -> String {
    let text = format!(
        "query RunArtifacts($entity: String!, $project: String!, $run: String!, $cursor: String, $perPage: Int) {{ project(entityName: \
         $entity, name: $project) {{ run(name: $run) {{ artifacts: {field}(after: $cursor, first: $perPage) {{ totalCount pageInfo {{ \
         endCursor hasNextPage }} edges {{ node {{ ...Artifact }} }} }} }} }} }} "
    );
    [&text, ARTIFACT].concat()
}

/// A run by its name.
pub fn run() -> String {
    let text = "query Run($project: String!, $entity: String!, $name: String!) { project(name: $project, entityName: $entity) { \
        run(name: $name) { projectId ...Run } } } ";
    [text, RUN].concat()
}

/// The files of a run.
pub fn run_files() -> String {
    let text = "query RunFiles($project: String!, $entity: String!, $name: String!, $fileCursor: String, $fileLimit: Int = 50, \
        $fileNames: [String] = [], $upload: Boolean = false, $pattern: String) { project(name: $project, entityName: $entity) { \
        internalId run(name: $name) { ...RunFiles } } } ";
    [text, RUN_FILES].concat()
}

const OWN_RUNS: &str = r#"
{
  run(entity: "alpha", project: "demo", name: "run1") { id }
  runs(entity: "alpha", project: "demo", first: 10, order: NAME_ASCENDING) {
    edges { cursor node { id } }
    nodes {
      id name displayName state notes config summary tags group jobType commit stopRequested createdBy { name } createdAt heartbeatAt
      files(first: 10) {
        edges { cursor node { name } } nodes { name size md5 updatedAt url } pageInfo { endCursor hasNextPage }
      }
    }
    pageInfo { endCursor hasNextPage }
  }
}"#;

const EVERYTHING: &str = r#"
query Everything(
  $organization: String!, $registry: String!, $collection: String!, $alias: String!, $user: String!, $team: String!, $version: ID!
) {
  viewer { ...Person apiKeys(first: 10) { edges { cursor node { ...Key } } nodes { id } pageInfo { ...Page } }
    sessions(first: 10) { edges { cursor node { id } } nodes { ...Browser } pageInfo { ...Page } } }
  user(name: $user) {
    ...Person
    organizations { ...Place }
    teams(first: 10) { edges { cursor node { name } } nodes { ...Group } pageInfo { ...Page } }
  }
  users(query: "a", first: 10) { edges { cursor node { name } } nodes { ...Person } pageInfo { ...Page } }
  organizations(first: 10) { edges { cursor node { name } } nodes { ...Place } pageInfo { ...Page } }
  organization(name: $organization) {
    ...Place
    members(first: 10) { edges { cursor node { role } } nodes { role user { name } } pageInfo { ...Page } }
    teams(first: 10) { edges { cursor node { name } } nodes { ...Group } pageInfo { ...Page } }
    registry(name: $registry) { id }
    registries(first: 10) { edges { cursor node { name } } nodes { ...Home } pageInfo { ...Page } }
  }
  team(name: $team) { ...Group }
  teams(first: 10) { nodes { ...Group } }
  registry(organization: $organization, name: $registry) {
    ...Home
    organization { name }
    userMembers(first: 10) { edges { cursor node { role } } nodes { role addedAt user { name } } pageInfo { ...Page } }
    teamMembers(first: 10) { edges { cursor node { role } } nodes { role addedAt team { name } } pageInfo { ...Page } }
    effectiveAccess(user: $user) { role user { name } sources { kind role team { name } } }
    collection(name: $collection) { ...Line link(alias: $alias) { ...Pointer } }
    collections(first: 10) {
      edges { cursor node { name } }
      nodes {
        ...Line
        latest { index }
        links(first: 10) { edges { cursor node { index } } nodes { ...Pointer version { ...Content } } pageInfo { ...Page } }
      }
      pageInfo { ...Page }
    }
  }
  version(id: $version) { ...Content }
  lineage(version: $version, direction: DOWNSTREAM, depth: 10) {
    truncated
    nodes { __typename ... on Version { id } ... on ProjectRun { id inputs(first: 5) { edges { cursor node { id } } nodes { id } pageInfo { ...Page } } outputs(first: 5) { edges { cursor node { id } } nodes { id } pageInfo { ...Page } } } }
    edges { from to kind }
  }
}
fragment Page on PageInfo { startCursor endCursor hasNextPage hasPreviousPage }
fragment Person on User { id name displayName email siteAdmin serviceAccount hasPassword defaultEntity createdAt }
fragment Key on ApiKey { id name description createdAt lastUsedAt expiresAt }
fragment Browser on Session { id createdAt lastUsedAt expiresAt address userAgent current }
fragment Place on Organization { id name entityName registryCreation createdAt }
fragment Group on Team {
  id name createdAt organization { name }
  members(first: 10) { edges { cursor node { role } } nodes { role user { name } } pageInfo { ...Page } }
}
fragment Home on Registry { id name fullName description visibility allowsAllTypes types protectedAliases yourRole createdAt updatedAt }
fragment Line on Collection { id name path typeName tags description createdAt updatedAt registry { name } }
fragment Pointer on Link { id index aliases createdAt collection { name } }
fragment Content on Version {
  id committed typeName digest description metadata tags size fileCount createdAt expiresAt source links { ...Pointer }
  createdBy { name } madeBy { id } usedBy(first: 10) { edges { cursor node { id } } nodes { id } pageInfo { ...Page } }
  files(first: 10) { edges { cursor node { path } } nodes { path size digest reference downloadUrl } pageInfo { ...Page } }
}
"#;

/// What happened, in every way to ask for it.
const HISTORY: &str = r#"
query History($registry: String!, $path: String!, $at: DateTime!) {
  organization(name: "acme") { events(first: 10) { edges { cursor node { id } } nodes { ...Told } pageInfo { ...Page } } }
  registry(organization: "acme", name: $registry) { events(first: 10, filter: { actor: "alice" }) { nodes { ...Told } } }
  collection(path: $path) {
    events(first: 10, filter: { kinds: ["alias.set"], at: { from: "2020-01-01T00:00:00Z" } }) { nodes { ...Told } }
    aliasAt(name: "staging", time: $at) { ...Pointed }
    aliasHistory(name: "latest", first: 10) { edges { cursor node { from } } nodes { ...Pointed } pageInfo { ...Page } }
  }
}
fragment Page on PageInfo { startCursor endCursor hasNextPage hasPreviousPage }
fragment Told on AuditEvent {
  id at kind actor actorId requestId subject before after collection { name } version { id }
}
fragment Pointed on AliasPeriod { alias from until setBy setById versionId version { id } index link { index } }
"#;

/// What happened to accounts.
const ACCOUNT_EVENTS: &str = "{ accountEvents(first: 10) { nodes { id kind } pageInfo { hasNextPage } } }";

/// A mutation of our own: its field, the part of the payload to select.
pub const NATIVE_MUTATIONS: [(&str, &str); 34] = [
    ("userCreate", "user { name }"),
    ("userDelete", "name"),
    ("userUpdate", "user { name displayName email defaultEntity }"),
    ("userSetPassword", "user { name hasPassword }"),
    ("serviceAccountCreate", "user { name displayName serviceAccount defaultEntity } apiKey { id name expiresAt } secret"),
    ("apiKeyCreate", "apiKey { id name description createdAt lastUsedAt expiresAt } secret"),
    ("apiKeyImport", "apiKey { id }"),
    ("apiKeyRevoke", "id"),
    ("sessionEnd", "ids"),
    ("organizationCreate", "organization { name entityName }"),
    ("organizationUpdate", "organization { entityName registryCreation }"),
    ("organizationDelete", "entityName"),
    ("organizationMemberSet", "organization { entityName }"),
    ("organizationMemberRemove", "organization { entityName }"),
    ("teamCreate", "team { name organization { entityName } }"),
    ("teamDelete", "name"),
    ("teamMemberSet", "team { name }"),
    ("teamMemberRemove", "team { name }"),
    (
        "registryCreate",
        "registry { id name fullName description visibility allowsAllTypes types yourRole organization { entityName } }",
    ),
    (
        "registryUpdate",
        "registry { id name fullName description visibility allowsAllTypes types protectedAliases yourRole organization { entityName } }",
    ),
    ("registryMemberAdd", "registry { name }"),
    ("registryMemberSet", "registry { name yourRole }"),
    ("registryMemberRemove", "registry { name yourRole }"),
    ("registryDelete", "name"),
    ("versionBegin", "version { id committed } uploads { path url }"),
    ("versionCommit", "version { id committed source }"),
    ("versionLink", "link { id index aliases collection { name registry { name organization { entityName } } } version { id } }"),
    ("versionUpdate", "version { id description metadata tags expiresAt }"),
    ("versionDelete", "id"),
    ("collectionUpdate", "collection { id name description tags }"),
    ("collectionDelete", "name"),
    ("linkUpdate", "link { id index aliases }"),
    ("linkDelete", "collection { name latest { index } }"),
    ("aliasRestore", "period { alias from until setBy versionId index link { index } }"),
];

/// The document of a mutation of our own, with `$input`.
///
/// # Panics
/// When it isn't in [`NATIVE_MUTATIONS`].
pub fn native_mutation(field: &str) -> String {
    let (_, payload) = NATIVE_MUTATIONS.iter().find(|(name, _)| *name == field).expect("a mutation of our own");
    document(field, payload)
}

// All of them, on a server where they mean something --------------------------------------------------------------

/// A server with something of everything.
pub struct World {
    /// The server.
    pub server: Server,
    /// Its site administrator.
    pub admin: Client,
    /// Admin of `acme` and of its team `alpha`.
    pub alice: Client,
    /// The version of a file and a reference that is linked as `Example ML Task:staging` into the registry `model`.
    pub linked: String,
    /// A version that was begun.
    pub begun: String,
    /// Its announced manifest.
    pub draft: String,
    /// A version that only lacks its commit.
    pub ready: String,
}

/// The version that [`World::begun`] is.
fn begun() -> VersionSpec {
    VersionSpec::model("alpha", "begun", b"begun")
}

/// Makes a [`World`].
pub async fn world() -> World {
    let server = Server::start().await;
    let (alice, ..) = server.people().await;
    let mut spec = VersionSpec::model("alpha", "net", b"weights");
    spec.references.push(("elsewhere".into(), "s3://bucket/elsewhere".into()));
    let linked = alice.log(&spec).await.id;
    alice.link(&linked, "acme", "model", "Example ML Task", &["staging"]).await.expect_ok();
    let created = alice.create_version(&begun(), "documents").await.ok();
    let begun = created["createArtifact"]["artifact"]["id"].as_str().unwrap().to_owned();
    let ready = alice.begin(&VersionSpec::model("alpha", "ready", b"ready")).await.id;
    let draft = alice.announce_part(&begun, "FULL", None, "").await.ok();
    let draft = draft["createArtifactManifest"]["artifactManifest"]["id"].as_str().unwrap().to_owned();
    World { admin: server.admin().await, server, alice, linked, begun, draft, ready }
}

/// A document with who sends it and with which variables.
pub struct Document<'w> {
    /// Who.
    pub client: &'w Client,
    /// The text.
    pub text: String,
    /// The variables.
    pub variables: Value,
}

impl World {
    /// Every document, in an order in which each of them succeeds.
    pub async fn documents(&self) -> Vec<Document<'_>> {
        let mut documents: Vec<Document<'_>> = Vec::new();
        let alice = |text: String, variables: Value| Document { client: &self.alice, text, variables };
        let registry = json!({ "entity": "acme", "name": "wandb-registry-model" });
        let source = json!({ "entityName": "alpha", "projectName": "demo", "name": "net:latest" });
        let place = json!({ "entity": "acme", "project": "wandb-registry-model", "name": "Example ML Task:staging" });
        let files =
            json!({ "entity": "acme", "project": "wandb-registry-model", "collection": "Example ML Task", "alias": "v0" });
        let run = json!({ "entityName": "alpha", "modelName": "demo", "name": "run1", "config": "{}" });
        let run_files = json!({ "entityName": "alpha", "projectName": "demo", "runName": "run1", "files": ["config.yaml"] });
        let used = json!({ "artifactID": self.linked, "entityName": "alpha", "projectName": "demo", "runName": "run1" });
        documents.extend([
            alice(VIEWER.into(), json!({})),
            alice(DEFAULT_ENTITY.into(), json!({})),
            alice(SERVER_FEATURES.into(), json!({})),
            alice(SERVER_VERSIONS.into(), json!({})),
            alice(FETCH_ORGANIZATION.into(), json!({ "org": "acme" })),
            alice(CORE_WEAVE.into(), json!({ "entityName": "alpha" })),
            alice(FEATURE_FLAGS.into(), json!({ "org": "acme" })),
            alice(XXHASH.into(), json!({ "entityName": "alpha" })),
            alice(FETCH_ORG_INFO.into(), json!({ "entity": "alpha" })),
            alice(FETCH_ORG_INFO.into(), json!({ "entity": "alice" })),
            alice(ARTIFACT_TYPE.into(), source),
            alice(artifact_by_id(), json!({ "id": self.linked })),
            alice(FETCH_MANIFEST.into(), json!({ "id": self.linked })),
            alice(ARTIFACT_FILE_URLS.into(), json!({ "id": self.linked })),
            alice(
                FILES_BY_ENTRIES.into(),
                json!({ "id": self.linked, "entries": [], "storageLayout": "V2", "manifestVersion": "1" }),
            ),
            alice(CREATE_TYPE.into(), json!({ "input": { "entityName": "alpha", "projectName": "demo", "name": "checkpoint" } })),
            alice(fetch_registry(), registry),
            alice(upsert_registry(), json!({ "input": { "entityName": "acme", "name": "wandb-registry-more" } })),
            alice(upsert_bucket(), json!({ "input": run })),
            alice(SYNC_BUCKET.into(), json!({ "input": run })),
            alice(membership_by_name(), place),
            alice(FILE_URLS.into(), files.clone()),
            alice(membership_files(), files),
            alice(create_run_files(), json!({ "input": run_files })),
            alice(document("markRunFilesUploaded", "success"), json!({ "input": run_files })),
            alice(runs(), json!({})),
            alice(RESUME.into(), json!({ "project": "demo", "entity": "alpha", "name": "run1" })),
            alice(document("stopRun", "clientMutationId success"), json!({ "input": { "id": encode_id("Run", 1) } })),
            alice(USE_ARTIFACT.into(), json!({ "input": used })),
            alice("query($id: ID!) { clientIDMapping(clientID: $id) { serverID } }".into(), json!({ "id": "documents" })),
            alice("{ project(entityName: \"alpha\", name: \"demo\") { run(name: \"run1\") { id } } }".into(), json!({})),
            alice(ARTIFACT_LINEAGE.into(), json!({ "id": self.linked })),
            alice(RUN_ARTIFACTS.into(), json!({ "entity": "alpha", "project": "demo", "run": "run1", "first": 10 })),
            alice(OWN_RUNS.into(), json!({})),
            alice(
                "query($id: ID!) { artifactCollection(id: $id) { __typename id } }".into(),
                json!({ "id": encode_id("ArtifactCollection", 1) }),
            ),
            alice(
                SEARCHES.into(),
                json!({
                    "registries": "{\"name\": \"wandb-registry-model\"}", "collections": "{\"name\": {\"$contains\": \"e\"}}",
                    "versions": "{\"state\": \"COMMITTED\"}",
                }),
            ),
        ]);
        documents.extend(self.publishing());
        documents.extend(self.members().await);
        documents.extend(self.people().await);
        documents.extend(self.changes().await);
        let everything = json!({
            "organization": "acme", "registry": "model", "collection": "Example ML \
                Task", "alias": "staging", "user": "bob", "team": "alpha",
            "version": self.linked,
        });
        documents.push(alice(EVERYTHING.into(), everything));
        let history = json!({
            "registry": "model", "path": "acme/wandb-registry-model/Example ML Task", "at": "2999-01-01T00:00:00Z",
        });
        documents.push(alice(HISTORY.into(), history));
        documents.push(Document { client: &self.admin, text: ACCOUNT_EVENTS.into(), variables: json!({}) });
        for (field, client, input) in self.own_mutations().await {
            documents.push(Document { client, text: native_mutation(field), variables: json!({ "input": input }) });
        }
        documents
    }

    /// Documents that are always refused, with the beginning of the sentence.
    pub fn refused(&self) -> Vec<(Document<'_>, &'static str)> {
        let parts = json!({
            "artifactID": self.begun, "completeMultipartAction": "Complete", "completedParts": [], "storagePath": "none",
            "uploadID": "none",
        });
        let parts = Document { client: &self.alice, text: COMPLETE_MULTIPART.into(), variables: parts };
        vec![(parts, "There is no such upload in parts")]
    }

    /// The W&B protocol's changes of a registry and its members, the registry deleted at last.
    async fn members(&self) -> Vec<Document<'_>> {
        let number =
            async |table: &str, name: &str| self.server.number(&format!("select id from {table} where name = '{name}'")).await;
        let (bob, alpha) =
            (encode_id("User", number("entities", "bob").await), encode_id("Entity", number("entities", "alpha").await));
        let made = self.alice.make_registry("acme", "passing", "RESTRICTED").await;
        let registry = encode_id("Project", decode_id(&["Registry"], &made).unwrap());
        let name = json!({ "entity": "acme", "project": "wandb-registry-passing" });
        let all = json!({ "input": { "projectId": registry, "userIds": [bob], "teamIds": [alpha] } });
        let user = json!({ "input": { "projectId": registry, "userId": bob, "userProjectRole": "member" } });
        let team = json!({ "input": { "projectId": registry, "teamId": alpha, "teamProjectRole": "viewer" } });
        let names = json!({ "entityName": "acme", "oldProjectName": "wandb-registry-passing", "newProjectName": "wandb-registry-passed" });
        [
            (CREATE_MEMBERS.into(), all.clone()),
            (MEMBERS.into(), name),
            (UPDATE_USER_ROLE.into(), user),
            (UPDATE_TEAM_ROLE.into(), team),
            (DELETE_MEMBERS.into(), all),
            (rename_registry(), json!({ "input": names })),
            (DELETE_REGISTRY.into(), json!({ "id": registry })),
        ]
        .into_iter()
        .map(|(text, variables)| Document { client: &self.alice, text, variables })
        .collect()
    }

    /// The W&B protocol's way from a version's beginning to its link.
    fn publishing(&self) -> Vec<Document<'_>> {
        let spec = begun();
        let create = json!({
            "entityName": "alpha", "projectName": "demo", "artifactTypeName": "model", "artifactCollectionName": "another",
            "digest": spec.digest(), "digestAlgorithm": "MANIFEST_MD5", "enableDigestDeduplication": true,
        });
        let manifest = json!({
            "artifactID": self.begun, "name": "wandb_manifest.json", "digest": md5_base64(&spec.manifest()), "entityName": "alpha",
            "projectName": "demo", "runName": "", "type": "FULL",
        });
        let (path, bytes) = &spec.files[0];
        let file = json!({ "artifactID": self.begun, "name": path, "md5": md5_base64(bytes) });
        let link = json!({
            "artifactID": self.linked, "artifactPortfolioName": "Another", "entityName": "acme",
            "projectName": "wandb-registry-model",
        });
        [
            ("mutation CreateArtifact($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { ...Artifact } \
                } } ", ARTIFACT, create),
            (
                "mutation CreateArtifactManifest($input: CreateArtifactManifestInput!) { createArtifactManifest(input: $input) { \
                 artifactManifest { id file { ...File } } } } ",
                FILE,
                manifest,
            ),
            (
                "mutation UpdateArtifactManifest($input: UpdateArtifactManifestInput!) { updateArtifactManifest(input: $input) { \
                 artifactManifest { id file { ...File } } } } ",
                FILE,
                json!({ "artifactManifestID": self.draft, "digest": md5_base64(&spec.manifest()), "baseArtifactID": self.linked }),
            ),
            (
                "mutation CreateArtifactFiles($input: CreateArtifactFilesInput!) { createArtifactFiles(input: $input) { files { \
                    totalCount \
                 edges { cursor node { ...File } } pageInfo { hasNextPage } } } } ",
                FILE,
                json!({ "artifactFiles": [file], "storageLayout": "V2" }),
            ),
            (
                "mutation CommitArtifact($input: CommitArtifactInput!) { commitArtifact(input: $input) { artifact { ...Artifact \
                    } } } ",
                ARTIFACT,
                json!({ "artifactID": self.ready }),
            ),
            (
                "mutation LinkArtifact($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex \
                    artifactMembership { id \
                 artifact { ...Artifact } } } } ",
                ARTIFACT,
                link,
            ),
        ]
        .into_iter()
        .map(|(text, fragment, input)| {
            let variables = json!({ "input": input });
            Document { client: &self.alice, text: [text, fragment].concat(), variables }
        })
        .collect()
    }

    /// The W&B protocol's changes of a version, a link and collections, all of them deleted at last.
    async fn changes(&self) -> Vec<Document<'_>> {
        let (mut linked, mut last) = (Vec::new(), String::new());
        for bytes in ["one", "two"] {
            last = self.alice.log(&VersionSpec::model("alpha", "passing", bytes.as_bytes())).await.id;
            let place = self.alice.link(&last, "acme", "model", "Passing", &[]).await.ok();
            linked.push(place["linkArtifact"]["artifactMembership"]["artifact"]["id"].clone());
        }
        let number = async |name: &str| self.server.number(&format!("select id from collections where name = '{name}'")).await;
        let source = encode_id("ArtifactCollection", number("passing").await);
        let portfolio = encode_id("ArtifactCollection", number("Passing").await);
        let place = json!({ "entityName": "acme", "projectName": "wandb-registry-model", "artifactCollectionName": "Passing" });
        let with = |more: Value| {
            let mut all = place.clone();
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        let aliases = json!({ "artifactID": last, "aliases": [with(json!({ "alias": "best" }))] });
        let tags = with(json!({ "tags": [{ "tagName": "blue sky" }] }));
        let update = json!({ "artifactID": last, "description": "new", "tagsToAdd": [{ "tagName": "blue" }] });
        [
            ("addAliases", aliases.clone()),
            ("deleteAliases", aliases),
            ("updateArtifact", update),
            ("createArtifactCollectionTagAssignments", tags.clone()),
            ("deleteArtifactCollectionTagAssignments", tags),
            ("updateArtifactPortfolio", json!({ "artifactPortfolioID": portfolio, "description": "The card." })),
            ("updateArtifactSequence", json!({ "artifactSequenceID": source, "name": "passed" })),
            ("unlinkArtifact", json!({ "artifactID": linked[0], "artifactPortfolioID": portfolio, "clientMutationId": "x" })),
            ("deleteArtifactPortfolio", json!({ "artifactPortfolioID": portfolio })),
            ("moveArtifactSequence", json!({ "artifactSequenceID": source, "destinationArtifactTypeName": "other" })),
            ("deleteArtifact", json!({ "artifactID": last })),
            ("deleteArtifactSequence", json!({ "artifactSequenceID": source })),
        ]
        .into_iter()
        .map(|(field, input)| Document { client: &self.alice, text: change(field), variables: json!({ "input": input }) })
        .collect()
    }

    /// The W&B protocol's ways to people and projects, in an order in which each of them succeeds.
    async fn people(&self) -> Vec<Document<'_>> {
        let alice = |text: &str, variables: Value| Document { client: &self.alice, text: text.into(), variables };
        let bob = encode_id("Member", self.server.number("select id from entities where name = 'bob'").await);
        let viewer = self.alice.graphql("{ viewer { apiKeys { nodes { id } } } }", json!({})).await.ok();
        let spare = self.alice.graphql(GENERATE_API_KEY, json!({ "description": "spare" })).await.ok();
        assert_eq!(viewer["viewer"]["apiKeys"]["nodes"].as_array().map(Vec::len), Some(1));
        vec![
            alice(CREATE_TEAM, json!({ "teamName": "gamma" })),
            alice(CREATE_INVITE, json!({ "entity": "gamma", "username": "bob" })),
            alice(CREATE_SERVICE_ACCOUNT, json!({ "entity": "gamma", "description": "CI service account" })),
            alice(TEAM, json!({ "name": "gamma" })),
            alice(DELETE_INVITE, json!({ "entity": "gamma", "id": bob })),
            Document { client: &self.admin, text: CREATE_USER.into(), variables: json!({ "email": "stranger@example.com" }) },
            alice(UPDATE_USER, json!({ "entity": "alpha" })),
            alice(GENERATE_API_KEY, json!({ "description": "another" })),
            alice(DELETE_API_KEY, json!({ "id": spare["result"]["apiKey"]["id"] })),
            alice(CREATE_PROJECT, json!({ "entityName": "alpha", "name": "more" })),
            alice(&projects(), json!({ "entity": "alpha" })),
        ]
    }

    /// Each mutation of our own once, in an order in which it succeeds.
    async fn own_mutations(&self) -> Vec<(&'static str, &Client, Value)> {
        let registry = self.server.number("select id from projects where kind = 'registry' and name = 'model'").await;
        let registry = encode_id("Registry", registry);
        let gone = self.alice.make_registry("acme", "gone", "RESTRICTED").await;
        let viewer = self.admin.graphql("{ viewer { apiKeys { nodes { id } } } }", json!({})).await.ok();
        let key = &viewer["viewer"]["apiKeys"]["nodes"][0]["id"];
        let (admin, alice) = (&self.admin, &self.alice);
        let changed = alice.log(&VersionSpec::model("alpha", "changing", b"changing")).await.id;
        let place = alice.link(&changed, "acme", "model", "Changing", &["best"]).await.ok();
        let place = &place["linkArtifact"]["artifactMembership"]["id"];
        let collection = self.server.number("select id from collections where name = 'Changing'").await;
        let collection = encode_id("Collection", collection);
        let set = chrono::Utc::now();
        let file = json!({ "path": "a.txt", "md5": md5_hex(b"a"), "size": 1 });
        let begin = json!({ "entity": "alpha", "project": "demo", "collection": "own", "typeName": "model", "files": [file] });
        vec![
            ("userCreate", admin, json!({ "name": "newcomer", "email": "newcomer@example.com" })),
            ("apiKeyCreate", alice, json!({ "name": "laptop" })),
            ("apiKeyImport", alice, json!({ "secret": "old-0123456789abcdef0123456789abcdef01234567" })),
            // The first start's key: nobody here uses it.
            ("apiKeyRevoke", admin, json!({ "id": key })),
            ("sessionEnd", alice, json!({ "others": true })),
            ("organizationCreate", admin, json!({ "displayName": "Newcomer & Co", "admin": "newcomer" })),
            ("organizationUpdate", alice, json!({ "organization": "acme", "registryCreation": "ADMINS" })),
            ("organizationMemberSet", alice, json!({ "organization": "acme", "user": "bob", "role": "ADMIN" })),
            ("teamCreate", alice, json!({ "organization": "acme", "name": "beta", "admin": "bob" })),
            ("teamMemberSet", alice, json!({ "team": "beta", "user": "alice", "role": "MEMBER" })),
            ("userUpdate", alice, json!({ "displayName": "Alice A.", "defaultEntity": "alpha" })),
            ("userSetPassword", alice, json!({ "newPassword": "correct horse battery" })),
            ("serviceAccountCreate", alice, json!({ "team": "alpha", "name": "ci", "displayName": "CI" })),
            ("teamMemberRemove", alice, json!({ "team": "beta", "user": "alice" })),
            ("teamDelete", alice, json!({ "team": "beta" })),
            ("organizationMemberRemove", alice, json!({ "organization": "acme", "user": "bob" })),
            ("organizationDelete", admin, json!({ "organization": "Newcomer & Co" })),
            ("userDelete", admin, json!({ "name": "newcomer" })),
            ("registryCreate", alice, json!({ "organization": "acme", "name": "Reviewed", "types": ["model"] })),
            ("registryUpdate", alice, json!({ "id": registry, "description": "The models." })),
            ("registryMemberAdd", alice, json!({ "registry": registry, "users": ["alice"], "teams": ["alpha"] })),
            ("registryMemberSet", alice, json!({ "registry": registry, "team": "alpha", "role": "MEMBER" })),
            ("registryMemberRemove", alice, json!({ "registry": registry, "teams": ["alpha"] })),
            ("registryDelete", alice, json!({ "id": gone })),
            ("versionBegin", alice, begin),
            ("versionCommit", alice, json!({ "version": self.linked })),
            (
                "versionLink",
                alice,
                json!({ "version": self.linked, "target": "acme/wandb-registry-Reviewed/Net", "aliases": ["production"] }),
            ),
            ("versionUpdate", alice, json!({ "version": changed, "description": "Changed.", "addTags": ["blue"], "ttl": 0 })),
            ("collectionUpdate", alice, json!({ "collection": collection, "name": "Changed", "addTags": ["blue"] })),
            ("linkUpdate", alice, json!({ "link": place, "addAliases": ["better"] })),
            ("aliasRestore", alice, json!({ "collection": collection, "alias": "best", "at": set })),
            ("linkDelete", alice, json!({ "link": place })),
            ("collectionDelete", alice, json!({ "collection": collection })),
            ("versionDelete", alice, json!({ "version": changed, "deleteAliases": true })),
        ]
    }
}
