"""A server and its PostgreSQL as processes: started, found, killed, ended.

Nothing here knows a request but `/ready`. Every signal goes to one process, by its id.
"""

import glob
import json
import os
import random
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
READY_WITHIN = 90.0
ENDED_WITHIN = 60.0


def binary() -> Path:
    """The server's program."""
    path = TOP / os.environ.get("REGALIA_BIN", "target/debug/regalia")
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"{path} is not there: cargo build -p regalia-server (or set REGALIA_BIN)")
    return path


def free_port() -> int:
    """A free port that no outgoing connection is given, so that it stays free while a server is down."""
    for port in random.SystemRandom().sample(range(20000, 32000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port between 20000 and 32000 is free")


def working_in(directory: Path) -> dict[int, str]:
    """The processes whose working directory is in `directory`, by id, with what they call themselves."""
    found = {}
    for link in glob.glob("/proc/[0-9]*/cwd"):
        pid = int(link.split("/")[2])
        try:
            if Path(os.readlink(link)).is_relative_to(directory):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            # It ended meanwhile.
            continue
    return found


def parent(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


class Server:
    """A server that is started again and again, on one directory and one port."""

    def __init__(self, directory: Path, database_url: str | None = None):
        """`directory` exists; without a `database_url` the server manages its own PostgreSQL there."""
        # A server started by root runs its PostgreSQL as another user, who must be able to reach the data directory.
        directory.chmod(0o711)
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_url = database_url
        self.process: subprocess.Popen | None = None
        self.admin_key = ""

    # ---- life ----

    def start(self) -> float:
        """Starts it and returns the seconds until it was ready."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("REGALIA_") and k != "DATABASE_URL"}
        if self.database_url:
            environment["DATABASE_URL"] = self.database_url
        began = time.monotonic()
        with open(self.directory / "stdout", "ab") as stdout, open(self.directory / "log", "ab") as stderr:
            self.process = subprocess.Popen(
                [binary(), "serve", "--data-dir", self.directory / "data", "--listen", f"127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment, cwd=self.directory,
            )
        self.await_ready()
        seconds = time.monotonic() - began
        if not self.admin_key:
            printed = (self.directory / "stdout").read_text()
            self.admin_key = re.search(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])", printed)[0]
        return seconds

    def await_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while True:
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.log()[-4000:]}"
            try:
                with urllib.request.urlopen(f"{self.url}/ready", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            assert time.monotonic() < deadline, f"not ready after {READY_WITHIN:.0f} s:\n{self.log()[-4000:]}"
            time.sleep(0.005)

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def terminate(self) -> int:
        """SIGTERM, as a supervisor would; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(ENDED_WITHIN)

    def kill(self) -> None:
        """SIGKILL for the server alone."""
        self.process.kill()
        self.process.wait()

    def clear(self) -> None:
        """Ends whatever is left, whatever state a failed test has left it in."""
        if self.running():
            self.kill()
        deadline = time.monotonic() + ENDED_WITHIN
        while left := working_in(self.directory):
            if time.monotonic() > deadline:
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                raise AssertionError(f"still there {ENDED_WITHIN:.0f} s after the server: {left}")
            time.sleep(0.05)

    # ---- its PostgreSQL ----

    def postmaster(self) -> int:
        """The process id of its PostgreSQL: the server's own child."""
        (pid,) = [pid for pid, name in working_in(self.directory).items() if parent(pid) == self.process.pid and "postgres" in name]
        return pid

    def backends(self) -> list[int]:
        """The PostgreSQL processes that serve the server's connections."""
        postmaster = self.postmaster()
        return [pid for pid, name in working_in(self.directory).items() if parent(pid) == postmaster and "regalia regalia" in name]

    def postgres_log(self) -> str:
        return (self.directory / "data/postgres/postgresql.log").read_text(errors="replace")

    # ---- what it says of itself ----

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def memory(self, field: str) -> int:
        """`VmRSS` or `VmHWM` of the server process alone, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) * 1024

    def reset_peak(self) -> None:
        """Lets `VmHWM` begin anew."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    # ---- accounts, through the command line ----

    def admin(self, *arguments: str):
        """`regalia admin … --json` as the site administrator; returns the parsed answer."""
        result = subprocess.run(
            [binary(), "admin", *arguments, "--json"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            env={"PATH": os.environ["PATH"], "HOME": str(self.directory), "REGALIA_URL": self.url, "REGALIA_API_KEY": self.admin_key},
        )
        assert result.returncode == 0, f"regalia admin {' '.join(arguments)}: {result.stdout}{result.stderr}"
        return json.loads(result.stdout) if result.stdout.strip() else None

    def account(self, name: str) -> str:
        """Makes a user; returns a key."""
        self.admin("user", "create", name)
        return self.admin("key", "create", "--user", name)["key"]

    def people(self) -> dict[str, str]:
        """The usual people by name, with their keys: alice has the organization acme and its team vision, bob is in acme only."""
        keys = {"alice": self.account("alice"), "bob": self.account("bob")}
        self.admin("org", "create", "acme", "--admin", "alice")
        self.admin("org", "add-member", "acme", "bob", "--role", "member")
        self.admin("team", "create", "vision", "--org", "acme", "--admin", "alice")
        return keys
