//! Bytes by URL: uploads and downloads whose URLs authorize themselves, and `/artifactsV2/…`, which takes a key. What must
//! not live here: what a signature means and who may read what (the service).

use axum::body::{Body, HttpBody as _};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, OriginalUri, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use regalia_domain::digest::Md5;
use regalia_domain::ids::{MembershipId, RunId, UserId, VersionId, decode_id};
use regalia_domain::names::REGISTRY_PREFIX;
use regalia_service::files::Content;
use regalia_service::signing::Signature;
use regalia_service::store::access::ProjectKind;
use regalia_service::store::manifests::NamedContent;
use regalia_service::{Error, Request, Service};
use serde::Deserialize;
use uuid::Uuid;

use super::auth::{self, Credentials};
use super::{App, answer, body_stream, content, drain};

/// A signature as it stands in a query string.
#[derive(Deserialize)]
pub(super) struct Signed {
    actor: i64,
    expires: i64,
    key: i64,
    signature: String,
}

impl From<Signed> for Signature {
    fn from(signed: Signed) -> Self {
        Self { actor: UserId(signed.actor), expires: signed.expires, key: signed.key, code: signed.signature }
    }
}

/// A query string without a readable signature.
fn unsigned() -> Error {
    Error::Forbidden("This URL needs the signature that it was given out with. Ask for a new URL.".into())
}

pub(super) async fn upload(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    signed: Result<Query<Signed>, QueryRejection>,
    body: Body,
) -> Response {
    // None for a chunked body, which has no end until it comes; 0 when no body is announced.
    let length = body.size_hint().exact();
    let mut stream = body_stream(body, app.patience.silence);
    let Ok(Path(id)) = path else { return answer::unreadable_path() };
    let outcome = receive(&app.service, &id, signed.ok().map(|Query(signed)| signed.into()), length, &mut stream).await;
    match outcome {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => {
            drain(stream);
            refusal
        }
    }
}

async fn receive(
    service: &Service,
    id: &str,
    signature: Option<Signature>,
    length: Option<u64>,
    body: &mut (impl futures_util::Stream<Item = Result<bytes::Bytes, String>> + Unpin),
) -> Result<(), Response> {
    let Ok(id) = Uuid::parse_str(id) else { return Err(answer::error(&unsigned())) };
    let signature = signature.ok_or_else(|| answer::error(&unsigned()))?;
    match length {
        None => Err(answer::refuse(
            StatusCode::LENGTH_REQUIRED,
            "INVALID",
            "An upload needs a Content-Length, so that it has an end.",
        )),
        Some(length) if length > service.settings.largest_file => {
            let sentence = format!("The file has {length} bytes; this server takes at most {}.", service.settings.largest_file);
            Err(answer::refuse(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", &sentence))
        }
        Some(_) => service.upload(id, &signature, body).await.map_err(|error| answer::error(&error)),
    }
}

async fn send(app: &App, found: Result<Content, Error>, headers: &HeaderMap) -> Response {
    match found {
        Ok(found) => content::send(&app.service, &found, headers).await,
        Err(error) => answer::error(&error),
    }
}

pub(super) async fn file(
    State(app): State<App>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    signed: Result<Query<Signed>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let Ok(Path((membership, ordinal, _))) = path else { return answer::unreadable_path() };
    let found = match (membership.parse(), ordinal.parse(), signed) {
        (Ok(membership), Ok(ordinal), Ok(Query(signed))) => {
            app.service.signed_file(MembershipId(membership), ordinal, &signed.into()).await
        }
        _ => Err(unsigned()),
    };
    send(&app, found, &headers).await
}

pub(super) async fn manifest(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    signed: Result<Query<Signed>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let Ok(Path((version, _))) = path else { return answer::unreadable_path() };
    let found = match (version.parse(), signed) {
        (Ok(version), Ok(Query(signed))) => app.service.signed_manifest(VersionId(version), &signed.into()).await,
        _ => Err(unsigned()),
    };
    send(&app, found, &headers).await
}

/// A run's file: by the signature that its URL was given out with, else by a key.
pub(super) async fn run_file(
    State(app): State<App>,
    Extension(request): Extension<Request>,
    Extension(credentials): Extension<Credentials>,
    path: Result<Path<(String, String)>, PathRejection>,
    OriginalUri(uri): OriginalUri,
    signed: Result<Query<Signed>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let Ok(Path((run, name))) = path else { return answer::unreadable_path() };
    let found = match (run.parse().map(RunId), uri.query(), signed) {
        (Ok(run), None, _) => match auth::authenticate(&app, &request, &credentials).await {
            Ok(request) => app.service.run_file(&request, run, &name).await,
            Err(error) => Err(error),
        },
        (Ok(run), Some(_), Ok(Query(signed))) => app.service.signed_run_file(run, &name, &signed.into()).await,
        _ => Err(unsigned()),
    };
    send(&app, found, &headers).await
}

/// `/artifactsV2/{region}/{entity}/{project}/{collection}/{artifact}/{birth artifact}/{hex md5}/{file name}`, each segment
/// percent-encoded once; SDKs before 0.28 leave the artifact out. The birth artifact is a claim, and may be empty.
pub(super) async fn artifacts_v2(
    State(app): State<App>,
    Extension(request): Extension<Request>,
    Extension(credentials): Extension<Credentials>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let found = by_path(&app, &request, &credentials, uri.path()).await;
    send(&app, found, &headers).await
}

async fn by_path(app: &App, request: &Request, credentials: &Credentials, path: &str) -> Result<Content, Error> {
    let request = auth::authenticate(app, request, credentials).await?;
    let form = "The address is not /artifactsV2/REGION/ENTITY/PROJECT/COLLECTION/ARTIFACT/BIRTH/MD5/NAME.";
    // SDKs don't encode the file's name, so a percent sign in it may be followed by anything; the digest says which file it is.
    let decode = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
    let mut segments: Vec<String> = path.trim_start_matches("/artifactsV2/").split('/').map(decode).collect();
    // The digest tells the two forms apart: no artifact's id looks like one. A file's name may.
    if segments.get(5).is_some_and(|segment| Md5::from_hex(segment).is_ok()) {
        segments.insert(4, String::new());
    }
    let [_, entity, project, collection, artifact, birth, md5, name @ ..] = segments.as_slice() else {
        return Err(Error::Invalid(form.into()));
    };
    let name = name.join("/");
    let version = if artifact.is_empty() { None } else { Some(VersionId(decode_id(&["Artifact"], artifact)?)) };
    let birth = decode_id(&["Artifact"], birth).ok().map(VersionId);
    let md5 = Md5::from_hex(md5).map_err(|error| Error::Invalid(error.to_string()))?;
    let named = !project.is_empty() && !collection.is_empty();
    let path = named.then(|| match project.strip_prefix(REGISTRY_PREFIX) {
        Some(registry) => (entity.as_str(), ProjectKind::Registry, registry, collection.as_str()),
        None => (entity.as_str(), ProjectKind::Project, project.as_str(), collection.as_str()),
    });
    let named = NamedContent { version, collection: None, birth, md5: &md5.0, file_name: &name };
    app.service.file_by_md5(&request, path, named).await
}
