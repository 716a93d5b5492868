//! How many statements a page of the SDK's lists takes. What must not live here: what stands on the pages.

use super::*;

const PAGE_INFO: &str = "pageInfo { __typename endCursor hasNextPage }";

const PROJECT_INFO: &str = "fragment P on Project { id internalId name entity { name } }";

const COLLECTION: &str = "fragment C on ArtifactCollection { __typename id name description createdAt updatedAt project { ...P } \
    type: defaultArtifactType { name } tags { edges { node { __typename id name } } } }";

const VERSION: &str = "fragment A on Artifact { __typename id artifactSequence { __typename name project { ...P } } versionIndex \
    artifactType { name } description metadata ttlDurationSeconds ttlIsInherited tags { __typename id name } historyStep state size digest \
    commitHash fileCount createdAt updatedAt aliases @include(if: $includeAliases) { artifactCollection { ...I } __typename id alias } } \
    fragment I on ArtifactCollection { __typename name project { ...P } }";

/// The documents with which the SDK asks for lists.
pub(crate) fn sdk_documents() -> Vec<(&'static str, String)> {
    let page = PAGE_INFO;
    let in_type =
        |list: &str| format!("project(entityName: $entity, name: $project) {{ artifactType(name: $type) {{ {list} }} }}");
    let of_organization = |list: &str| format!("organization(name: $organization) {{ orgEntity {{ {list} }} }}");
    let arguments = "after: $cursor, first: $perPage, order: $order";
    let paged = "$cursor: String, $perPage: Int, $order: String";
    vec![
        (
            "FetchRegistries",
            format!(
                "query FetchRegistries($organization: String!, $filters: JSONString, {paged}) {{ {} }} fragment R on Project {{ __typename \
                 id internalId name entity {{ name organization {{ name }} }} description createdAt updatedAt access \
                 allowAllArtifactTypes: allowAllArtifactTypesInRegistry artifactTypes(includeAll: true) {{ edges {{ node {{ name }} }} }} }}",
                of_organization(&format!("projects(filters: $filters, {arguments}) {{ {page} edges {{ node {{ ...R }} }} }}"))
            ),
        ),
        (
            "RegistryCollections",
            format!(
                "query RegistryCollections($organization: String!, $registryFilter: JSONString, $collectionFilter: JSONString, \
                 $collectionTypes: [ArtifactCollectionType!] = [PORTFOLIO], {paged}) {{ {} }} {COLLECTION} {PROJECT_INFO}",
                of_organization(&format!(
                    "name artifactCollections(projectFilters: $registryFilter, filters: $collectionFilter, collectionTypes: \
                     $collectionTypes, {arguments}) {{ totalCount {page} edges {{ node {{ ...C }} }} }}"
                ))
            ),
        ),
        (
            "RegistryVersions",
            format!(
                "query RegistryVersions($organization: String!, $registryFilter: JSONString, $collectionFilter: JSONString, \
                 $artifactFilter: JSONString, {paged}, $includeAliases: Boolean = false) {{ {} }} {VERSION} {PROJECT_INFO}",
                of_organization(&format!(
                    "name artifactMemberships(projectFilters: $registryFilter, collectionFilters: $collectionFilter, filters: \
                     $artifactFilter, {arguments}) {{ {page} edges {{ node {{ __typename id versionIndex createdAt aliases {{ \
                     __typename id alias }} artifactCollection {{ ...I }} artifact {{ ...A }} }} }} }}"
                ))
            ),
        ),
        (
            "ProjectArtifactCollections",
            format!(
                "query ProjectArtifactCollections($entity: String!, $project: String!, $filters: JSONString, {paged}) {{ \
                 project(entityName: $entity, name: $project) {{ artifactCollections(filters: $filters, {arguments}) {{ \
                 totalCount @include(if: true) {page} edges {{ node {{ ...C }} }} }} }} }} {COLLECTION} {PROJECT_INFO}"
            ),
        ),
        (
            "ArtifactTypeArtifactCollections",
            format!(
                "query ArtifactTypeArtifactCollections($entity: String!, $project: String!, $type: String!, $filters: JSONString, \
                 {paged}) {{ {} }} {COLLECTION} {PROJECT_INFO}",
                in_type(&format!(
                    "artifactCollections(filters: $filters, {arguments}) {{ totalCount {page} edges {{ node {{ ...C }} }} }}"
                ))
            ),
        ),
        (
            "ProjectArtifacts",
            format!(
                "query ProjectArtifacts($entity: String!, $project: String!, $type: String!, $collection: String!, $filters: \
                 JSONString, {paged}, $includeAliases: Boolean = true) {{ {} }} {VERSION} {PROJECT_INFO}",
                in_type(&format!(
                    "artifactCollection(name: $collection) {{ __typename artifacts(filters: $filters, {arguments}) {{ totalCount \
                     {page} edges {{ version node {{ ...A }} }} }} }}"
                ))
            ),
        ),
    ]
}

