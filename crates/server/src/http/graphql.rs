//! `/graphql`: authentication, turns and limits before execution; the HTTP status after it (rule 45). What must not live here:
//! fields, what a document may cost.

use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet};
use async_graphql::{Response as GraphqlResponse, ServerError};
use axum::Json;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use percent_encoding::percent_decode_str;
use regalia_graphql::documents::{Document, Ready, Refusal};
use regalia_graphql::loaders::Loaders;
use regalia_graphql::rounds::Rounds;
use regalia_graphql::{limits, wandb};
use regalia_service::store::access::Caller;
use regalia_service::{Error, Request, Service};
use tracing::Instrument as _;

use super::auth::{self, Credentials};
use super::turns::Place;
use super::{App, Patience, answer, body_stream, drain};

/// Answers that are longer are sent in pieces of so many bytes: a few of them are all that a connection takes ahead.
const PIECE: usize = 64 * 1024;

/// The longest error message.
const MOST_CHARACTERS: usize = 600;

/// Whether the body says that it is JSON: a form of a foreign page can't.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// `POST /graphql`.
pub(super) async fn post(
    State(app): State<App>,
    Extension(request): Extension<Request>,
    Extension(credentials): Extension<Credentials>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // First who asks: nobody else's body is kept in memory.
    let (request, caller) = match authenticate(&app, &request, &credentials, &headers).await {
        Ok(found) => found,
        Err(error) => {
            drain(body_stream(body, app.patience.silence));
            return answer::error(&error);
        }
    };
    if !is_json(&headers) {
        drain(body_stream(body, app.patience.silence));
        return answer::refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "INVALID",
            "Send the request as `Content-Type: application/json`.",
        );
    }
    // Who doesn't say how long the body is counts for what has come of it.
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let mut place = match app.turns.enter(caller.user, length.unwrap_or(0).min(limits::BODY_BYTES)) {
        Ok(place) => place,
        Err(error) => {
            drain(body_stream(body, app.patience.silence));
            return answer::error(&error);
        }
    };
    let body = match read(body, limits::BODY_BYTES, app.patience, |bytes| place.hold(bytes)).await {
        Ok(body) => body,
        Err(error) => return answer::error(&error),
    };
    match from_body(&body) {
        Ok(graphql) => run(&app, request, place, &headers, graphql, true).await,
        Err(sentence) => answer::refuse(StatusCode::BAD_REQUEST, "INVALID", &sentence),
    }
}

/// `GET /graphql`: reads, with `query`, `variables` and `operationName` in the address. A session's cookie counts as in a POST, so
/// only from a page of our own, though nothing is changed.
pub(super) async fn get(
    State(app): State<App>,
    Extension(request): Extension<Request>,
    Extension(credentials): Extension<Credentials>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let mut response = match authenticate(&app, &request, &credentials, &headers).await {
        Err(error) => answer::error(&error),
        Ok((request, caller)) => match (from_address(query.as_deref().unwrap_or_default()), app.turns.enter(caller.user, 0)) {
            (Err(sentence), _) => answer::refuse(StatusCode::BAD_REQUEST, "INVALID", &sentence),
            (_, Err(error)) => answer::error(&error),
            (Ok(graphql), Ok(place)) => run(&app, request, place, &headers, graphql, false).await,
        },
    };
    // Else a cache on the way could give one caller's answer to another.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn authenticate(
    app: &App,
    request: &Request,
    credentials: &Credentials,
    headers: &HeaderMap,
) -> Result<(Request, Caller), Error> {
    let request = auth::authenticate_browser(app, request, credentials, headers).await?;
    let caller = request.caller()?.clone();
    Ok((request, caller))
}

/// Answers a request that was read.
async fn run(
    app: &App,
    request: Request,
    place: Place,
    headers: &HeaderMap,
    graphql: async_graphql::Request,
    may_write: bool,
) -> Response {
    let name = graphql.operation_name.clone();
    let Ready { request: graphql, document, reads } = match app.documents.prepare(graphql).await {
        Ok(ready) => ready,
        Err(Refusal::Limit(sentence)) => return answer::refuse(StatusCode::BAD_REQUEST, "INVALID", &sentence),
        Err(Refusal::Invalid(errors)) => return invalid(errors),
    };
    let kind = document.operation(name.as_deref()).map(|operation| operation.ty);
    if kind != Some(OperationType::Query) && !may_write {
        let sentence = "A GET only reads. Send a mutation by POST.";
        let mut response = answer::refuse(StatusCode::METHOD_NOT_ALLOWED, "INVALID", sentence);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let door = door(&document, name.as_deref());
    let turn = match place.turn(reads).await {
        Ok(turn) => turn,
        Err(error) => return answer::error(&error),
    };
    let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let graphql = graphql.data(wandb::client::Client::of(user_agent));
    let app = app.clone();
    // A task of its own goes on when the client leaves: PostgreSQL goes on with the statement, so until it ends the place and the
    // turn are in use.
    let task = async move {
        // It has as many connections as it holds turns for.
        let service = Arc::new(app.service.sharing(turn.num_permits()));
        let response = execute(&app, service, request, graphql, door).await;
        drop(turn);
        held(response, place)
    };
    match tokio::spawn(task.in_current_span()).await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            // Told as any other.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(stopping) => answer::error(&stopping.into()),
        },
    }
}

