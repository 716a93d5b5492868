//! Aliases with their history: the alias of today is the row whose range is open. What must not live here: which names
//! are aliases (rule 29 is in the domain crate).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use regalia_domain::alias::LATEST;
use regalia_domain::ids::{AliasId, CollectionId, UserId, VersionId};

use crate::collections::Locked;
use crate::{Connection, Error, Result, Tx};

/// An alias of today.
#[derive(Debug, Clone)]
pub struct AliasRow {
    /// Number of the period.
    pub id: AliasId,
    /// The collection that it belongs to.
    pub collection_id: CollectionId,
    /// What it points at.
    pub version_id: VersionId,
    /// Name.
    pub alias: String,
}

/// What setting aliases changed: the name and what it pointed at before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The alias.
    pub alias: String,
    /// The version that held it.
    pub from: Option<VersionId>,
}

/// Most aliases of one version in one collection, `latest` not counted: whoever reads one reads them all, and the SDK asks for 1,000.
pub const MOST: usize = 1000;

/// Points aliases of a locked collection at a version. Whatever held them loses them in the same transaction (rule 30),
/// and the time of the change is later than that of every change before it in this collection.
///
/// # Errors
/// `Protected`, when one of them is to change that only an admin of the registry changes (rule 32); `TooManyAliases`.
pub async fn set(tx: &mut Tx, collection: &Locked, version: VersionId, names: &[String], actor: UserId) -> Result<Vec<Moved>> {
    // Nothing is written for what is so already, not even the time of a change.
    let rows = sqlx::query!(
        r#"-- aliases::set_needed
        select name as "name!", (
            select count(*) from aliases a where a.collection_id = $1 and a.version_id = $2 and upper_inf(a.valid) and a.alias <> $4
        ) as "held!"
        from unnest($3::text[]) name
        where not exists (
            select 1 from aliases a
            where a.collection_id = $1 and a.version_id = $2 and a.alias = name and upper_inf(a.valid))"#,
        collection.id().0,
        version.0,
        names,
        LATEST
    )
    .fetch_all(&mut **tx)
    .await?;
    let Some(held) = rows.first().map(|row| row.held) else { return Ok(Vec::new()) };
    let needed: Vec<String> = rows.into_iter().map(|row| row.name).collect();
    let custom = needed.iter().filter(|name| *name != LATEST).count();
    if custom > 0 && usize::try_from(held).unwrap_or(usize::MAX).saturating_add(custom) > MOST {
        return Err(Error::TooManyAliases);
    }
    collection.may_change(&needed)?;
    let at: DateTime<Utc> = sqlx::query_scalar!(
        "-- aliases::set_clock
        update collections set alias_clock = greatest(clock_timestamp(), alias_clock + interval '1 microsecond')
        where id = $1 returning alias_clock",
        collection.id().0
    )
    .fetch_one(&mut **tx)
    .await?;
    let closed = sqlx::query!(
        "-- aliases::set_close
        update aliases set valid = tstzrange(lower(valid), $3)
        where collection_id = $1 and alias = any($2) and upper_inf(valid)
        returning alias, version_id",
        collection.id().0,
        &needed,
        at
    )
    .fetch_all(&mut **tx)
    .await?;
    let opened = sqlx::query!(
        "-- aliases::set_open
        insert into aliases (collection_id, version_id, index, alias, valid, set_by)
        select m.collection_id, m.version_id, m.index, name, tstzrange($4, null), $5 from memberships m, unnest($3::text[]) name
        where m.collection_id = $1 and m.version_id = $2",
        collection.id().0,
        version.0,
        &needed,
        at,
        actor.0
    )
    .execute(&mut **tx)
    .await?;
    // One that isn't there has no aliases.
    if usize::try_from(opened.rows_affected()).ok() != Some(needed.len()) {
        return Err(Error::AffectedRows { statement: "aliases::set_open", actual: opened.rows_affected() });
    }
    Ok(needed
        .into_iter()
        .map(|alias| {
            let from = closed.iter().find(|row| row.alias == alias).map(|row| VersionId(row.version_id));
            Moved { alias, from }
        })
        .collect())
}

/// Takes aliases from a version in a locked collection; those that it hadn't change nothing. The names that went.
///
/// # Errors
/// `Protected`, when one of them only an admin of the registry removes (rule 32).
pub async fn remove(tx: &mut Tx, collection: &Locked, version: VersionId, names: &[String]) -> Result<Vec<String>> {
    let held = sqlx::query_scalar!(
        "-- aliases::remove_held
        select alias from aliases where collection_id = $1 and version_id = $2 and alias = any($3) and upper_inf(valid)",
        collection.id().0,
        version.0,
        names
    )
    .fetch_all(&mut **tx)
    .await?;
    if held.is_empty() {
        return Ok(held);
    }
    collection.may_change(&held)?;
    sqlx::query!(
        "-- aliases::remove
        with clock as (
            update collections set alias_clock = greatest(clock_timestamp(), alias_clock + interval '1 microsecond')
            where id = $1 returning alias_clock
        )
        update aliases set valid = tstzrange(lower(valid), clock.alias_clock) from clock
        where collection_id = $1 and version_id = $2 and alias = any($3) and upper_inf(valid)",
        collection.id().0,
        version.0,
        &held
    )
    .execute(&mut **tx)
    .await?;
    Ok(held)
}

