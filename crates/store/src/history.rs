//! Reading what happened: timelines of audit events, and where aliases pointed. Every statement asks for the caller's right
//! itself, and leaves out what he may not see. What must not live here: writing events (`audit`) and their chain (`chain`).

use chrono::{DateTime, Utc};
use regalia_domain::ids::{CollectionId, VersionId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::access::Caller;
use crate::filters::Sql;
use crate::{Connection, Result};

/// Whose events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timeline {
    /// Organizations': all for their admins, those of people and teams for site administrators (rule 23).
    Organizations,
    /// Projects' and registries': all for their admins; for who sees them those of the collections that are there.
    Projects,
    /// Collections': for whoever sees them.
    Collections,
    /// The installation's, of which there is one: those of accounts, keys and sessions, for site administrators.
    Accounts,
}

/// Kinds of events that a site administrator sees, by what stands before the point: people and what they are in, no content.
const SITE: [&str; 8] = ["key", "organization", "organization_member", "password", "session", "team", "team_member", "user"];

/// What a forced removal tells of content.
const CONTENT: [&str; 3] = ["projects", "protected", "protected_count"];

/// Which events. Everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct EventFilter {
    /// One of these kinds.
    pub kinds: Option<Vec<String>>,
    /// Done by whoever has this name, where the caller sees the name.
    pub actor: Option<String>,
    /// Done to this, as `Kind:<number>`.
    pub subject: Option<String>,
    /// In this project or registry.
    pub project: Option<i64>,
    /// In this collection.
    pub collection: Option<i64>,
    /// At this moment or later.
    pub from: Option<DateTime<Utc>>,
    /// Earlier than this moment.
    pub before: Option<DateTime<Utc>>,
}

/// An event as a reader sees it.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Number.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Whose number did it.
    pub actor_id: Option<i64>,
    /// The name of that account, if it is there and the caller sees it.
    pub actor: Option<String>,
    /// The request that did it.
    pub request_id: Uuid,
    /// What happened.
    pub kind: String,
    /// What it happened to, as `Kind:<number>`.
    pub subject: String,
    /// The collection that it happened in.
    pub collection_id: Option<i64>,
    /// The number of the version that an alias was set to or taken from.
    pub version: Option<String>,
    /// Whether the caller sees only a part of what it tells: for [`texts`].
    pub partly: bool,
}

impl EventRow {
    fn of(row: &PgRow) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            actor_id: row.try_get("actor_id")?,
            actor: row.try_get("actor")?,
            request_id: row.try_get("request_id")?,
            kind: row.try_get("kind")?,
            subject: row.try_get("subject")?,
            collection_id: row.try_get("collection_id")?,
            version: row.try_get("version")?,
            partly: row.try_get("partly")?,
        })
    }
}

