//! Projects and registries found together with the place that a document goes on to ask for: `project(…) { artifact(name:
//! "collection:alias") }` and its like are one statement, as what they stand for is one address. The children find what was
//! brought along under their own keys, and know nothing of this. What must not live here: what a document may not see.

use async_graphql::{Context, SelectionField, Value};
use regalia_domain::alias::split_versioned_name;
use regalia_service::store::access::{ProjectKind, ProjectRow};

use crate::context::Reach as _;
use crate::error::OrNull as _;
use crate::loaders::{CollectionKey, CollectionNamed, PlaceNamed, ProjectKey, VersionKey};

/// A project or registry by its names; none when it is absent or invisible.
pub(crate) async fn project(
    context: &Context<'_>,
    entity: &str,
    kind: ProjectKind,
    name: &str,
) -> async_graphql::Result<Option<ProjectRow>> {
    let (service, caller) = (context.service()?, context.caller()?);
    let Some(asked) = place(context.field()) else { return service.project(caller, entity, kind, name).await.or_null() };
    let Some(found) = service.at(caller, entity, kind, name, &asked).await.or_null()? else { return Ok(None) };
    let project = found.project.id.0;
    context.know(ProjectKey(project), Some(found.project.clone()))?;
    if let Some(row) = &found.collection {
        context.know(CollectionKey(row.id.0), Some(row.clone()))?;
    }
    if let Some(row) = found.version {
        context.know(VersionKey(row.id.0), Some(row))?;
    }
    context.know(CollectionNamed(project, split_versioned_name(&asked).0), found.collection)?;
    context.know(PlaceNamed(project, asked), found.place)?;
    Ok(Some(found.project))
}

/// The first place that is asked for below a project, as `collection:alias`.
fn place(project: SelectionField<'_>) -> Option<String> {
    project.selection_set().find_map(|field| match field.name() {
        "artifact" | "artifactCollectionMembership" => text(field, "name"),
        "artifactCollection" | "collection" => {
            // No collection has a colon in its name, and the address of one that had would mean something else.
            let collection = text(field, "name").filter(|name| !name.contains(':'))?;
            let alias = field.selection_set().find_map(|field| match field.name() {
                "artifactMembership" => text(field, "aliasName"),
                "link" => text(field, "alias"),
                _ => None,
            })?;
            Some(format!("{collection}:{alias}"))
        }
        _ => None,
    })
}

fn text(field: SelectionField<'_>, argument: &str) -> Option<String> {
    field.arguments().ok()?.into_iter().find_map(|(name, value)| match value {
        // What has a NUL is nowhere, and nothing that PostgreSQL may be asked.
        Value::String(text) if name == argument && !text.contains('\0') => Some(text),
        _ => None,
    })
}