/// Whether the aliases of a locked collection may all go, with it.
///
/// # Errors
/// `Protected`, when one of them only an admin of the registry removes (rule 32).
pub async fn may_remove_all(tx: &mut Tx, collection: &Locked) -> Result<()> {
    let held = sqlx::query_scalar!(
        "-- aliases::may_remove_all\nselect alias from aliases where collection_id = $1 and upper_inf(valid)",
        collection.id().0
    )
    .fetch_all(&mut **tx)
    .await?;
    collection.may_change(&held)
}

/// An alias that a version lost by leaving a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The collection.
    pub collection: CollectionId,
    /// The version that held it.
    pub version: VersionId,
    /// The alias.
    pub alias: String,
    /// The version that has it now: `latest` goes to the highest index that is left (rule 29).
    pub to: Option<VersionId>,
}

/// A place that a version had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Its number.
    pub id: i64,
    /// The collection.
    pub collection: CollectionId,
    /// The version.
    pub version: VersionId,
    /// The index that it had there.
    pub index: i32,
}

/// What versions had in the collections that they left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaving {
    /// Their places.
    pub places: Vec<Left>,
    /// Their aliases.
    pub aliases: Vec<Lost>,
}

/// Takes versions out of locked collections: their places and their aliases there, with their times.
///
/// # Errors
/// `Protected`, when one of them holds an alias that whoever took the lock may not remove (rule 32).
pub async fn leave(tx: &mut Tx, collections: &[Locked], versions: &[i64], actor: UserId) -> Result<Leaving> {
    let ids: Vec<i64> = collections.iter().map(|collection| collection.id().0).collect();
    let held = sqlx::query!(
        "-- aliases::leave_held
        select collection_id, version_id, alias from aliases
        where version_id = any($1) and collection_id = any($2) and upper_inf(valid) order by collection_id, alias",
        versions,
        &ids
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut here: HashMap<i64, Vec<String>> = HashMap::new();
    for row in &held {
        here.entry(row.collection_id).or_default().push(row.alias.clone());
    }
    for collection in collections {
        collection.may_change(here.get(&collection.id().0).map_or(&[], Vec::as_slice))?;
    }
    let places = sqlx::query_as!(
        Left,
        "-- aliases::leave_places
        delete from memberships where version_id = any($1) and collection_id = any($2)
        returning id, collection_id as collection, version_id as version, index",
        versions,
        &ids
    )
    .fetch_all(&mut **tx)
    .await?;
    sqlx::query!(
        "-- aliases::leave_clock
        update collections set alias_clock = greatest(clock_timestamp(), alias_clock + interval '1 microsecond'), updated_at = now()
        where id = any($1)",
        &ids
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "-- aliases::leave_close
        update aliases a set valid = tstzrange(lower(a.valid), c.alias_clock) from collections c
        where c.id = a.collection_id and a.version_id = any($1) and a.collection_id = any($2) and upper_inf(a.valid)",
        versions,
        &ids
    )
    .execute(&mut **tx)
    .await?;
    let without: Vec<i64> = held.iter().filter(|row| row.alias == LATEST).map(|row| row.collection_id).collect();
    let moved = sqlx::query!(
        "-- aliases::leave_latest
        insert into aliases (collection_id, version_id, index, alias, valid, set_by)
        select c.id, newest.version_id, newest.index, $2, tstzrange(c.alias_clock, null), $3
        from collections c
        cross join lateral (select version_id, index from memberships where collection_id = c.id order by index desc limit 1) newest
        where c.id = any($1)
        returning collection_id, version_id",
        &without,
        LATEST,
        actor.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let moved: HashMap<i64, i64> = moved.into_iter().map(|row| (row.collection_id, row.version_id)).collect();
    let aliases = held.into_iter().map(|row| Lost {
        collection: CollectionId(row.collection_id),
        version: VersionId(row.version_id),
        to: moved.get(&row.collection_id).filter(|_| row.alias == LATEST).copied().map(VersionId),
        alias: row.alias,
    });
    Ok(Leaving { places, aliases: aliases.collect() })
}

/// One page of the aliases of today of each of several collections, by name: at most `limit` after the name `after`. The caller
/// of this checks their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_collections(connection: &mut Connection, collections: &[i64], after: &str, limit: i64) -> Result<Vec<AliasRow>> {
    Ok(sqlx::query_as!(
        AliasRow,
        "-- aliases::of_collections
        select a.id, a.collection_id, a.version_id, a.alias from unnest($1::bigint[]) c (id)
        cross join lateral (
            select * from aliases where collection_id = c.id and upper_inf(valid) and alias > $2 order by alias limit $3
        ) a
        order by a.collection_id, a.alias",
        collections,
        after,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// The aliases of today that point at these versions, in any collection, by name. The caller of this filters by what
/// collections may be seen.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_versions(connection: &mut Connection, versions: &[i64]) -> Result<Vec<AliasRow>> {
    Ok(sqlx::query_as!(
        AliasRow,
        "-- aliases::of_versions
        select id, collection_id, version_id, alias from aliases where version_id = any($1) and upper_inf(valid) order by alias",
        versions
    )
    .fetch_all(connection)
    .await?)
}
