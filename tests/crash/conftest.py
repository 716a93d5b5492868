"""Fixtures: a directory and a server for each test, ended and cleared away whatever happens."""

import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from processes import Server, working_in

# So that the fixtures end what they started also when the whole suite is told to end.
signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))


@pytest.fixture
def scratch(request):
    """An empty directory, kept only when the test failed: it is the evidence."""
    directory = Path(tempfile.mkdtemp(prefix="regalia-crash-"))
    failed_before = request.session.testsfailed
    yield directory
    if request.session.testsfailed > failed_before or not (directory / "gates-held").exists():
        print(f"\nkept for inspection: {directory}", file=sys.stderr)
    else:
        shutil.rmtree(directory)


@pytest.fixture
def server(scratch):
    """A server that manages its own PostgreSQL."""
    server = Server(scratch)
    try:
        server.start()
        yield server
        if server.running():
            status = server.terminate()
            assert status == 0, f"the server ended with {status} on SIGTERM:\n{server.log()[-4000:]}"
        assert not working_in(scratch)
    finally:
        server.clear()

    # The gates over everything that was logged: a client may be told "try again" (503), but never of a bug.
    log = server.log()
    entries = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    requests = [entry for entry in entries if entry["message"] == "request"]
    assert any(entry["status"] == 200 for entry in requests)
    failed = [entry for entry in requests if entry["status"] >= 500 and entry["status"] != 503]
    assert not failed, f"the server answered 5xx: {failed[:10]}"
    assert "panicked" not in log
    assert server.admin_key not in log
    (scratch / "gates-held").touch()