/// Reads a whole body of at most `limit` bytes; `held` is told before so many of them are kept.
///
/// # Errors
/// Those of `held`; `TooLarge` beyond the limit; `Invalid` when it ends early or takes too long: 400 and not 408, which SDKs
/// repeat for a quarter of an hour, and a run's stream for days.
pub(super) async fn read(
    body: Body,
    limit: usize,
    patience: Patience,
    mut held: impl FnMut(usize) -> Result<(), Error> + Send,
) -> Result<Vec<u8>, Error> {
    let mut stream = body_stream(body, patience.silence);
    let mut bytes = Vec::new();
    let whole = async {
        while let Some(piece) = stream.next().await {
            let piece =
                piece.map_err(|cause| Error::Invalid(format!("The request's body ended before it was complete ({cause}).")))?;
            if bytes.len() + piece.len() > limit {
                return Err(Error::TooLarge(format!(
                    "The request's body is larger than {limit} bytes. Send less in one request."
                )));
            }
            held(bytes.len() + piece.len())?;
            bytes.extend_from_slice(&piece);
        }
        Ok(())
    };
    let outcome = tokio::time::timeout(patience.whole, whole).await;
    match outcome {
        Ok(Ok(())) => Ok(bytes),
        Ok(Err(error)) => {
            drain(stream);
            Err(error)
        }
        Err(_) => Err(Error::Invalid(format!(
            "The request's body took longer than {} seconds. Send it again, in smaller requests if the connection is slow.",
            patience.whole.as_secs()
        ))),
    }
}

/// Which side of the schema an operation is of: that decides how its errors are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Regalia's own: 200, and `extensions.code`.
    Native,
    /// W&B protocol: the status says it.
    Wandb,
    /// W&B protocol's `upsertBucket`, whose client would repeat a 409 for minutes.
    WandbRun,
}

const FORM: &str = "a GraphQL request in JSON, such as {\"query\": \"{ viewer { name } }\"}";

fn from_body(body: &[u8]) -> Result<async_graphql::Request, String> {
    match body.trim_ascii_start().first() {
        Some(b'{') => {}
        // The deserializer would read it as the fields of one request.
        Some(b'[') => return Err(format!("The body is a list. Requests aren't taken in batches: send {FORM}, one at a time.")),
        _ => return Err(format!("The body is not {FORM}.")),
    }
    limits::check_values(body)?;
    let mut graphql: async_graphql::Request =
        serde_json::from_slice(body).map_err(|error| format!("The body is not {FORM}: {error}."))?;
    // Clients send "" for an operation without a name.
    graphql.operation_name = graphql.operation_name.filter(|name| !name.is_empty());
    Ok(graphql)
}

/// Reads what stands behind the `?`. Other parameters mean nothing.
fn from_address(query: &str) -> Result<async_graphql::Request, String> {
    let mut found: [Option<String>; 3] = Default::default();
    let names = ["query", "variables", "operationName"];
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(at) = names.iter().position(|name| *name == key) else { continue };
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8().map_err(|_| format!("`{key}` isn't percent-encoded UTF-8."))?;
        if found[at].replace(value.into_owned()).is_some() {
            return Err(format!("`{key}` is given twice."));
        }
    }
    let [Some(query), variables, name] = found else {
        return Err("Ask as in /graphql?query={viewer{name}}, or with a POST. A page to ask on is at /graphiql.".to_owned());
    };
    let mut graphql = async_graphql::Request::new(query);
    if let Some(variables) = variables.filter(|text| !text.is_empty()) {
        graphql.variables =
            serde_json::from_str(&variables).map_err(|error| format!("`variables` is not a JSON object: {error}."))?;
    }
    graphql.operation_name = name.filter(|name| !name.is_empty());
    Ok(graphql)
}

fn door(document: &Document, name: Option<&str>) -> Door {
    let Some(OperationDefinition { selection_set, .. }) = document.operation(name) else { return Door::Native };
    let asks = |names: &[&str], below: bool| asks_for(document.parsed(), &selection_set.node, names, below, limits::DEPTH * 2);
    if asks(&["upsertBucket"], false) {
        Door::WandbRun
    } else if asks(&wandb::ROOT_FIELDS, false) || asks(&wandb::SHARED_FIELDS, true) {
        Door::Wandb
    } else {
        Door::Native
    }
}

