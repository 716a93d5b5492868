//! The end of committed versions of a locked source collection: of some, or of all, with their places, their aliases and the events
//! that tell of it. Everything is done by SQL where the rows are, so memory doesn't grow with their number. What must not live
//! here: who may end them (`access`, and rule 35 for those that expire), and bytes (`garbage`).

use regalia_domain::alias::LATEST;
use regalia_domain::ids::OrganizationId;

use crate::audit::{Kind, Origin};
use crate::collections::Locked;
use crate::{Error, Result, Tx};

/// What of a source collection ends.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// These versions.
    These(&'a [i64]),
    /// Every version, because the collection itself goes. What happens inside of it is told by the event of its own end.
    All,
}

impl<'a> Which<'a> {
    fn ids(self) -> Option<&'a [i64]> {
        match self {
            Self::These(ids) => Some(ids),
            Self::All => None,
        }
    }
}

/// Versions that are about to end, under their locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// How many of them are committed.
    pub versions: i64,
    /// Whether one of them stands in a collection that isn't locked: it was linked after the collections were.
    pub elsewhere: bool,
}

fn ids(collections: &[Locked]) -> Vec<i64> {
    collections.iter().map(|collection| collection.id().0).collect()
}

/// Locks committed versions of a locked source collection against links and changes. `locked` are all collections that are.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn lock(tx: &mut Tx, source: &Locked, which: Which<'_>, locked: &[Locked]) -> Result<Ending> {
    sqlx::query!(
        r#"-- ending::lock
        select count(*) as "count!" from (
            select id from versions where collection_id = $1 and ($2::bigint[] is null or id = any($2)) order by id for update
        ) versions"#,
        source.id().0,
        which.ids()
    )
    .fetch_one(&mut **tx)
    .await?;
    // What is read in the statement that waits may be older than the lock.
    Ok(sqlx::query_as!(
        Ending,
        r#"-- ending::locked
        select count(*) as "versions!", coalesce(bool_or(exists (
            select 1 from memberships m where m.version_id = v.id and m.collection_id <> all($3)
        )), false) as "elsewhere!"
        from versions v where v.collection_id = $1 and v.state = 'committed' and ($2::bigint[] is null or v.id = any($2))"#,
        source.id().0,
        which.ids(),
        &ids(locked)
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// Ends locked versions: takes them out of all collections with their aliases there, gives `latest` to the highest index that is
/// left (rule 29), marks them as deleted and records it all. Their rows stay for the history, without what they said, and their
/// content is named by them no more. `reason` stands in the event of each version.
///
/// # Errors
/// `Protected`, when one of them holds an alias that whoever took the locks may not remove (rule 32). `AffectedRows`, when one of
/// them wasn't committed.
pub async fn end(
    tx: &mut Tx,
    origin: Origin,
    organization: Option<OrganizationId>,
    source: &Locked,
    which: Which<'_>,
    locked: &[Locked],
    reason: Option<&str>,
) -> Result<()> {
    may_end(tx, source, which, locked).await?;
    let (places, all) = (ids(locked), matches!(which, Which::All));
    sqlx::query!(
        "-- ending::clock
        update collections set alias_clock = greatest(clock_timestamp(), alias_clock + interval '1 microsecond'), updated_at = now()
        where id = any($1)",
        &places
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "-- ending::close
        update aliases a set valid = tstzrange(lower(a.valid), c.alias_clock) from collections c, versions v
        where c.id = a.collection_id and a.collection_id = any($3) and upper_inf(a.valid)
            and v.id = a.version_id and v.collection_id = $1 and ($2::bigint[] is null or v.id = any($2))",
        source.id().0,
        which.ids(),
        &places
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "-- ending::latest
        insert into aliases (collection_id, version_id, index, alias, valid, set_by)
        select c.id, newest.version_id, newest.index, $4, tstzrange(c.alias_clock, null), $5
        from versions ended
        join aliases a on a.version_id = ended.id and a.alias = $4
        join collections c on c.id = a.collection_id and upper(a.valid) = c.alias_clock
        cross join lateral (
            select m.version_id, m.index from memberships m join versions v on v.id = m.version_id
            where m.collection_id = c.id and (v.collection_id = $1 and ($2::bigint[] is null or v.id = any($2))) is not true
            order by m.index desc limit 1
        ) newest
        where ended.collection_id = $1 and ($2::bigint[] is null or ended.id = any($2)) and c.id = any($3) and (c.id <> $1 or not $6)",
        source.id().0,
        which.ids(),
        &places,
        LATEST,
        origin.actor.map(|actor| actor.0),
        all
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "-- ending::tell_aliases
        insert into audit_events (organization_id, actor_id, request_id, kind, subject, project_id, collection_id, before, after)
        select $7, $8, $9, case when n.id is null then $6 else $5 end, 'Collection:' || c.id, c.project_id, c.id,
            jsonb_build_object('alias', a.alias, 'version', a.version_id),
            case when n.id is not null then jsonb_build_object('alias', a.alias, 'version', n.version_id) end
        from versions v
        join aliases a on a.version_id = v.id
        join collections c on c.id = a.collection_id and c.id = any($3) and upper(a.valid) = c.alias_clock
        left join aliases n on n.collection_id = c.id and n.alias = a.alias and lower(n.valid) = c.alias_clock
        where v.collection_id = $1 and ($2::bigint[] is null or v.id = any($2)) and (c.id <> $1 or not $4)
        order by c.id, a.alias",
        source.id().0,
        which.ids(),
        &places,
        all,
        Kind::AliasSet.as_str(),
        Kind::AliasRemoved.as_str(),
        organization.map(|id| id.0),
        origin.actor.map(|id| id.0),
        origin.request
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "-- ending::leave
        with gone as (
            delete from memberships m using versions v
            where v.id = m.version_id and v.collection_id = $1 and ($2::bigint[] is null or v.id = any($2)) and m.collection_id = any($3)
            returning m.id, m.collection_id, m.version_id, m.index, v.digest
        )
        insert into audit_events (organization_id, actor_id, request_id, kind, subject, project_id, collection_id, before)
        select $7, $8, $9, case when collection_id = $1 then $5 else $6 end, 'Version:' || version_id, c.project_id, collection_id,
            jsonb_build_object('collection', collection_id, 'index', index) || case
                when collection_id <> $1 then jsonb_build_object('membership', gone.id)
                when $4::text is null then jsonb_build_object('digest', digest)
                else jsonb_build_object('digest', digest, 'reason', $4::text)
            end
        from gone join collections c on c.id = collection_id order by collection_id = $1, collection_id, index",
        source.id().0,
        which.ids(),
        &places,
        reason,
        Kind::VersionDeleted.as_str(),
        Kind::VersionUnlinked.as_str(),
        organization.map(|id| id.0),
        origin.actor.map(|id| id.0),
        origin.request
    )
    .execute(&mut **tx)
    .await?;
    let done = sqlx::query!(
        "-- ending::end
        with ended as (
            select id from versions where collection_id = $1 and state = 'committed' and ($2::bigint[] is null or id = any($2))
        ), untagged as (
            delete from version_tags where version_id in (select id from ended)
        )
        update versions set state = 'deleted', manifest_id = null, description = null, metadata = '{}', metadata_index = '{}',
            updated_at = now()
        where id in (select id from ended)",
        source.id().0,
        which.ids()
    )
    .execute(&mut **tx)
    .await?;
    match which {
        Which::These(ids) if done.rows_affected() != ids.len() as u64 => {
            Err(Error::AffectedRows { statement: "ending::end", actual: done.rows_affected() })
        }
        _ => Ok(()),
    }
}

/// Asks for the aliases that go, of which only the protected ones can be refused.
async fn may_end(tx: &mut Tx, source: &Locked, which: Which<'_>, locked: &[Locked]) -> Result<()> {
    let held = sqlx::query!(
        "-- ending::may_end
        select a.collection_id, a.alias
        from versions v
        join aliases a on a.version_id = v.id and upper_inf(a.valid) and a.collection_id = any($3)
        join collections c on c.id = a.collection_id
        join projects p on p.id = c.project_id and a.alias = any(p.protected_aliases)
        where v.collection_id = $1 and ($2::bigint[] is null or v.id = any($2))
        order by a.collection_id, a.alias limit 1",
        source.id().0,
        which.ids(),
        &ids(locked)
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(held) = held else { return Ok(()) };
    match locked.iter().find(|collection| collection.id().0 == held.collection_id) {
        Some(collection) => collection.may_change(&[held.alias]),
        None => Ok(()),
    }
}
