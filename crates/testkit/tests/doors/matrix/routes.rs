//! Rows of the routes that aren't GraphQL. What must not live here: how they are run.

use regalia_testkit::{Reply, md5_hex};
use serde_json::{Value, json};

use super::stage::{Cell, PLACES, replied};
use super::{Outcome, Rows, row};

/// The rows.
pub fn rows(rows: &mut Rows) {
    site(rows);
    sessions(rows);
    files(rows);
}

fn site(r: &mut Rows) {
    r.section("Routes: the site");
    row!(r, "GET /", "", |c| page(&c, "/").await);
    row!(r, "GET /health", "", |c| c.http("GET", "/health", None).await);
    row!(r, "GET /ready", "", |c| c.http("GET", "/ready", None).await);
    row!(r, "GET /graphiql", "", |c| page(&c, "/graphiql").await);
    row!(r, "GET /graphiql/", "", |c| page(&c, "/graphiql/").await);
    row!(r, "GET /graphiql/{*asset}", "", |c| page(&c, "/graphiql/index.html").await);
    row!(r, "GET /signin", "", |c| page(&c, "/signin").await);
    row!(r, "GET /signin/{*asset}", "", |c| page(&c, "/signin/signin.js").await);
    row!(r, "GET /graphql", "the schema", |c| c
        .http("GET", "/graphql?query=%7B__schema%7BqueryType%7Bname%7D%7D%7D", None)
        .await);
    row!(r, "POST /graphql", "the schema", |c| {
        let body = json!({ "query": "{ __schema { queryType { name } } }" }).to_string();
        c.http("POST", "/graphql", Some(&body)).await
    });
}

/// A page of GraphiQL: open to everybody, and in a build without it there for nobody.
async fn page(cell: &Cell, path: &str) -> Outcome {
    let reply = cell.me.request("GET", path, |request| request).await;
    let absent = reply.status == 404 && (reply.message().contains("built without") || reply.message().contains("no such file"));
    if absent { Outcome::seen(true) } else { replied(&reply) }
}

/// The cookie of an answer; empty without one.
fn cookie(reply: &Reply) -> String {
    let set = reply.headers.get("set-cookie").map(|value| value.to_str().unwrap()).unwrap_or_default();
    set.split(';').next().unwrap_or_default().to_owned()
}

fn sessions(r: &mut Rows) {
    r.section("Routes: sessions");
    row!(r, "POST /session", "with one's password", |c| replied(&c.sign_in().await));
    row!(r, "GET /session", "one's own", |c| {
        let cookie = cookie(&c.sign_in().await);
        let reply = c.browser("GET", "/session", &cookie, None).await;
        let told: Value = serde_json::from_slice(&reply.body).unwrap();
        Outcome::seen(told["user"]["name"] == c.name())
    });
    row!(r, "DELETE /session", "one's own", |c| {
        let cookie = cookie(&c.sign_in().await);
        replied(&c.browser("DELETE", "/session", &cookie, None).await)
    });
    row!(r, "POST /graphql", "with the session's cookie", |c| {
        let cookie = cookie(&c.sign_in().await);
        replied(&c.browser("POST", "/graphql", &cookie, Some(json!({ "query": "{ viewer { name } }" }))).await)
    });
}

fn files(r: &mut Rows) {
    r.section("Routes: files and runs");
    for (place, what) in PLACES {
        row!(r, "GET /artifactsV2/{*path}", what, |c| {
            let ([entity, project, collection], id) = (place.path(), c.stage.artifact(place));
            let md5 = md5_hex(place.content().as_bytes());
            let path = format!("/artifactsV2/default/{entity}/{project}/{collection}/{id}/{id}/{md5}/model.txt");
            c.http("GET", &path, None).await
        });
    }
    row!(r, "POST /files/{entity}/{project}/{run}/file_stream", "the team's", |c| {
        c.http("POST", "/files/alpha/demo/run1/file_stream", Some("{}")).await
    });
    // Whoever holds a URL acts as the one that it was given to.
    row!(r, "GET /storage/wandb_artifacts/{membership}/{ordinal}/{*name}", "by a URL given to another", |c| {
        c.http("GET", &c.stage.urls[0], None).await
    });
    row!(r, "GET /storage/wandb_artifacts/{membership}/{ordinal}/{*name}", "without its signature", |c| {
        c.http("GET", unsigned(&c.stage.urls[0]), None).await
    });
    row!(r, "GET /storage/manifests/{version}/{name}", "by a URL given to another", |c| {
        c.http("GET", &c.stage.urls[1], None).await
    });
    row!(r, "GET /storage/manifests/{version}/{name}", "without its signature", |c| {
        c.http("GET", unsigned(&c.stage.urls[1]), None).await
    });
    row!(r, "GET /storage/run_files/{run}/{*name}", "of the team's", |c| {
        c.http("GET", unsigned(&c.stage.urls[3]), None).await
    });
    row!(r, "GET /storage/run_files/{run}/{*name}", "by a URL given to another", |c| {
        c.http("GET", &c.stage.urls[3], None).await
    });
    row!(r, "PUT /storage/uploads/{id}", "by a URL given to another", |c| {
        c.http("PUT", &c.stage.urls[2], Some("begun")).await
    });
    row!(r, "PUT /storage/uploads/{id}", "without its signature", |c| {
        c.http("PUT", unsigned(&c.stage.urls[2]), Some("begun")).await
    });
}

fn unsigned(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}
