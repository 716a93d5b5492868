"""Runs a user's script with an unmodified wandb of one version, and reads back what it printed.

A script gets an address and a key, nothing else that would tell it where it is: an own home, own caches, an own
working directory, so that no byte reaches a second user but through the server.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from server import TOP, Account, Server

HERE = Path(__file__).resolve().parent
SDK_DIR = TOP / os.environ.get("REGALIA_SDK_DIR", "target/sdk")
FULL = os.environ.get("REGALIA_TEST_FULL") == "1"

VERSIONS = sorted(
    (path.stem for path in (HERE / "requirements").glob("*.txt") if path.stem != "pytest"),
    key=lambda version: [int(part) for part in version.split(".")],
    reverse=True,
)
NEWEST = VERSIONS[0]


@dataclass(frozen=True)
class Outcome:
    """What a script did."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float
    directory: Path
    evidence: str

    @property
    def answer(self) -> dict:
        """The JSON object that the script printed; the SDK itself may print around it."""
        objects = [line for line in self.stdout.splitlines() if line.startswith("{")]
        assert self.returncode == 0 and len(objects) == 1, self.evidence
        return json.loads(objects[0])


@dataclass
class Sdk:
    """One version of the SDK."""

    version: str
    server: Server
    scratch: Path

    def run(self, script: str, account: Account, *arguments: str, timeout: float = 180) -> Outcome:
        """Runs `scripts/<script>.py` as `account`, in a new directory. Ending in time is part of every scenario."""
        return self._run(
            f"{script}.py {' '.join(arguments)} as {account.name}",
            [HERE / "scripts" / f"{script}.py", *arguments],
            {"WANDB_BASE_URL": self.server.url, "WANDB_API_KEY": account.key},
            timeout=timeout,
        )

    def paste(self, lines: str, timeout: float = 180) -> Outcome:
        """Pastes `lines` into Python's own prompt, where nothing is set, and leaves the prompt."""
        return self._run("pasted lines", ["-i", "-q"], {}, lines, timeout)

    def home(self) -> Path:
        """A new place for `command`: a home, caches, a working directory."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        # Short, because the SDK makes a Unix socket below it and waits 5 s when the socket's path is too long.
        return Path(tempfile.mkdtemp(prefix="", dir=self.scratch))

    def command(self, home: Path, *arguments: str, typed: str | None = None) -> Outcome:
        """`wandb ARGUMENTS` at a shell where nothing is set, in a `home` that commands before it have left their traces in.

        `typed` is what a person types into the terminal; without it there is none.
        """
        terminal = [sys.executable, HERE / "terminal.py"] if typed is not None else []
        return self._run(
            f"wandb {' '.join(arguments)}", ["-m", "wandb", *arguments], {}, f"{typed}\n", directory=home, before=terminal,
        )

    def _run(
        self, what: str, arguments: list, environment: dict[str, str], stdin: str = "", timeout: float = 180,
        directory: Path | None = None, before: list | tuple = (),
    ) -> Outcome:
        python = SDK_DIR / self.version / "bin/python"
        if not python.exists():
            raise RuntimeError(f"wandb {self.version} is not installed: tests/sdk/install.sh")
        directory = directory or self.home()
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(directory / "home"),
            "TMPDIR": str(directory / "tmp"),
            "WANDB_ERROR_REPORTING": "false",
            **environment,
        }
        for kind in ("DIR", "CACHE_DIR", "DATA_DIR", "CONFIG_DIR"):
            environment[f"WANDB_{kind}"] = str(directory / kind.lower())
        work = directory / "work"
        for path in (work, *(Path(value) for value in environment.values() if value.startswith(f"{directory}/"))):
            path.mkdir(parents=True, exist_ok=True)
        log_before = len(self.server.log())
        began = time.monotonic()
        process = subprocess.Popen(
            [*before, python, *arguments], cwd=work, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            stderr += f"\n(killed after {timeout:.0f} s)"
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        seconds = time.monotonic() - began
        evidence = (
            f"wandb {self.version}, {what}: exit {process.returncode} after {seconds:.1f} s in {directory}\n"
            f"--- stdout\n{stdout[-4000:]}\n--- stderr\n{stderr[-6000:]}\n"
            f"--- server log\n{short(self.server.log()[log_before:])[-6000:]}"
        )
        return Outcome(process.returncode, stdout, stderr, seconds, work, evidence)


def short(log: str) -> str:
    """The server's log with its request lines shortened, everything else as it is."""
    lines = []
    for line in log.splitlines():
        try:
            entry = json.loads(line)
            line = "{method} {path} {status} in {milliseconds} ms".format_map(entry) if entry["message"] == "request" else line
        except (ValueError, KeyError, TypeError):
            pass
        lines.append(line)
    return "\n".join(lines)


def tree(directory: Path) -> dict[str, str]:
    """Every file below `directory`: relative path → SHA-256."""
    digests = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digests[str(path.relative_to(directory))] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
