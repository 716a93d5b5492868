//! Filtered and ordered lists, page by page: which rows stand on a page, by number, and where in the order each one stands.
//! The rows themselves are read by their numbers, with everything else on the page. Only what the caller sees is listed and
//! counted. What must not live here: what a question of a filter is in SQL (`filters`).
//!
//! A page of the lists of several parents takes one statement.

use chrono::{DateTime, Utc};
use regalia_domain::filters::number::Number;
use regalia_domain::filters::timestamp::Timestamp;
use regalia_domain::filters::{CollectionTest, Filter, RegistryTest, RunTest, VersionTest};
use regalia_domain::orders::{
    CollectionOrder, Direction, Mixed, Order, OrderKey as _, Position, RegistryOrder, RunOrder, SortKind, SortValue, VersionOrder,
};
use sqlx::Row as _;

use crate::access::Caller;
use crate::filters::{Columns, Sql, utc, write};
use crate::{Connection, Error, Result};

/// Which part of a list is wanted.
#[derive(Debug)]
pub struct Part<'p, K> {
    /// The order.
    pub order: Order<K>,
    /// Where the part begins: after this row.
    pub after: Option<&'p Position>,
    /// How many rows it has at most.
    pub first: i64,
}

/// A row's place in the list of a parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Number of the parent.
    pub parent: i64,
    /// The row's number, and its place in the order.
    pub position: Position,
}

/// The registries of organizations, the projects of teams and users, as far as the caller sees them.
#[derive(Debug)]
pub struct Projects<'l> {
    /// Who asks.
    pub caller: &'l Caller,
    /// The parents.
    pub entities: &'l [i64],
    /// Which of them.
    pub filter: &'l Filter<RegistryTest>,
}

/// Where collections are listed.
#[derive(Debug)]
pub enum CollectionsIn<'l> {
    /// Of each of these projects or registries, which the caller was allowed to see.
    Projects(&'l [i64]),
    /// Of each of these types, whose projects the caller was allowed to see.
    Types(&'l [i64]),
    /// Of all projects or registries of each of these entities that the caller sees and this wants; of one kind, `source` or
    /// `registry`, if that is wanted.
    Entities(&'l Caller, &'l [i64], &'l Filter<RegistryTest>, Option<&'static str>),
}

/// Collections.
#[derive(Debug)]
pub struct Collections<'l> {
    /// Where.
    pub place: CollectionsIn<'l>,
    /// Which of them.
    pub filter: &'l Filter<CollectionTest>,
}

/// Where versions are listed.
#[derive(Debug)]
pub enum VersionsIn<'l> {
    /// In each of these collections, whose projects the caller was allowed to see.
    Collections(&'l [i64]),
    /// In the collections, as this wants them, of all projects or registries of each of these entities that the caller sees.
    Entities(&'l Caller, &'l [i64], &'l Filter<RegistryTest>, &'l Filter<CollectionTest>),
}

/// Committed versions at their places.
#[derive(Debug)]
pub struct Versions<'l> {
    /// Where.
    pub place: VersionsIn<'l>,
    /// Which of them.
    pub filter: &'l Filter<VersionTest>,
}

/// Runs of projects that the caller was allowed to see.
#[derive(Debug)]
pub struct Runs<'l> {
    /// Who asks.
    pub caller: &'l Caller,
    /// The parents.
    pub projects: &'l [i64],
    /// Which of them.
    pub filter: &'l Filter<RunTest>,
    /// A run that hasn't been heard of since has crashed.
    pub silent: DateTime<Utc>,
}

/// A list in SQL: everything but its part.
trait List {
    /// What it is ordered by.
    type Order: Columns;
    /// `file::function` of the statements.
    const NAME: &'static str;

    /// The parents' numbers.
    fn parents(&self) -> &[i64];

    /// Writes a common table expression if the list needs one.
    fn write_with(&self, _sql: &mut Sql) {}