/// One page of the events of each parent, newest first: at most `most` before the number `after`; each with its parent.
///
/// # Errors
/// `TooSlow`; of PostgreSQL.
pub async fn events(
    connection: &mut Connection,
    caller: &Caller,
    of: Timeline,
    parents: &[i64],
    filter: &EventFilter,
    after: Option<i64>,
    most: i64,
) -> Result<Vec<(i64, EventRow)>> {
    let mut sql = Sql::new("-- history::events\nselect parent.id as parent, event.* from unnest(");
    sql.push_bind(parents.to_vec()).push("::bigint[]) parent (id)\ncross join lateral (select ");
    // What the caller is there: `everything` for an admin, `something` for who may see a part.
    let user = caller.user.0;
    // Whose chain an event has to be in to be one of a project: what is in another was put there by hand.
    let owner = |project: &str| {
        format!(
            ", (select coalesce(t.organization_id, o.id) from projects p left join teams t on t.id = p.entity_id \
             left join organizations o on o.id = p.entity_id where p.id = {project}) as owner"
        )
    };
    match of {
        Timeline::Organizations => {
            sql.push("exists (select from organization_members where organization_id = parent.id and user_id = ");
            sql.push_bind(user).push(" and role = 'admin') as everything, ").push_bind(caller.site_admin).push(" as something");
        }
        Timeline::Projects => {
            sql.push("coalesce(max(level), 0) >= 4 as everything, coalesce(max(level), 0) >= 1 as something");
            sql.push(owner("parent.id")).push(" from role_sources(parent.id, ").push_bind(user).push(")");
        }
        Timeline::Collections => {
            sql.push("coalesce(max(s.level), 0) >= 4 as everything, coalesce(max(s.level), 0) >= 1 as something");
            sql.push(owner("c.project_id")).push(" from collections c ");
            sql.push("cross join lateral role_sources(c.project_id, ")
                .push_bind(user)
                .push(") s where c.id = parent.id group by c.project_id");
        }
        Timeline::Accounts => {
            sql.push("false as everything, ").push_bind(caller.site_admin).push(" as something");
        }
    }
    sql.push(") may\ncross join lateral (select e.id, e.at, e.actor_id, who.name as actor, e.request_id, e.kind, e.subject, ");
    sql.push("e.collection_id, case when e.kind like 'alias.%' then coalesce(e.after, e.before) ->> 'version' end as version, ");
    sql.push(match of {
        Timeline::Organizations | Timeline::Accounts => "not may.everything as partly",
        Timeline::Projects | Timeline::Collections => "false as partly",
    });
    sql.push("\nfrom audit_events e left join lateral (select u.name from entities u where u.id = e.actor_id and u.kind = 'user' and (");
    sql.push("may.everything or ").push_bind(caller.site_admin).push(" or u.id = ").push_bind(user);
    sql.push(" or exists (select from organization_members mine join organization_members theirs using (organization_id) ");
    sql.push("where mine.user_id = ").push_bind(user).push(" and theirs.user_id = u.id) ");
    // A registry shows its members' names to whoever sees it.
    sql.push("or exists (select from registry_user_members m where m.registry_id = e.project_id and m.user_id = u.id))) who on true\nwhere ");
    let site = |sql: &mut Sql| {
        sql.push("may.something and split_part(e.kind, '.', 1) = any(").push_bind(SITE.to_vec()).push(")");
    };
    match of {
        Timeline::Organizations => {
            sql.push("e.organization_id = parent.id and (may.everything or ");
            site(&mut sql);
            sql.push(")");
        }
        Timeline::Projects => {
            sql.push("e.project_id = parent.id and e.organization_id is not distinct from may.owner and (may.everything or may.something and ");
            sql.push("exists (select from collections c where c.id = e.collection_id))");
        }
        Timeline::Collections => {
            sql.push("e.collection_id = parent.id and e.organization_id is not distinct from may.owner and may.something");
        }
        Timeline::Accounts => {
            sql.push("e.organization_id is null and ");
            site(&mut sql);
        }
    }
    if let Some(kinds) = &filter.kinds {
        sql.push(" and e.kind = any(").push_bind(kinds.clone()).push(")");
    }
    if let Some(actor) = &filter.actor {
        sql.push(" and who.name = ").push_bind(actor.clone());
    }
    if let Some(subject) = &filter.subject {
        sql.push(" and e.subject = ").push_bind(subject.clone());
    }
    if let Some(project) = filter.project {
        sql.push(" and e.project_id = ").push_bind(project);
    }
    if let Some(collection) = filter.collection {
        sql.push(" and e.collection_id = ").push_bind(collection);
    }
    if let Some(from) = filter.from {
        sql.push(" and e.at >= ").push_bind(from);
    }
    if let Some(before) = filter.before {
        sql.push(" and e.at < ").push_bind(before);
    }
    if let Some(after) = after {
        sql.push(" and e.id < ").push_bind(after);
    }
    // Not bound: for a number that it doesn't know PostgreSQL plans as for a tenth of all rows, and sorts them.
    sql.push("\norder by e.id desc limit ").push(most).push(") event order by parent.id, event.id desc");
    let rows = sql.build().fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("parent")?, EventRow::of(row)?))).collect()
}

/// What an event tells, as JSON.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    /// The changed fields before.
    pub before: Option<String>,
    /// The changed fields after.
    pub after: Option<String>,
}

