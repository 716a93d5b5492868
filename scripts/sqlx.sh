#!/usr/bin/env bash
# Writes the statements' descriptions into a directory: what a build without a database reads. DATABASE_URL names a
# PostgreSQL to make a database on.
# Usage: scripts/with-postgres.sh scripts/sqlx.sh DIRECTORY
set -euo pipefail
mkdir -p "$1"
out=$(cd "$1" && pwd)
database="regalia_sqlx_$$"
psql -q "$DATABASE_URL" -c "create database $database template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'"
trap 'psql -q "$DATABASE_URL" -c "drop database if exists $database with (force)"' EXIT
url="${DATABASE_URL%%\?*}"
query="${DATABASE_URL#"$url"}"
database_url="${url%/*}/$database$query"
cat migrations/*.sql | psql -q -v ON_ERROR_STOP=1 "$database_url"
rm -f "$out"/query-*.json
# The macros write while they are expanded, so the crate must be expanded anew.
touch crates/store/src/lib.rs
SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$out" DATABASE_URL="$database_url" cargo check --quiet --locked -p regalia-store
