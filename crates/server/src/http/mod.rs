//! The routes, and what every request goes through: an id, a log line, authentication. What must not live here: what a route
//! does (a file for each).

mod answer;
mod auth;
mod connections;
mod content;
mod graphiql;
mod graphql;
mod health;
mod proxies;
mod run_stream;
mod session;
mod signin;
mod storage;
mod turns;
mod wrong_keys;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request as HttpRequest, State};
use axum::http::header::{HOST, HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post, put};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use regalia_graphql::RegaliaSchema;
use regalia_graphql::documents::Documents;
use regalia_service::{Request, Service};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;
use uuid::Uuid;

use turns::Turns;
use wrong_keys::WrongKeys;

pub use connections::serve;
pub use proxies::Proxies;
pub use turns::{ALL_BYTES, AT_ONCE_BYTES, AT_ONCE_REQUESTS};
pub use wrong_keys::{LOOKUPS_A_SECOND, MOST_WRONG, WINDOW_MINUTES};

/// Header that names a request, in and out.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long the routes wait.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A request's head has come whole by then, counted from the end of the one before: longer than clients keep connections that
    /// they don't use (Go's 90 seconds), so that none is closed on which one is about to ask.
    pub head: Duration,
    /// A body that isn't a file has come whole by then, or is refused.
    pub whole: Duration,
    /// A body of which nothing comes for so long is given up, a file's too.
    pub silence: Duration,
    /// A caller who has many requests running waits so long for one of them to end. Less than the 30 seconds after which
    /// clients give up and ask again.
    pub turn: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(120),
            whole: Duration::from_secs(60),
            silence: Duration::from_secs(60),
            turn: Duration::from_secs(15),
        }
    }
}

/// What the routes share.
#[derive(Clone)]
pub struct App {
    patience: Patience,
    proxies: Arc<Proxies>,
    service: Arc<Service>,
    schema: RegaliaSchema,
    documents: Arc<Documents>,
    turns: Arc<Turns>,
    tries: Arc<WrongKeys>,
}

impl App {
    /// The routes' state. The proxies are believed when they say whom they serve.
    #[must_use]
    pub fn new(service: Arc<Service>, patience: Patience, proxies: Proxies) -> Self {
        let schema = regalia_graphql::schema(Some(Arc::clone(&service)));
        let turns = Arc::new(Turns::new(service.store.connections(), patience.turn));
        Self { patience, proxies: Arc::new(proxies), service, schema, documents: Arc::default(), turns, tries: Arc::default() }
    }
}

/// The routes: each path with what it takes.
fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/", get(graphiql::home)),
        ("/health", get(health::health)),
        ("/ready", get(health::ready)),
        ("/graphql", get(graphql::get).post(graphql::post)),
        ("/session", get(session::show).post(session::sign_in).delete(session::sign_out)),
        ("/signin", get(signin::page)),
        ("/signin/{*asset}", get(signin::asset)),
        ("/graphiql", get(graphiql::page)),
        ("/graphiql/", get(graphiql::home)),
        ("/graphiql/{*asset}", get(graphiql::asset)),
        ("/files/{entity}/{project}/{run}/file_stream", post(run_stream::file_stream)),
        ("/storage/uploads/{id}", put(storage::upload)),
        ("/storage/wandb_artifacts/{membership}/{ordinal}/{*name}", get(storage::file)),
        ("/storage/manifests/{version}/{name}", get(storage::manifest)),
        ("/storage/run_files/{run}/{*name}", get(storage::run_file)),
        ("/artifactsV2/{*path}", get(storage::artifacts_v2)),
    ]
}

/// The path of each route, so that a test can see to it that it knows all of them.
pub fn paths() -> impl Iterator<Item = &'static str> {
    routes().into_iter().map(|(path, _)| path)
}

/// All routes, with what every request goes through.
pub fn router(app: App) -> Router {
    let routes = routes().into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    routes
        .fallback(answer::no_route)
        .method_not_allowed_fallback(answer::no_method)
        .layer(CatchPanicLayer::custom(answer::panicked))
        .layer(from_fn_with_state(app.clone(), request))
        .with_state(app)
}

/// Gives each request its id, finds who asks, and logs one line about it. The line has the path but never the query, which
/// may hold a signature.
async fn request(State(app): State<App>, mut http: HttpRequest, next: Next) -> Response {
    let begun = Instant::now();
    let given = http.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok()).and_then(|text| Uuid::parse_str(text).ok());
    let id = given.unwrap_or_else(|| app.service.random_uuid());
    let base_url = base_url(&app, &http);
    let method = http.method().clone();
    let path = http.uri().path().to_owned();
    let span = tracing::info_span!("request", id = %id);
    async move {
        let address = session::address(&app.proxies, http.extensions(), http.headers());
        let credentials = auth::credentials(http.headers(), &base_url, &address);
        http.extensions_mut().insert(credentials);
        http.extensions_mut().insert(address);
        http.extensions_mut().insert(Request { caller: None, id, base_url });
        let mut response = next.run(http).await;
        if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(method = %method, path = %path, status = response.status().as_u16(), milliseconds, "request");
        response
    }
    .instrument(span)
    .await
}

/// The address under which this client reaches the server.
fn base_url(app: &App, http: &HttpRequest) -> String {
    if let Some(url) = &app.service.settings.public_url {
        return url.clone();
    }
    let host = http.headers().get(HOST).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1");
    format!("http://{host}")
}

/// A refused body is read on for so long and so far, so that a client that is still sending gets to see the answer instead of
/// a broken connection, which it would take for a reason to repeat.
const DRAIN: (Duration, usize) = (Duration::from_secs(10), 64 * 1024 * 1024);

/// Reads on in the background, while the answer is on its way.
fn drain(stream: impl Stream<Item = Result<Bytes, String>> + Send + Unpin + 'static) {
    let (time, bytes) = DRAIN;
    tokio::spawn(tokio::time::timeout(time, async move {
        let mut stream = stream;
        let mut left = bytes;
        while let Some(Ok(piece)) = stream.next().await {
            match left.checked_sub(piece.len()) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    }));
}

/// A body as a stream that gives up when nothing comes for `silence`. It may be asked again after its end.
fn body_stream(body: axum::body::Body, silence: Duration) -> impl Stream<Item = Result<Bytes, String>> + Send + Unpin + 'static {
    Box::pin(futures_util::stream::unfold(Some(body.into_data_stream()), move |state| async move {
        let mut stream = state?;
        match tokio::time::timeout(silence, stream.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some(stream))),
            Ok(Some(Err(error))) => Some((Err(error.to_string()), None)),
            Err(_) => Some((Err(format!("nothing came for {} seconds", silence.as_secs())), None)),
        }
    }))
    .fuse()
}
