"""The server under test: its binary, its command line, its database and its log.

Nothing here knows the SDK. Everything goes through what an operator has: the binary, its flags, its output.
"""

import base64
import glob
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
READY_WITHIN = 60.0
STOPPED_WITHIN = 60.0


def binary() -> str:
    """The program under test."""
    path = os.environ.get("REGALIA_BIN", str(TOP / "target/debug/regalia"))
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"{path} is not there: cargo build (or set REGALIA_BIN)")
    return path


@dataclass(frozen=True)
class Account:
    """A user and the API key that his scripts are given."""

    name: str
    # Not in the repr, which pytest prints when a test fails.
    key: str = field(repr=False)


@dataclass(frozen=True)
class Tenant:
    """An organization as the scenarios need it: a team that publishes, and a colleague outside that team."""

    org: str
    entity: str
    """The organization's entity name, the first segment of every registry path."""
    team: str
    alice: Account
    """Admin of the organization and the team; the team is her default entity."""
    bob: Account
    """Member of the organization, not of the team; his default entity is his own."""


@dataclass
class Server:
    """One running server, started on an empty data directory and a free port."""

    url: str
    directory: Path
    process: subprocess.Popen
    database: str | None = None
    """The database made for this server, where the suite was given a DATABASE_URL."""
    keys: list[str] = field(default_factory=list, repr=False)
    """Every API key issued so far; the first is the site administrator's."""

    # ---- life ----

    @classmethod
    def start(cls, directory: Path) -> "Server":
        """Starts a server that keeps everything, its log too, in a new `directory`."""
        directory.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % probe.getsockname()[1]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("REGALIA_")}
        database = None
        if given := os.environ.get("DATABASE_URL"):
            environment["DATABASE_URL"] = database = create_database(given)
        with open(directory / "stdout", "wb") as stdout, open(directory / "log", "wb") as stderr:
            process = subprocess.Popen(
                [binary(), "serve", "--data-dir", str(directory / "data"), "--listen", address],
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment,
            )
        server = cls(f"http://{address}", directory, process, database)
        try:
            server._await_ready()
            first = re.search(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])", server.printed())
            assert first, f"the first start printed no API key:\n{server.printed()}"
            server.keys.append(first[0])
        except BaseException:
            server.stop()
            raise
        return server

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log()[-4000:]}")
            try:
                with urllib.request.urlopen(f"{self.url}/ready", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(f"not ready after {READY_WITHIN:.0f} s:\n{self.log()[-4000:]}")
            time.sleep(0.05)

    def stop(self) -> int:
        """SIGTERM, as a supervisor would; returns the exit status. Killed, and reported, if that isn't obeyed."""
        try:
            self.process.send_signal(signal.SIGTERM)
            return self.process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"SIGTERM was not obeyed within {STOPPED_WITHIN:.0f} s") from None
        finally:
            if self.database:
                drop_database(self.database)

    # ---- what it says of itself ----

    def printed(self) -> str:
        """What it wrote for the person who started it."""
        return (self.directory / "stdout").read_text()

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def requests(self) -> list[dict]:
        """The log's request lines."""
        lines = []
        for number, line in enumerate(self.log().splitlines(), 1):
            try:
                entry = json.loads(line)
            except ValueError:
                raise AssertionError(f"line {number} of the log is not JSON: {line[:300]}") from None
            if entry["message"] == "request":
                lines.append(entry)
        return lines

    def leaked(self) -> list[str]:
        """Issued keys that the log holds, plain or as a Basic header carries them; shortened, so as not to leak them again."""
        text = self.log()
        return [
            f"{key[:6]}… as {form}"
            for key in self.keys
            for form, needle in (("text", key), ("Basic", base64.b64encode(f"api:{key}".encode()).decode()))
            if needle in text
        ]

    def reset_peak_memory(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_memory(self) -> int:
        """The server process's highest resident set since `reset_peak_memory`, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    # ---- what a person asks it in GraphiQL ----

    def graphql(self, account: Account, query: str, **variables):
        """The `data` of a query."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {account.key}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = json.load(answer)
        assert "errors" not in body, body
        return body["data"]

    # ---- accounts, through the command line ----

    def admin(self, *arguments: str):
        """`regalia admin … --json` as the site administrator; returns the parsed answer."""
        result = subprocess.run(
            [self.process.args[0], "admin", *arguments, "--json"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            env={"PATH": os.environ["PATH"], "HOME": str(self.directory),
                 "REGALIA_URL": self.url, "REGALIA_API_KEY": self.keys[0]},
        )
        assert result.returncode == 0, f"regalia admin {' '.join(arguments)}: {result.stdout}{result.stderr}"
        return json.loads(result.stdout) if result.stdout.strip() else None

    def account(self, name: str) -> Account:
        """A new user with a key of his own."""
        self.admin("user", "create", name)
        key = self.admin("key", "create", "--user", name)["key"]
        self.keys.append(key)
        return Account(name, key)

    def organization(self, name: str, admin: Account) -> str:
        """A new organization; returns its entity name."""
        self.admin("org", "create", name, "--admin", admin.name)
        (entity,) = [org["entity_name"] for org in self.admin("org", "list") if org["display_name"] == name]
        return entity

    def tenant(self, suffix: str = "") -> Tenant:
        """A fresh organization with people of its own."""
        alice, bob = self.account("alice" + suffix), self.account("bob" + suffix)
        org, team = "acme" + suffix, "vision" + suffix
        entity = self.organization(org, alice)
        self.admin("org", "add-member", org, bob.name, "--role", "member")
        self.admin("team", "create", team, "--org", org, "--admin", alice.name)
        self.admin("user", "update", alice.name, "--default-entity", team)
        return Tenant(org, entity, team, alice, bob)


def working_in(directory: Path) -> list[str]:
    """Processes whose working directory is in `directory`."""
    found = []
    for link in glob.glob("/proc/[0-9]*/cwd"):
        try:
            where = Path(os.readlink(link))
            if where.is_relative_to(directory):
                found.append(f"{Path(link).with_name('comm').read_text().strip()} in {where}")
        except OSError:
            continue
    return found


# ---- a database for one server, where the suite is given a PostgreSQL ----


def psql(url: str, statement: str) -> None:
    found = shutil.which("psql") or next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"), reverse=True)), None)
    if not found:
        raise RuntimeError("DATABASE_URL is set, but psql is missing: sudo apt-get install -y postgresql-client")
    subprocess.run([found, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--command={statement}", url], check=True)


def create_database(url: str) -> str:
    """A new, empty database beside the one that `url` names; returns its URL."""
    name = f"regalia_sdk_{secrets.token_hex(6)}"
    psql(url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    # urllib would lose the empty host of a socket's URL (postgres:///name?host=/run/postgresql).
    return re.sub(r"^(\w+://[^/?]*)(/[^?]*)?", rf"\1/{name}", url)


def drop_database(url: str) -> None:
    name = re.search(r"regalia_sdk_[0-9a-f]+", url)[0]
    psql(os.environ["DATABASE_URL"], f"DROP DATABASE {name} WITH (FORCE)")