/// What events tell, in the order of their numbers, each wholly or partly; and none where those before leave no room within
/// `most` bytes, so that no more than that is ever in memory. The caller of this got the events by [`events`].
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn texts(
    connection: &mut Connection,
    ids: &[i64],
    partly: &[bool],
    most: i64,
) -> Result<Vec<((i64, bool), Option<Texts>)>> {
    let rows = sqlx::query!(
        r#"-- history::texts
        with measured as (
            select e.id, asked.partly, e.before, e.after,
                sum(coalesce(octet_length(e.before::text), 0) + coalesce(octet_length(e.after::text), 0))
                    over (order by e.id, asked.partly) as total
            from unnest($1::bigint[], $2::bool[]) asked (id, partly) join audit_events e on e.id = asked.id
        )
        select id as "id!", partly as "partly!", total <= $3 as "fits!",
            case when total <= $3 then (case when partly then before - $4::text[] else before end)::text end as before,
            case when total <= $3 then after::text end as after
        from measured order by id, partly"#,
        ids,
        partly,
        most,
        &CONTENT.map(str::to_owned)
    )
    .fetch_all(connection)
    .await?;
    let texts =
        rows.into_iter().map(|row| ((row.id, row.partly), row.fits.then_some(Texts { before: row.before, after: row.after })));
    Ok(texts.collect())
}

/// A time during which an alias pointed at one version.
#[derive(Debug, Clone)]
pub struct PeriodRow {
    /// The collection.
    pub collection_id: CollectionId,
    /// The alias.
    pub alias: String,
    /// What it pointed at.
    pub version_id: VersionId,
    /// From this moment on.
    pub from: DateTime<Utc>,
    /// Until just before this one; none: it still does.
    pub until: Option<DateTime<Utc>>,
    /// Whose number set it.
    pub set_by_id: Option<i64>,
    /// The name of that account, if it is there and the caller sees it.
    pub set_by: Option<String>,
    /// The version's index in the collection, also when it has left.
    pub index: Option<i32>,
    /// The place that it had there, if that is still there.
    pub membership_id: Option<i64>,
}

macro_rules! select_period {
    ($name:literal, $rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            PeriodRow,
            "-- history::" + $name + "
            select a.collection_id as \"collection_id!\", a.alias as \"alias!\", a.version_id as \"version_id!\",
                lower(a.valid) as \"from!\", upper(a.valid) as \"until?\", a.set_by as \"set_by_id?\", who.name as \"set_by?\",
                coalesce(a.index, m.index) as \"index?\", m.id as \"membership_id?\"
            " + $rest + "
            join collections c on c.id = a.collection_id
            cross join lateral (select max(level) as level from role_sources(c.project_id, $1)) may
            left join memberships m on m.collection_id = a.collection_id and m.version_id = a.version_id and m.index = coalesce(a.index, m.index)
            left join entities who on who.id = a.set_by and who.kind = 'user' and (
                may.level >= 4 or $2 or who.id = $1
                or exists (select from organization_members mine join organization_members theirs using (organization_id)
                    where mine.user_id = $1 and theirs.user_id = who.id)
                or exists (select from registry_user_members d where d.registry_id = c.project_id and d.user_id = who.id))
            where may.level >= 1
            order by a.collection_id, lower(a.valid) desc",
            $($argument),+
        )
    };
}

/// Where aliases pointed at a moment: for each collection, name and moment at most one row, for collections that the caller
/// sees, in any order.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn at(
    connection: &mut Connection,
    caller: &Caller,
    collections: &[i64],
    aliases: &[&str],
    times: &[DateTime<Utc>],
) -> Result<Vec<PeriodRow>> {
    Ok(select_period!(
        "at",
        "from unnest($3::bigint[], $4::text[], $5::timestamptz[]) asked (collection_id, alias, at)
            join aliases a on a.collection_id = asked.collection_id and a.alias = asked.alias and a.valid @> asked.at",
        caller.user.0,
        caller.site_admin,
        collections,
        aliases as &[&str],
        times
    )
    .fetch_all(connection)
    .await?)
}

/// One page of where an alias of each of several collections pointed, newest first: at most `most` that began before `after`.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn periods(
    connection: &mut Connection,
    caller: &Caller,
    collections: &[i64],
    alias: &str,
    after: Option<DateTime<Utc>>,
    most: i64,
) -> Result<Vec<PeriodRow>> {
    Ok(select_period!(
        "periods",
        "from unnest($3::bigint[]) asked (collection_id)
            cross join lateral (
                select * from aliases a where a.collection_id = asked.collection_id and a.alias = $4
                    and ($5::timestamptz is null or lower(a.valid) < $5)
                order by lower(a.valid) desc limit $6
            ) a",
        caller.user.0,
        caller.site_admin,
        collections,
        alias,
        after,
        most
    )
    .fetch_all(connection)
    .await?)
}
