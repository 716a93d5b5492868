#!/usr/bin/env bash
# Installs what a command needs and this machine lacks, on Debian as root; else says the one line that does.
# Usage: scripts/need.sh compiler|postgres|node|python|chromium …
set -euo pipefail

packages=()
need() { # <package> <command that succeeds when it is there>
    if ! bash -c "$2" >/dev/null 2>&1; then packages+=("$1"); fi
}

for what in "$@"; do
    case "$what" in
        postgres) need postgresql 'ls /usr/lib/postgresql/*/bin/postgres || command -v postgres' ;;
        node) need nodejs 'command -v node'; need npm 'command -v npm' ;;
        python) need python3-venv 'python3 -c "import ensurepip, venv"' ;;
        chromium) need chromium 'test -x "${CHROMIUM:-/usr/bin/chromium}"' ;;
        compiler)
            if ! command -v cargo >/dev/null; then
                echo "cargo is missing. Install Rust as https://rustup.rs says, and open a new shell." >&2
                exit 1
            fi
            # Without what it recommends, gcc comes without the C library's headers, and nothing can be linked.
            need gcc 'command -v cc'; need libc6-dev 'echo "#include <stdlib.h>" | cc -E -'
            ;;
        *) echo "scripts/need.sh: unknown need: $what" >&2; exit 2 ;;
    esac
done
[ ${#packages[@]} -gt 0 ] || exit 0

line="apt-get install -y --no-install-recommends ${packages[*]}"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing here: ${packages[*]}. On Debian this installs them: sudo $line" >&2
    exit 1
fi
echo "Installing: ${packages[*]}" >&2
# Debian's package would make and start a cluster of its own, which nobody asked for.
if [[ " ${packages[*]} " == *" postgresql "* ]]; then
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/regalia.conf
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >&2
# shellcheck disable=SC2086
$line >&2
