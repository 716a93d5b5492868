#!/usr/bin/env bash
# Runs a command with DATABASE_URL naming a PostgreSQL that lives for that long, in a temporary directory, without fsync.
# With DATABASE_URL given it is used as it is.
set -euo pipefail

if [ -n "${DATABASE_URL:-}" ]; then exec "$@"; fi

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(dirname "$(command -v postgres)")
dir=$(mktemp -d "${TMPDIR:-/tmp}/regalia-pg.XXXXXX")
as=()
if [ "$(id -u)" = 0 ]; then
    chown postgres "$dir"
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
fi
stop() {
    "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap stop EXIT
cd "$dir"
"${as[@]}" "$bin/initdb" -D "$dir/data" -U postgres -A trust --locale=C -E UTF8 >/dev/null
"${as[@]}" "$bin/pg_ctl" -D "$dir/data" -w -l "$dir/log" start \
    -o "-c listen_addresses='' -c unix_socket_directories=$dir -c fsync=off -c synchronous_commit=off -c max_connections=400 -c shared_buffers=128MB" >/dev/null
cd "$OLDPWD"
export DATABASE_URL="postgres://postgres@localhost/postgres?host=$dir"
"$@"
