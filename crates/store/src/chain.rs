//! The chain of audit events in the database: giving those that aren't sealed their positions and hashes, and reading what is.
//! What must not live here: what is hashed, and what is wrong with a chain (the domain crate).

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::TryStreamExt as _;
use regalia_domain::chain::{BEGINNING, End, Event, Sealed};
use regalia_domain::digest::Sha256;
use regalia_domain::ids::OrganizationId;
use uuid::Uuid;

use crate::{Connection, Error, Result, Tx};

/// Names the lock under which one server at a time seals.
const LOCK: i64 = 0x0052_4547_414c_4941;

/// A time as it is hashed and shown: UTC, with six digits after the second.
#[must_use]
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Whether there are events that aren't sealed: what an idle sealer asks, of an index that is empty then.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn unsealed(connection: &mut Connection) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"-- chain::unsealed
        select exists (select from audit_events where position is null) as "unsealed!""#
    )
    .fetch_one(connection)
    .await?)
}

/// An event with its hash, as PostgreSQL gives it.
struct Row {
    id: i64,
    at: DateTime<Utc>,
    organization_id: Option<i64>,
    actor_id: Option<i64>,
    request_id: Uuid,
    kind: String,
    subject: String,
    project_id: Option<i64>,
    collection_id: Option<i64>,
    before: Option<String>,
    after: Option<String>,
    position: Option<i64>,
    hash: Option<Vec<u8>>,
}

impl Row {
    fn event(self, position: i64) -> Event {
        Event {
            position,
            id: self.id,
            at: time(self.at),
            organization: self.organization_id,
            actor: self.actor_id,
            request: self.request_id.to_string(),
            kind: self.kind,
            subject: self.subject,
            project: self.project_id,
            collection: self.collection_id,
            before: self.before,
            after: self.after,
        }
    }
}

fn hash(bytes: &[u8]) -> Result<Sha256> {
    // A check constraint has the length; whoever took it away has more to answer for.
    bytes.try_into().map(Sha256).map_err(|_| Error::Invalid)
}

/// Seals at most so many events, in the order of their numbers, each behind what is sealed of its chain. Returns how many, and
/// the new end of each chain that grew; none, while another server is sealing. A chain behind whose end somebody put an event waits
/// until that is taken away, and holds up no other. Positions are given in the order in which
/// commits are seen, so whoever writes events waits for nobody. Needs memory for their hashes alone.
///
/// # Errors
/// `AffectedRows` and `Exists` when somebody changes the events meanwhile, who isn't a server.
pub async fn seal(tx: &mut Tx, most: i64) -> Result<Option<(usize, Vec<End>)>> {
    let alone = sqlx::query_scalar!(
        r#"-- chain::seal_lock
        select pg_try_advisory_xact_lock($1) as "alone!""#,
        LOCK
    )
    .fetch_one(&mut **tx)
    .await?;
    if !alone {
        return Ok(None);
    }
    // Here position and hash are those of the chain's end.
    let mut rows = sqlx::query_as!(
        Row,
        r#"-- chain::seal_events
        select e.id, e.at, e.organization_id, e.actor_id, e.request_id, e.kind, e.subject, e.project_id, e.collection_id,
            e.before::text as before, e.after::text as after, c.position as "position?", c.hash as "hash?"
        from audit_events e left join audit_chains c on c.id = coalesce(e.organization_id, 0)
        where e.position is null and not exists (
            select 1 from audit_events behind
            where coalesce(behind.organization_id, 0) = coalesce(e.organization_id, 0) and behind.position > coalesce(c.position, 0))
        order by e.id limit $1"#,
        most
    )
    .fetch(&mut **tx);
    let mut ends: HashMap<i64, End> = HashMap::new();
    let (mut ids, mut positions, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(row) = rows.try_next().await? {
        let chain = row.organization_id.unwrap_or(0);
        let end = match ends.get(&chain) {
            Some(end) => *end,
            None => End {
                organization: row.organization_id,
                position: row.position.unwrap_or(0),
                hash: row.hash.as_deref().map_or(Ok(BEGINNING), hash)?,
            },
        };
        let (id, position) = (row.id, end.position + 1);
        let hash = row.event(position).hash(&end.hash);
        ids.push(id);
        positions.push(position);
        hashes.push(hash.0.to_vec());
        ends.insert(chain, End { position, hash, ..end });
    }
    drop(rows);
    if ids.is_empty() {
        return Ok(Some((0, Vec::new())));
    }
    let done = sqlx::query!(
        "-- chain::seal
        update audit_events e set position = sealed.position, hash = sealed.hash
        from unnest($1::bigint[], $2::bigint[], $3::bytea[]) sealed (id, position, hash) where e.id = sealed.id and e.position is null",
        &ids,
        &positions,
        &hashes
    )
    .execute(&mut **tx)
    .await?;
    if usize::try_from(done.rows_affected()).ok() != Some(ids.len()) {
        return Err(Error::AffectedRows { statement: "chain::seal", actual: done.rows_affected() });
    }
    let (chains, ends): (Vec<i64>, Vec<End>) = ends.into_iter().unzip();
    let (positions, hashes): (Vec<i64>, Vec<Vec<u8>>) = ends.iter().map(|end| (end.position, end.hash.0.to_vec())).unzip();
    sqlx::query!(
        "-- chain::seal_ends
        insert into audit_chains (id, position, hash) select * from unnest($1::bigint[], $2::bigint[], $3::bytea[])
        on conflict (id) do update set position = excluded.position, hash = excluded.hash, sealed_at = excluded.sealed_at",
        &chains,
        &positions,
        &hashes
    )
    .execute(&mut **tx)
    .await?;
    Ok(Some((ids.len(), ends)))
}

/// The end of each chain.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn ends(connection: &mut Connection) -> Result<Vec<End>> {
    let rows =
        sqlx::query!("-- chain::ends\nselect id, position, hash from audit_chains order by id").fetch_all(connection).await?;
    let end = |id: i64, position, bytes: &[u8]| Ok(End { organization: (id != 0).then_some(id), position, hash: hash(bytes)? });
    rows.iter().map(|row| end(row.id, row.position, &row.hash)).collect()
}

