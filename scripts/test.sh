#!/usr/bin/env bash
# All tests, level by level, where nothing is running; leaves nothing running. REGALIA_TEST_FULL=1: everything.
set -euo pipefail
cd "$(dirname "$0")/.."
full=${REGALIA_TEST_FULL:-}
if [ -n "$full" ]; then
    export REGALIA_TEST_ROUNDS=${REGALIA_TEST_ROUNDS:-20} REGALIA_TEST_KILLS=${REGALIA_TEST_KILLS:-20}
    export REGALIA_TEST_MANY_ROUNDS=${REGALIA_TEST_MANY_ROUNDS:-200}
    # What is shipped. The figures are of it alone, and the SDKs, the browser and the kills meet it too.
    export REGALIA_BIN=$PWD/target/release/regalia
fi
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
began=$SECONDS
summary=()
failed=

# Runs a level, shows its output, counts its tests.
level() { # <name> <command …>
    local name=$1 start=$SECONDS status=0
    shift
    echo "== $name"
    "$@" 2>&1 | tee "$logs/$name" || status=$?
    # cargo: "test result: ok. 5 passed; 1 failed"; pytest: "5 passed, 1 failed"; ours: "5 passed".
    local passed
    passed=$({ grep -oE '[0-9]+ passed' "$logs/$name" || true; } | awk '{ n += $1 } END { print n + 0 }')
    summary+=("$(printf '%-10s %5d passed  %4d s%s' "$name" "$passed" $((SECONDS - start)) "$([ $status = 0 ] || echo '  FAILED')")")
    if [ $status != 0 ] || { [ "$passed" = 0 ] && [ "$name" != checks ]; }; then failed=1; fi
}

scripts/need.sh postgres node python chromium compiler
make --no-print-directory web
(cd tests/browser && npm ci --silent --no-audit --no-fund)
tests/sdk/install.sh
# From /proc, because a small system has no ps.
running() { cat /proc/[0-9]*/comm 2>/dev/null | grep -cxE 'postgres|regalia' || true; }
before=$(running)

level checks scripts/check.sh
cargo build --quiet --locked -p regalia-server ${full:+--release}
level domain cargo test --quiet --locked -p regalia-domain
# Two at a time, whatever the machine: each has a server with connections of its own.
level rust env RUST_TEST_THREADS=2 scripts/with-postgres.sh cargo test --quiet --locked --no-fail-fast --workspace --exclude regalia-domain
python=target/sdk/pytest/bin/python
level sdk "$python" -m pytest -q tests/sdk
level browser tests/browser/run.sh
level crash "$python" -m pytest -q tests/crash
if [ -n "$full" ]; then
    level figures scripts/with-postgres.sh "$python" -m pytest -q -s tests/figures
fi

after=$(running)
echo
printf '%s\n' "${summary[@]}"
if [ "$after" != "$before" ]; then
    echo "processes of PostgreSQL or the server were left running"
    failed=1
fi
total=$(printf '%s\n' "${summary[@]}" | awk '{ n += $2 } END { print n }')
echo "$((SECONDS - began)) s in all"
if [ -n "$failed" ]; then
    echo "$total passed, 1 or more failed"
    exit 1
fi
echo "$total passed, 0 failed"
