//! `POST /graphql`: limits, authentication and parsing before execution; the HTTP status after it (rule 45). What must not
//! live here: fields.

use async_graphql::Response as GraphqlResponse;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet};
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use regalia_graphql::limits::Shape;
use regalia_graphql::loaders::Loaders;
use regalia_graphql::rounds::Rounds;
use regalia_graphql::{limits, wandb};
use regalia_service::{Error, Request};

use super::auth::{self, Credentials};
use super::{App, Patience, answer, body_stream, drain};

/// The longest error message.
const MOST_CHARACTERS: usize = 600;

/// Whether the body says that it is JSON: a form of a foreign page can't.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

pub(super) async fn graphql(
    State(app): State<App>,
    Extension(request): Extension<Request>,
    Extension(credentials): Extension<Credentials>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // First who asks: nobody else's body is kept in memory.
    let request = match auth::authenticate_browser(&app.service, &request, &credentials, &headers).await {
        Ok(request) => request,
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
    let body = match read(body, limits::BODY_BYTES, app.patience).await {
        Ok(body) => body,
        Err(error) => return answer::error(&error),
    };
    match parse(&body, &app.shape) {
        Ok((graphql, door)) => {
            let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
            execute(&app, request, graphql.data(wandb::client::Client::of(user_agent)), door).await
        }
        Err(sentence) => answer::refuse(StatusCode::BAD_REQUEST, "INVALID", &sentence),
    }
}

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// `TooLarge` beyond the limit; `Invalid` when it ends early or takes too long: 400 and not 408, which SDKs repeat for a
/// quarter of an hour, and a run's stream for days.
pub(super) async fn read(body: Body, limit: usize, patience: Patience) -> Result<Vec<u8>, Error> {
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

fn parse(body: &[u8], shape: &Shape) -> Result<(async_graphql::Request, Door), String> {
    // A list would be a batch, which isn't taken; the deserializer would read it as the fields of one request.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err("The body is not a GraphQL request in JSON, such as {\"query\": \"{ viewer { name } }\"}.".into());
    }
    let mut graphql: async_graphql::Request = serde_json::from_slice(body).map_err(|error| {
        format!("The body is not a GraphQL request in JSON, such as {{\"query\": \"{{ viewer {{ name }} }}\"}}: {error}.")
    })?;
    // Clients send "" for an operation without a name.
    graphql.operation_name = graphql.operation_name.filter(|name| !name.is_empty());
    limits::check_text(&graphql.query)?;
    let document = async_graphql::parser::parse_query(&graphql.query).map_err(unparsable)?;
    let name = graphql.operation_name.as_deref();
    let operation = operation(&document, name).ok_or_else(|| match name {
        Some(name) => format!("The query has no operation named \"{name}\"."),
        None => "The query has several operations; say which one in `operationName`.".to_owned(),
    })?;
    limits::check_variables(&document, shape)?;
    limits::check_document(&document, operation, shape, &graphql.variables)?;
    let door = door(&document, operation);
    graphql.set_parsed_query(document);
    Ok((graphql, door))
}

/// A parse error without the text that it quotes, which may be as long as the query.
fn unparsable(error: async_graphql::parser::Error) -> String {
    match error.positions().next() {
        Some(at) => format!("The query can't be parsed: there is a mistake at line {}, column {}.", at.line, at.column),
        None => "The query can't be parsed.".to_owned(),
    }
}

fn operation<'d>(document: &'d ExecutableDocument, name: Option<&str>) -> Option<&'d OperationDefinition> {
    match name {
        Some(name) => document
            .operations
            .iter()
            .find(|(found, _)| found.is_some_and(|found| found.as_str() == name))
            .map(|(_, operation)| &operation.node),
        None => {
            let mut operations = document.operations.iter();
            let (_, first) = operations.next()?;
            operations.next().is_none().then_some(&first.node)
        }
    }
}

fn door(document: &ExecutableDocument, operation: &OperationDefinition) -> Door {
    let root = &operation.selection_set.node;
    let asks = |names: &[&str], below: bool| asks_for(document, root, names, below, limits::DEPTH * 2);
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

async fn execute(app: &App, request: Request, mut graphql: async_graphql::Request, door: Door) -> Response {
    let rounds = Rounds::default();
    if let Some(caller) = &request.caller {
        graphql = graphql.data(Loaders::new(app.service.clone(), caller.clone(), rounds.clone()));
    }
    let mut response = rounds.run(app.schema.execute(graphql.data(request))).await;
    for error in &mut response.errors {
        shorten(&mut error.message);
    }
    (status(&response, door), Json(response)).into_response()
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
