#!/usr/bin/env bash
# Format, clippy with warnings denied, and generated files that must be as the sources make them.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need.sh postgres compiler
if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    echo "rustfmt or clippy is missing: rustup component add rustfmt clippy" >&2
    exit 1
fi
cargo fmt --all --check
cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
scripts/with-postgres.sh scripts/sqlx.sh "$fresh"
diff -r .sqlx "$fresh" >/dev/null || { echo ".sqlx is not what the statements make: run \`make sqlx\` and look at the difference." >&2; exit 1; }
cargo run --quiet --locked -p regalia-server -- schema | diff -u schema.graphql - || { echo "schema.graphql is old: run \`make schema\`." >&2; exit 1; }
if grep -rnE 'resolved"?: ?"https?:' web/package-lock.json tests/browser/package-lock.json; then echo "A lock file names a package host." >&2; exit 1; fi
echo "format, clippy, .sqlx, schema.graphql, lock files: as they should be"
