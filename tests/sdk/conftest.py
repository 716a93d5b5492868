"""Fixtures: one server for the session, one tenant for each SDK version, and the gates over the whole session."""

import pytest

from client import VERSIONS, Sdk
from server import Server


@pytest.fixture(scope="session")
def server():
    server = Server.start()
    yield server
    status = server.stop()

    # The gates: what must hold whatever the tests did.
    assert status == 0, f"the server ended with {status} on SIGTERM:\n{server.log()[-4000:]}"
    assert not server.left_behind()
    leaked = server.leaked()
    assert not leaked, f"API keys in {server.directory / 'log'}"
    requests = server.requests()
    # Without this a log that lost its request lines would pass the next gate.
    assert any(entry["status"] == 200 and entry["path"] == "/graphql" for entry in requests)
    failed = [entry for entry in requests if entry["status"] >= 500]
    assert not failed, f"the server answered 5xx: {failed[:10]}"
    # Kept when a gate fails: the log is the evidence.
    server.forget()


@pytest.fixture(scope="session")
def carol(server):
    """Somebody outside every organization."""
    return server.account("carol")


@pytest.fixture(scope="session")
def sdks(server, tmp_path_factory):
    """Version → SDK."""
    scratch = tmp_path_factory.mktemp("sdk")
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


@pytest.fixture
def acme(tenants):
    """The newest SDK's tenant."""
    return tenants(VERSIONS[0])
