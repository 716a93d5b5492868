#!/usr/bin/env bash
# Installs the clients that the SDK tests drive: one virtual environment for each wandb version, and one that holds
# pytest alone, so that no test library stands beside a client under test.
#
#   tests/sdk/install.sh [VERSION ...]     default: every version in tests/sdk/requirements
#
# They go to ${REGALIA_SDK_DIR:-target/sdk}/<version>. An environment whose requirements file hasn't changed since it
# was made is left alone.
set -euo pipefail
# `cd` prints where it went when CDPATH is set.
unset CDPATH

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
sdk_dir=${REGALIA_SDK_DIR:-target/sdk}
[[ $sdk_dir = /* ]] || sdk_dir=$top/$sdk_dir
python=${PYTHON:-python3}

# ensurepip is the half of python3-venv that Debian leaves out of python3.
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "tests/sdk/install.sh: the SDK tests need Python 3 with venv: sudo apt-get install -y python3-venv" >&2
    exit 1
fi

install() {
    local name=$1 requirements=$here/requirements/$1.txt venv=$sdk_dir/$1
    if [[ ! -f $requirements ]]; then
        echo "tests/sdk/install.sh: no such environment: $name (there are: $(ls "$here/requirements" | sed 's/\.txt$//' | tr '\n' ' '))" >&2
        return 1
    fi
    # The stamp is written last, so an interrupted installation is begun anew.
    if cmp -s "$requirements" "$venv/installed.txt"; then
        return
    fi
    echo "installing $name" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --requirement "$requirements"
    cp "$requirements" "$venv/installed.txt"
}

if [[ $# -gt 0 ]]; then
    wanted=(pytest "$@")
else
    wanted=()
    for file in "$here"/requirements/*.txt; do
        wanted+=("$(basename "$file" .txt)")
    done
fi
for name in "${wanted[@]}"; do
    install "$name"
done