/// Whether one of these fields is in a selection, or also anywhere below it. The limits have bounded how many there are.
fn asks_for(document: &ExecutableDocument, set: &SelectionSet, names: &[&str], below: bool, depth: usize) -> bool {
    let Some(deeper) = depth.checked_sub(1) else { return false };
    set.items.iter().any(|selection| match &selection.node {
        Selection::Field(field) => {
            names.contains(&field.node.name.node.as_str())
                || below && asks_for(document, &field.node.selection_set.node, names, below, deeper)
        }
        Selection::InlineFragment(fragment) => asks_for(document, &fragment.node.selection_set.node, names, below, deeper),
        Selection::FragmentSpread(spread) => document
            .fragments
            .get(&spread.node.fragment_name.node)
            .is_some_and(|fragment| asks_for(document, &fragment.node.selection_set.node, names, below, deeper)),
    })
}

async fn execute(
    app: &App,
    service: Arc<Service>,
    request: Request,
    mut graphql: async_graphql::Request,
    door: Door,
) -> Response {
    let rounds = Rounds::default();
    if let Some(caller) = &request.caller {
        graphql = graphql.data(Loaders::new(Arc::clone(&service), caller.clone(), rounds.clone()));
    }
    // Before the schema's own, which is for everybody.
    let response = rounds.run(app.schema.execute(graphql.data(service).data(request))).await;
    respond(response, door)
}

/// Keeps the place of a long answer until its client has taken it, piece by piece: until then it is in memory.
fn held(response: Response, mut place: Place) -> Response {
    let (mut head, body) = response.into_parts();
    let Some(length) = body.size_hint().exact().and_then(|length| usize::try_from(length).ok()).filter(|length| *length > PIECE)
    else {
        return Response::from_parts(head, body);
    };
    place.keep(length);
    head.headers.insert(CONTENT_LENGTH, length.into());
    let pieces = futures_util::stream::unfold((body.into_data_stream(), Bytes::new(), place), |state| async move {
        let (mut body, mut rest, place) = state;
        if rest.is_empty() {
            match body.next().await? {
                Ok(more) => rest = more,
                Err(error) => return Some((Err(error), (body, rest, place))),
            }
        }
        let piece = rest.split_to(rest.len().min(PIECE));
        Some((Ok(piece), (body, rest, place)))
    });
    Response::from_parts(head, Body::from_stream(pieces))
}

/// What the engine says of a document that doesn't fit the schema; of a field that isn't there in the words that SDKs look for.
fn invalid(mut errors: Vec<ServerError>) -> Response {
    for error in &mut errors {
        if let Some(field) = error.message.strip_prefix("Unknown field ") {
            error.message = format!("Cannot query field {field}");
        }
    }
    respond(GraphqlResponse::from_errors(errors), Door::Native)
}

fn respond(mut response: GraphqlResponse, door: Door) -> Response {
    for error in &mut response.errors {
        shorten(&mut error.message);
        // Whether an argument is a date or fits 64 bits is noticed by the field that has it, when others may have run.
        let extensions = error.extensions.get_or_insert_default();
        if !error.path.is_empty() && extensions.get("code").is_none() {
            extensions.set("code", "INVALID");
        }
    }
    let status = status(&response, door);
    let reason = response.errors.first().filter(|_| !status.is_success()).and_then(|error| answer::reason(&error.message));
    let mut answer = (status, Json(response)).into_response();
    if let Some(reason) = reason {
        answer.extensions_mut().insert(reason);
    }
    answer
}

/// The engine quotes what it doesn't know at full length.
fn shorten(message: &mut String) {
    if let Some((end, _)) = message.char_indices().nth(MOST_CHARACTERS) {
        message.truncate(end);
        message.push_str("… (shortened).");
    }
}

/// Rule 45: what failed before execution is 4xx for everybody; then the W&B protocol's operations take their status from
/// their first error, and ours are 200.
fn status(response: &GraphqlResponse, door: Door) -> StatusCode {
    let codes: Vec<String> = response
        .errors
        .iter()
        .filter_map(|error| match error.extensions.as_ref()?.get("code")? {
            async_graphql::Value::String(code) => Some(code.clone()),
            _ => None,
        })
        .collect();
    match (response.errors.is_empty(), codes.first(), door) {
        (true, _, _) => StatusCode::OK,
        // The engine's own errors have no code: the document or a variable doesn't fit the schema.
        (false, None, _) => StatusCode::BAD_REQUEST,
        (false, Some(_), Door::Native) => StatusCode::OK,
        (false, Some(code), Door::Wandb) => answer::status(code),
        (false, Some(code), Door::WandbRun) => match answer::status(code) {
            StatusCode::CONFLICT => StatusCode::BAD_REQUEST,
            other => other,
        },
    }
}
