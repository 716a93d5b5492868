//! The one namespace of users, teams and organizations (rule 19). What must not live here: what the three kinds have
//! beyond a name.

use regalia_domain::names::{EntityName, name_key};

use crate::{Error, Result, Tx};

/// Takes a name. Called by the inserts of users, teams and organizations.
///
/// # Errors
/// `Exists` when the name, or one that differs only by case or normalization, is taken.
pub(crate) async fn insert(tx: &mut Tx, kind: &str, name: &EntityName) -> Result<i64> {
    sqlx::query_scalar!(
        "-- entities::insert
        insert into entities (kind, name, name_key) values ($1, $2, $3) on conflict do nothing returning id",
        kind,
        name.as_str(),
        name_key(name.as_str())
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::Exists)
}

/// Gives a name back, with the user, team or organization behind it.
///
/// # Errors
/// `Exists` when something still belongs to the entity.
pub(crate) async fn delete(tx: &mut Tx, id: i64) -> Result<()> {
    let done = sqlx::query!("-- entities::delete\ndelete from entities where id = $1", id).execute(&mut **tx).await;
    match done {
        Ok(done) => crate::one("entities::delete", &done),
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Err(Error::Exists),
        Err(error) => Err(error.into()),
    }
}