    /// Writes `from` and `where`, with what this order needs; `parent.id` is the parent's number.
    fn write_rows(&self, sql: &mut Sql, order: Option<&Self::Order>);
}

/// The projects of entities that a caller sees, decided once for the statement.
fn write_visible(sql: &mut Sql, caller: &Caller, entities: &[i64], filter: &Filter<RegistryTest>) {
    sql.push("with visible as materialized (select p.id, p.entity_id from projects p where p.entity_id = any(")
        .push_bind(entities.to_vec())
        .push(")");
    write_seen(sql, caller);
    write(sql, filter);
    sql.push(")\n");
}

/// That the caller sees the project `p`: as `access_level(p.id, …) >= 1`, but planned with the statement, and without a call for
/// each row.
fn write_seen(sql: &mut Sql, caller: &Caller) {
    sql.push(" and exists (select from role_sources(p.id, ").push_bind(caller.user.0).push(") s where s.level >= 1) and ");
}

/// Of the projects that [`write_visible`] has found, those of the parent.
fn in_visible(parents: &[i64]) -> &'static str {
    match parents {
        // All are its own. The planner can't tell, and would take the question for one that leaves hardly any.
        [_] => "c.project_id in (select id from visible) and ",
        _ => "c.project_id in (select id from visible where entity_id = parent.id) and ",
    }
}

impl List for Projects<'_> {
    type Order = RegistryOrder;
    const NAME: &'static str = "lists::projects";

    fn parents(&self) -> &[i64] {
        self.entities
    }

    fn write_rows(&self, sql: &mut Sql, _: Option<&Self::Order>) {
        sql.push("from projects p where p.entity_id = parent.id");
        write_seen(sql, self.caller);
        write(sql, self.filter);
    }
}

impl List for Collections<'_> {
    type Order = CollectionOrder;
    const NAME: &'static str = "lists::collections";

    fn parents(&self) -> &[i64] {
        match self.place {
            CollectionsIn::Projects(parents) | CollectionsIn::Types(parents) | CollectionsIn::Entities(_, parents, ..) => parents,
        }
    }

    fn write_with(&self, sql: &mut Sql) {
        if let CollectionsIn::Entities(caller, entities, filter, _) = self.place {
            write_visible(sql, caller, entities, filter);
        }
    }

    fn write_rows(&self, sql: &mut Sql, _: Option<&Self::Order>) {
        sql.push("from collections c where ").push(match self.place {
            CollectionsIn::Projects(_) => "c.project_id = parent.id and ",
            CollectionsIn::Types(_) => "c.type_id = parent.id and ",
            CollectionsIn::Entities(_, parents, ..) => in_visible(parents),
        });
        if let CollectionsIn::Entities(.., Some(kind)) = self.place {
            sql.push("c.kind = ").push_bind(kind).push(" and ");
        }
        write(sql, self.filter);
    }
}

impl List for Versions<'_> {
    type Order = VersionOrder;
    const NAME: &'static str = "lists::versions";

    fn parents(&self) -> &[i64] {
        match self.place {
            VersionsIn::Collections(parents) | VersionsIn::Entities(_, parents, ..) => parents,
        }
    }

    fn write_with(&self, sql: &mut Sql) {
        if let VersionsIn::Entities(caller, entities, filter, _) = self.place {
            write_visible(sql, caller, entities, filter);
        }
    }

    fn write_rows(&self, sql: &mut Sql, _: Option<&Self::Order>) {
        sql.push("from memberships m join versions v on v.id = m.version_id ");
        match &self.place {
            VersionsIn::Collections(_) => {
                sql.push("where m.collection_id = parent.id and ");
            }
            VersionsIn::Entities(_, parents, _, filter) => {
                sql.push("join collections c on c.id = m.collection_id where ").push(in_visible(parents));
                write(sql, filter);
                sql.push(" and ");
            }
        }
        sql.push("v.state = 'committed' and ");
        write(sql, self.filter);
    }
}

