"""Fixtures: a server for each figure, and the table that is printed at the end, beyond its limit or not."""

import glob
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from processes import Server, working_in

# So that the fixtures end what they started also when the whole suite is told to end.
signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    unit: str
    limit: float | None


TABLE: list[Figure] = []


@pytest.fixture
def figure():
    """Notes a figure for the table; beyond its limit, where it has one, the test fails."""
    beyond = []

    def note(name: str, value: float, unit: str, limit: float | None = None) -> None:
        TABLE.append(Figure(name, value, unit, limit))
        if limit is not None and value > limit:
            beyond.append(f"{name}: {value:.2f} {unit}, at most {limit:g}")

    yield note
    assert not beyond, beyond


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("figures")
    for figure in TABLE:
        limit = "" if figure.limit is None else f"at most {figure.limit:g}{'' if figure.value <= figure.limit else '  EXCEEDED'}"
        terminalreporter.write_line(f"{figure.name:<58} {figure.value:>9.2f} {figure.unit:<6} {limit}".rstrip())


def pytest_configure():
    if "REGALIA_BIN" not in os.environ:
        raise pytest.UsageError("the figures are those of a release build: cargo build --release -p regalia-server, then REGALIA_BIN=target/release/regalia")


@pytest.fixture
def scratch():
    """An empty directory. Figures are printed, so nothing in it is needed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="regalia-figures-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def server(scratch):
    """A server with a PostgreSQL of its own, as it is by default."""
    yield from run(Server(scratch))


@pytest.fixture
def server_on_database(scratch):
    """A server on a new database of the PostgreSQL that DATABASE_URL names."""
    given = os.environ.get("DATABASE_URL")
    if not given:
        raise RuntimeError("DATABASE_URL names no running PostgreSQL: scripts/with-postgres.sh target/sdk/pytest/bin/python -m pytest tests/figures")
    name = f"regalia_figures_{secrets.token_hex(6)}"
    psql(given, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        # urllib would lose the empty host of a socket's URL (postgres:///name?host=/run/postgresql).
        yield from run(Server(scratch, re.sub(r"^(\w+://[^/?]*)(/[^?]*)?", rf"\1/{name}", given)))
    finally:
        psql(given, f"DROP DATABASE {name} WITH (FORCE)")


def run(server: Server):
    try:
        server.start()
        yield server
        assert server.terminate() == 0
        assert not working_in(server.directory)
    finally:
        server.clear()


def psql_program() -> str:
    found = shutil.which("psql") or next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"), reverse=True)), None)
    if not found:
        raise RuntimeError("psql is missing: sudo apt-get install -y postgresql-client")
    return found


def psql(url: str, statement: str) -> None:
    subprocess.run([psql_program(), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--command={statement}", url], check=True)
