"""Fixtures: one server for the session, one tenant for each SDK version, and the gates over the whole session."""

import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

from client import VERSIONS, Sdk
from server import Server, working_in


def interrupted(*_):
    raise KeyboardInterrupt


# So that the fixtures end what they started also when the whole suite is told to end.
signal.signal(signal.SIGTERM, interrupted)
# Whoever is started in the background of a shell ignores SIGINT and hands that on; a run is asked to stop by it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def scratch(request):
    """Where everything is that the session writes. Kept only when something failed: it is the evidence."""
    directory = Path(tempfile.mkdtemp(prefix="regalia-sdk-"))
    # A server started by root runs its PostgreSQL as another user, who must be able to reach the data directory.
    directory.chmod(0o711)
    yield directory
    if request.session.testsfailed or not (directory / "gates-held").exists():
        request.config.get_terminal_writer().line(f"\nkept for inspection: {directory}")
    else:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def server(scratch):
    server = Server.start(scratch / "server")
    yield server
    status = server.stop()

    # The gates: what must hold whatever the tests did.
    assert status == 0, f"the server ended with {status} on SIGTERM:\n{server.log()[-4000:]}"
    # An SDK's helper process may need a moment after its script has ended.
    deadline = time.monotonic() + 10
    while (left := working_in(scratch)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left
    leaked = server.leaked()
    assert not leaked, f"API keys in {server.directory / 'log'}"
    requests = server.requests()
    # Without this a log that lost its request lines would pass the next gate.
    assert any(entry["status"] == 200 and entry["path"] == "/graphql" for entry in requests)
    failed = [entry for entry in requests if entry["status"] >= 500]
    assert not failed, f"the server answered 5xx: {failed[:10]}"
    (scratch / "gates-held").touch()


@pytest.fixture(scope="session")
def carol(server):
    """Somebody outside every organization."""
    return server.account("carol")


@pytest.fixture(scope="session")
def sdks(server, scratch):
    """Version → SDK."""
    return {version: Sdk(version, server, scratch / version) for version in VERSIONS}


@pytest.fixture(scope="session")
def tenants(server):
    """Version → an organization that no other version has touched."""
    made = {}

    def tenant(version):
        if version not in made:
            made[version] = server.tenant("" if version == VERSIONS[0] else f"-{version}")
        return made[version]

    return tenant


@pytest.fixture(params=VERSIONS)
def sdk(request, sdks):
    return sdks[request.param]


@pytest.fixture
def tenant(sdk, tenants):
    return tenants(sdk.version)


@pytest.fixture
def newest(sdks):
    return sdks[VERSIONS[0]]