impl List for Runs<'_> {
    type Order = RunOrder;
    const NAME: &'static str = "lists::runs";

    fn parents(&self) -> &[i64] {
        self.projects
    }

    /// Runs as the caller sees them: the state of today, and who started each, unless he doesn't see him. What no question is
    /// about isn't computed.
    fn write_rows(&self, sql: &mut Sql, order: Option<&RunOrder>) {
        sql.push(
            "from (select x.id, x.project_id, x.name, x.display_name collate \"C\" as display_name, x.tags, x.group_name, x.job_type, x.host, x.notes, \
             x.config_index, x.summary_index, x.created_at, x.heartbeat_at, \
             case when x.state = 'running' and x.heartbeat_at < ",
        );
        sql.push_bind(self.silent).push(
            " then 'crashed' else x.state end as state, \
             (select e.name from entities e where e.id = x.created_by and (",
        );
        sql.push_bind(self.caller.site_admin).push(" or e.id = ").push_bind(self.caller.user.0).push(
            " or exists (select from organization_members mine join organization_members theirs using (organization_id) \
             where mine.user_id = ",
        );
        sql.push_bind(self.caller.user.0).push(" and theirs.user_id = e.id))) as username from runs x) r\n");
        let sorted = match order {
            Some(RunOrder::Config(path)) => Some(("r.config_index", path)),
            Some(RunOrder::Summary(path)) => Some(("r.summary_index", path)),
            _ => None,
        };
        if let Some((column, path)) = sorted {
            sql.push("cross join lateral (select ").push(column).push(" #> ").push_bind(path.keys().to_vec()).push(") j (j)\n");
            sql.push(
                "cross join lateral (select case jsonb_typeof(j.j) when 'number' then 1 when 'string' then 2 else 0 end, \
                 case jsonb_typeof(j.j) when 'number' then (j.j #>> '{}')::numeric else 0 end, \
                 case jsonb_typeof(j.j) when 'string' then left(j.j #>> '{}', ",
            );
            sql.push(Mixed::CHARS).push(") else '' end collate \"C\") k (kind, number, text)\n");
        }
        sql.push("where r.project_id = parent.id and ");
        write(sql, self.filter);
    }
}

macro_rules! public {
    ($($list:ident by $order:ident),*) => {$(
        impl $list<'_> {
            /// One part of the list of each parent, in order.
            ///
            /// # Errors
            /// `TooSlow`; of PostgreSQL.
            pub async fn part(
                &self,
                connection: &mut Connection,
                part: Part<'_, regalia_domain::orders::$order>,
            ) -> Result<Vec<Listed>> {
                page(self, connection, part).await
            }

            /// How many there are of each parent: the parent's number, and how many.
            ///
            /// # Errors
            /// `TooSlow`; of PostgreSQL.
            pub async fn count(&self, connection: &mut Connection) -> Result<Vec<(i64, i64)>> {
                count(self, connection).await
            }
        }
    )*};
}

public!(Projects by RegistryOrder, Collections by CollectionOrder, Versions by VersionOrder, Runs by RunOrder);

fn begin<L: List>(list: &L, function: &str) -> Sql {
    let mut sql = Sql::new(format!("-- {}{function}\n", L::NAME));
    list.write_with(&mut sql);
    sql
}

