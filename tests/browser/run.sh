#!/usr/bin/env bash
# GraphiQL, and the page to sign in on, in a headless browser against a real server with a published version. The pictures go to
# target/graphiql.png and target/signin.png.
set -euo pipefail
cd "$(dirname "$0")/../.."
regalia=${REGALIA_BIN:-target/debug/regalia}
dir=$(mktemp -d)
chmod 755 "$dir"
"$regalia" serve --data-dir "$dir/data" --listen 127.0.0.1:0 >"$dir/out" 2>"$dir/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
for _ in $(seq 600); do
    if grep -q '^GraphiQL: ' "$dir/out"; then break; fi
    kill -0 "$server" || { cat "$dir/log" >&2; exit 1; }
    sleep 0.1
done
REGALIA_URL=$(sed -n 's/^Regalia is at //p' "$dir/out")
REGALIA_API_KEY=$(grep -oE '[0-9a-f]{40}' "$dir/out" | head -n 1)
export REGALIA_URL REGALIA_API_KEY
"$regalia" admin user create alice >/dev/null
"$regalia" admin org create acme --admin alice >/dev/null
"$regalia" admin team create alpha --org acme --admin alice >/dev/null
export REGALIA_USER=alice REGALIA_PASSWORD='correct horse battery'
printf '%s\n' "$REGALIA_PASSWORD" | "$regalia" admin user set-password alice >/dev/null
REGALIA_API_KEY=$("$regalia" admin key create --user alice)
python=target/sdk/0.31.0/bin/python
mkdir "$dir/home"
(
    cd "$dir/home"
    HOME="$dir/home" WANDB_BASE_URL=$REGALIA_URL WANDB_API_KEY=$REGALIA_API_KEY WANDB_SILENT=true WANDB_ERROR_REPORTING=false "$OLDPWD/$python" - <<'PYTHON'
import pathlib
import wandb

pathlib.Path("my_model.txt").write_text("a model")
with wandb.init(entity="alpha", project="demo") as run:
    artifact = run.log_artifact("./my_model.txt", "artifact-name", type="model")
    run.link_artifact(artifact, target_path="acme/wandb-registry-model/Example ML Task", aliases=["staging"])
PYTHON
)
export REGALIA_QUERY='{ registry(organization: "acme", name: "model") { name visibility collections { nodes { name typeName links { nodes { index aliases version { size source } } } } } } }'
export REGALIA_EXPECT='["\"model\"", "\"Example ML Task\"", "\"staging\"", "\"latest\"", "\"alpha/demo/artifact-name:v0\""]'
mkdir -p target
REGALIA_SCREENSHOT=$PWD/target/graphiql.png node tests/browser/graphiql.mjs
REGALIA_SCREENSHOT=$PWD/target/signin.png node tests/browser/signin.mjs
echo "2 passed"
