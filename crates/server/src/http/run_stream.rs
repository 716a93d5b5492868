//! `POST /files/{entity}/{project}/{run}/file_stream`: a run's heartbeat, summary and end; the answer says whether it shall stop. History lines and console output
//! are accepted and dropped (rule 47).

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use regalia_domain::names::{EntityName, ProjectName, RunName};
use regalia_service::{Error, Request};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::auth::{self, Credentials};
use super::{App, answer, body_stream, drain, graphql};

/// The SDK sends at most 10 MB.
const MOST_BYTES: usize = 12 * 1024 * 1024;

#[derive(Deserialize)]
struct Stream {
    #[serde(default)]
    files: Option<Files>,
    #[serde(default)]
    complete: Option<bool>,
    #[serde(default)]
    exitcode: Option<i64>,
}

#[derive(Deserialize)]
struct Files {
    #[serde(default, rename = "wandb-summary.json")]
    summary: Option<Lines>,
}

#[derive(Deserialize)]
struct Lines {
    /// Each is whole: the last one counts.
    #[serde(default, deserialize_with = "last")]
    content: Option<String>,
}

/// The last text of a list, keeping no other: a list of many takes much more memory than its text.
fn last<'de, D: Deserializer<'de>>(json: D) -> Result<Option<String>, D::Error> {
    struct Last;

    impl<'de> Visitor<'de> for Last {
        type Value = Option<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of texts")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut last = None;
            while let Some(text) = list.next_element()? {
                last = Some(text);
            }
            Ok(last)
        }
    }

    json.deserialize_any(Last)
}

/// Exit codes of some systems have more bits than a column; what counts is whether it is 0.
fn clamped(code: i64) -> i32 {
    i32::try_from(code).unwrap_or(i32::MAX)
}

pub(super) async fn file_stream(
    State(app): State<App>,
    Extension(request): Extension<Request>,
    Extension(credentials): Extension<Credentials>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    body: Body,
) -> Response {
    let Ok(Path((entity, project, run))) = path else { return answer::unreadable_path() };
    match stream(&app, &request, &credentials, [&entity, &project, &run], body).await {
        Ok(true) => Json(json!({ "stopped": true })).into_response(),
        Ok(false) => Json(json!({})).into_response(),
        Err(error) => answer::error(&error),
    }
}

async fn stream(
    app: &App,
    request: &Request,
    credentials: &Credentials,
    [entity, project, run]: [&str; 3],
    body: Body,
) -> Result<bool, Error> {
    let request = match auth::authenticate(app, request, credentials).await {
        Ok(request) => request,
        Err(error) => {
            drain(body_stream(body, app.patience.silence));
            return Err(error);
        }
    };
    // Counted with what the account sends elsewhere, in bytes that have come: this client doesn't always say how many will.
    let mut place = match app.turns.enter(request.caller()?.user, 0) {
        Ok(place) => place,
        Err(error) => {
            drain(body_stream(body, app.patience.silence));
            return Err(error);
        }
    };
    let body = graphql::read(body, MOST_BYTES, app.patience, |bytes| place.hold(bytes)).await?;
    let stream: Stream = serde_json::from_slice(&body)
        .map_err(|error| Error::Invalid(format!("The body is not a file stream in JSON: {error}.")))?;
    let summary = stream.files.and_then(|files| files.summary).and_then(|lines| lines.content);
    let ended = (stream.complete == Some(true)).then_some(clamped(stream.exitcode.unwrap_or(0)));
    let (entity, project, run) = (EntityName::parse(entity)?, ProjectName::parse(project)?, RunName::parse(run)?);
    app.service.run_heartbeat(&request, &entity, &project, &run, summary.as_deref(), ended).await
}
