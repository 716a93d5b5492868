//! Sessions of browsers: one's own, and their end. What must not live here: signing in and out (the server's `/session`).

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::ids::SessionId;
use regalia_service::Error;
use regalia_service::store::sessions::SessionRow;

use crate::context::Reach as _;
use crate::error::Fail as _;

/// A session.
#[derive(Debug, Clone)]
pub struct Session(pub SessionRow);

/// A browser that is signed in.
#[Object]
impl Session {
    /// Opaque id; ends the session.
    async fn id(&self) -> ID {
        crate::ids::id("Session", self.0.id.0)
    }

    /// When the browser signed in.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.started_at
    }

    /// When it was last used, at most five minutes behind.
    async fn last_used_at(&self) -> DateTime<Utc> {
        self.0.last_used_at
    }

    /// When it ends however much it is used. It ends earlier if it isn't used for 12 hours.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }

    /// The IP address that the browser signed in from, if it is known.
    async fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    /// What the browser called itself, if it did.
    async fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }

    /// Whether this is the session that asks.
    async fn current(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(ctx.caller()?.session == Some(self.0.id))
    }
}

/// The sessions to end: one by its id, or the others.
#[derive(InputObject)]
pub struct SessionEndInput {
    /// The session's id.
    id: Option<ID>,
    /// All of yours but the one that you come with; with an API key all.
    #[graphql(default)]
    others: bool,
}

/// The sessions that were ended.
#[derive(SimpleObject)]
pub struct SessionEndPayload {
    /// Their ids.
    ids: Vec<ID>,
}

/// Ends sessions.
#[derive(Default)]
pub struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Ends one of your sessions, or all others, at once on every server.
    async fn session_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sessions to end.")] input: SessionEndInput,
    ) -> Result<SessionEndPayload> {
        let (service, request) = (ctx.service()?, ctx.request()?);
        let ended = match (&input.id, input.others) {
            (Some(id), false) => {
                let session = SessionId(crate::ids::number(&["Session"], id)?);
                service.end_session(request, session).await.fail()?;
                vec![session]
            }
            (None, true) => service.end_other_sessions(request).await.fail()?,
            _ => {
                let sentence =
                    "Say which sessions to end: one by its `id`, or `others: true` for all but the one that you come with.";
                return Err(Error::Invalid(sentence.into())).fail();
            }
        };
        ctx.forget()?;
        Ok(SessionEndPayload { ids: ended.into_iter().map(|session| crate::ids::id("Session", session.0)).collect() })
    }
}