async fn page<L: List>(list: &L, connection: &mut Connection, part: Part<'_, L::Order>) -> Result<Vec<Listed>> {
    let (direction, sign) = match part.order.direction {
        Direction::Ascending => ("asc", ">"),
        Direction::Descending => ("desc", "<"),
    };
    let (columns, id) = (part.order.key.columns(), L::Order::ID);
    let mut sql = begin(list, "");
    sql.push("select parent.id as parent, listed.* from unnest(")
        .push_bind(list.parents().to_vec())
        .push("::bigint[]) parent (id)\n");
    sql.push("cross join lateral (select ").push(id).push(" as id");
    for (number, column) in columns.iter().enumerate() {
        sql.push(", ").push(column).push(" as key").push(number);
    }
    if part.order.key.kind() == SortKind::Mixed {
        // The driver has no type for such numbers.
        sql.push(", k.number::text as shown");
    }
    sql.push("\n");
    list.write_rows(&mut sql, Some(&part.order.key));
    if let Some(after) = part.after {
        sql.push(" and (");
        for column in columns {
            sql.push(column).push(", ");
        }
        sql.push(id).push(") ").push(sign).push(" (");
        match &after.value {
            SortValue::Id => {}
            SortValue::Text(text) => {
                sql.push_bind(text.clone()).push(", ");
            }
            SortValue::Time(time) => {
                sql.push_bind(utc(*time)).push(", ");
            }
            SortValue::Number(number) => {
                sql.push_bind(*number).push(", ");
            }
            SortValue::Mixed(mixed) => write_mixed(&mut sql, mixed),
        }
        sql.push_bind(after.id).push(")");
    }
    sql.push("\norder by ");
    for column in columns {
        sql.push(column).push(" ").push(direction).push(", ");
    }
    sql.push(id).push(" ").push(direction);
    // Not bound: for a number that it doesn't know PostgreSQL plans as for a tenth of all rows, and sorts them.
    sql.push(" limit ").push(part.first).push(") listed order by parent.id, ");
    for number in 0..columns.len() {
        sql.push("listed.key").push(number).push(" ").push(direction).push(", ");
    }
    sql.push("listed.id ").push(direction);
    let rows = sql.build().fetch_all(connection).await?;
    rows.into_iter()
        .map(|row| {
            let value = match part.order.key.kind() {
                SortKind::Id => SortValue::Id,
                SortKind::Text => SortValue::Text(row.try_get("key0")?),
                SortKind::Number => SortValue::Number(row.try_get::<i32, _>("key0")?.into()),
                SortKind::Time => {
                    let time: DateTime<Utc> = row.try_get("key0")?;
                    SortValue::Time(Timestamp::from_micros(time.timestamp_micros()).ok_or(Error::Invalid)?)
                }
                SortKind::Mixed => SortValue::Mixed(match row.try_get::<i32, _>("key0")? {
                    // What is out of range was written before there was one; its place is then not exact.
                    1 => Number::parse(row.try_get("shown")?).map_or(Mixed::Nothing, Mixed::Number),
                    2 => Mixed::Text(row.try_get("key2")?),
                    _ => Mixed::Nothing,
                }),
            };
            Ok(Listed { parent: row.try_get("parent")?, position: Position { value, id: row.try_get("id")? } })
        })
        .collect()
}

/// The three columns of a value that may be of any type, each with a comma behind it.
fn write_mixed(sql: &mut Sql, mixed: &Mixed) {
    let (kind, number, text) = match mixed {
        Mixed::Nothing => (0, "0".to_owned(), String::new()),
        Mixed::Number(number) => (1, number.to_string(), String::new()),
        Mixed::Text(text) => (2, "0".to_owned(), text.clone()),
    };
    sql.push_bind(kind).push(", ").push_bind(number).push("::numeric, ").push_bind(text).push(", ");
}

async fn count<L: List>(list: &L, connection: &mut Connection) -> Result<Vec<(i64, i64)>> {
    let mut sql = begin(list, "_count");
    sql.push("select parent.id as parent, (select count(*) ");
    list.write_rows(&mut sql, None);
    sql.push(") as count from unnest(").push_bind(list.parents().to_vec()).push("::bigint[]) parent (id)");
    let rows = sql.build().fetch_all(connection).await?;
    rows.into_iter().map(|row| Ok((row.try_get("parent")?, row.try_get("count")?))).collect()
}