/// Sixty registries with a collection in each, sixty collections in one registry, sixty versions, each born in a collection of
/// its own and linked once here and once there; tags and aliases on all of them.
async fn many(server: &Server) {
    let registries = "insert into projects (kind, entity_id, name, name_key, visibility, description) select 'registry', e.id,         'many' || n, 'many' || n, case when n % 7 = 0 then 'restricted' else 'organization' end, 'about ' || n         from entities e, generate_series(1, 60) n where e.name = 'acme'";
    let types = "insert into artifact_types (project_id, name, listed) select p.id, t, true from projects p,         unnest('{model,dataset,other}'::text[]) t where p.name like 'many%'";
    let collections = "insert into collections (project_id, kind, name, type_id) select p.id, 'registry', 'line', t.id         from projects p join artifact_types t on t.project_id = p.id where p.name like 'many%' and t.name = 'model'";
    let in_model = "insert into collections (project_id, kind, name, type_id) select p.id, 'registry', 'line' || n, t.id         from projects p join artifact_types t on t.project_id = p.id, generate_series(1, 60) n         where p.name = 'model' and p.kind = 'registry' and t.name = 'model' and p.entity_id = (select id from entities where name = 'acme')";
    let sources = "insert into collections (project_id, kind, name, type_id) select c.project_id, 'source', 'source' || n, c.type_id         from collections c, generate_series(1, 60) n where c.kind = 'source' and c.name = 'net'";
    let versions = "insert into versions (collection_id, state, digest, manifest_id, committed_at, metadata, metadata_index)         select c.id, 'committed', v.digest, v.manifest_id, now(), '{}', '{}' from collections c,         (select * from versions where state = 'committed' order by id limit 1) v where c.name like 'source%'";
    let born = "insert into memberships (collection_id, version_id, index) select collection_id, id, 0 from versions         where collection_id in (select id from collections where name like 'source%')";
    let linked = "insert into memberships (collection_id, version_id, index) select c.id, v.id, 100 + v.n from collections c,         (select row_number() over (order by id) n, id from versions where collection_id in         (select id from collections where name like 'source%')) v         where (c.name = 'Net' and c.project_id = (select id from projects where name = 'model' and kind = 'registry' and entity_id =         (select id from entities where name = 'acme'))) or (c.name = 'line' and c.id % 60 = v.n % 60)";
    let tags = "insert into collection_tags (collection_id, tag) select id, t from collections, unnest('{one,two}'::text[]) t         where name like 'line%' or name like 'source%'; insert into version_tags (version_id, tag) select id, t from versions,         unnest('{one,two}'::text[]) t where collection_id in (select id from collections where name like 'source%')";
    let aliases = "insert into aliases (collection_id, version_id, alias, valid) select collection_id, version_id, 'alias' || id,         tstzrange(now(), null) from memberships";
    for statement in [registries, types, collections, in_model, sources, versions, born, linked, tags, aliases] {
        server.sql(statement).await;
    }
}

#[tokio::test]
async fn a_page_of_50_takes_as_many_statements_as_a_page_of_2() {
    let world = world().await;
    many(&world.server).await;
    let mut grown = String::new();
    for (name, document) in sdk_documents() {
        for (who, client) in [("alice", &world.alice), ("bob", &world.bob)] {
            let mut taken = Vec::new();
            for size in [2, 50] {
                let variables = json!({
                    "organization": "acme", "entity": "acme", "project": "wandb-registry-model", "type": "model", "collection": "Net",
                    "registryFilter": "{\"description\": {\"$exists\": true}}", "filters": "{\"created_at\": {\"$gt\": \"2001-01-01\"}}",
                    "collectionFilter": "{}", "artifactFilter": "{\"state\": \"COMMITTED\"}", "perPage": size, "cursor": null,
                    "order": null, "includeAliases": true,
                });
                let answer = client.graphql(&document, variables).await;
                let mut statements: Vec<String> = answer
                    .statements
                    .iter()
                    .map(|statement| statement.split_whitespace().nth(1).unwrap_or_default().to_owned())
                    .collect();
                statements.sort();
                let data = answer.ok().to_string();
                assert_eq!(data.matches("\"hasNextPage\":true").count(), 1, "{name} of {who}: {data}");
                assert!(data.matches("\"createdAt\"").count() >= size, "{name} of {who}");
                taken.push(statements);
            }
            println!("{name:<34}{who:<8}{:>3}{:>5}", taken[0].len(), taken[1].len());
            if taken[0] != taken[1] {
                writeln!(grown, "{name} of {who}: {:?} became {:?}", taken[0], taken[1]).unwrap();
            }
        }
    }
    assert!(grown.is_empty(), "statements that grow with the page:\n{grown}");
}