/// Makes a transaction see one moment, however long it reads, and however long whoever takes what was read keeps it waiting.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn one_moment(tx: &mut Tx) -> Result<()> {
    sqlx::query!("-- chain::one_moment\nset transaction isolation level repeatable read, read only").execute(&mut **tx).await?;
    sqlx::query!("-- chain::any_pace\nset local idle_in_transaction_session_timeout = 0").execute(&mut **tx).await?;
    Ok(())
}

/// Up to where chains were read.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    chain: i64,
    position: i64,
    id: i64,
}

impl Place {
    /// Before all that may be in the table, also where no server puts anything.
    pub const START: Self = Self { chain: i64::MIN, position: i64::MIN, id: i64::MIN };
}

/// The next sealed events, chain by chain and by position, of one organization or of all; and where the next page begins.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn page(
    connection: &mut Connection,
    organization: Option<OrganizationId>,
    after: Place,
    most: i64,
) -> Result<(Vec<Sealed>, Place)> {
    let rows = sqlx::query_as!(
        Row,
        r#"-- chain::page
        select id, at, organization_id, actor_id, request_id, kind, subject, project_id, collection_id,
            before::text as before, after::text as after, position, hash
        from audit_events
        where position is not null and (coalesce(organization_id, 0), position, id) > ($1, $2, $3)
            and ($4::bigint is null or organization_id = $4)
        order by coalesce(organization_id, 0), position, id limit $5"#,
        after.chain,
        after.position,
        after.id,
        organization.map(|id| id.0),
        most
    )
    .fetch_all(connection)
    .await?;
    let mut place = after;
    let events = rows.into_iter().map(|mut row| {
        let hash = row.hash.take().unwrap_or_default();
        let event = {
            let position = row.position.unwrap_or(0);
            row.event(position)
        };
        place = Place { chain: event.organization.unwrap_or(0), position: event.position, id: event.id };
        Sealed { event, hash: hex::encode(hash) }
    });
    let events = events.collect();
    Ok((events, place))
}

/// How many events aren't sealed, and the first of those that are a minute older than the end of some chain: a sealer that was
/// at work later would have sealed it.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn left(connection: &mut Connection) -> Result<(i64, Option<Event>)> {
    let count = sqlx::query_scalar!(
        r#"-- chain::left_count
        select count(*) as "count!" from audit_events where position is null"#
    )
    .fetch_one(&mut *connection)
    .await?;
    let row = sqlx::query_as!(
        Row,
        r#"-- chain::left
        select id, at, organization_id, actor_id, request_id, kind, subject, project_id, collection_id,
            before::text as before, after::text as after, position, hash
        from audit_events where position is null and at < (
            select max(e.at) from audit_chains c join audit_events e on coalesce(e.organization_id, 0) = c.id and e.position = c.position
        ) - interval '1 minute' order by id limit 1"#
    )
    .fetch_optional(connection)
    .await?;
    Ok((count, row.map(|row| row.event(0))))
}

/// The number of an organization by its entity name, also of one that is deleted.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn organization(connection: &mut Connection, name: &str) -> Result<Option<OrganizationId>> {
    let id = sqlx::query_scalar!(
        "-- chain::organization
        select coalesce((select id from entities where kind = 'organization' and name = $1),
            (select max(organization_id) from audit_events where kind = 'organization.created' and after ->> 'name' = $1))",
        name
    )
    .fetch_one(connection)
    .await?;
    Ok(id.map(OrganizationId))
}
