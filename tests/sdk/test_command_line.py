"""The SDK's command line at a shell: `wandb login` and `wandb artifact`, as its public reference shows them."""

import netrc
import re

import pytest

from client import FULL, NEWEST, VERSIONS

every = pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])
PROJECT = "shell"
# With a `requests` of today, which takes a URL's port for no part of its host.
FORGET_PORTS = {"0.19.11", "0.22.3"}


@pytest.fixture
def sdk(version, sdks):
    return sdks[version]


@pytest.fixture
def tenant(version, tenants):
    return tenants(version)


def done(outcome):
    """What a command printed that went well."""
    assert outcome.returncode == 0, outcome.evidence
    # Words stand in colours.
    return re.sub(r"\x1b\[[0-9;]*m", "", outcome.stdout + outcome.stderr)


def failed(outcome):
    assert outcome.returncode not in (0, -9), outcome.evidence
    return re.sub(r"\x1b\[[0-9;]*m", "", outcome.stdout + outcome.stderr)


def stored(home, server):
    """The login and key that the home's netrc has for the server."""
    path = home / "home/.netrc"
    if not path.exists():
        return None
    assert path.stat().st_mode & 0o077 == 0, "the key is for its owner alone"
    login, _, key = netrc.netrc(path).hosts.get(server.url.removeprefix("http://"), (None, None, None))
    return login, key


def remembered(home, server, version):
    """Makes the SDK find again what it stored, where it can't: some store a key with the server's port and look without."""
    if version in FORGET_PORTS:
        path = home / "home/.netrc"
        path.write_text(path.read_text().replace(server.url.removeprefix("http://"), "127.0.0.1"))


@every
def test_login(version, sdk, tenant, server):
    """The key as an argument and typed at the prompt; a wrong one is refused; what is kept is used by the next command."""
    home = sdk.home()
    unknown = "0123456789012345678901234567890123456789"
    assert re.search("(?i)api key|authenticat|logged in", failed(sdk.command(home, "login", "--host", server.url, "--verify", unknown)))
    printed = done(sdk.command(home, "login", "--host", server.url, tenant.alice.key))
    assert "netrc" in printed and tenant.alice.key not in printed
    assert stored(home, server) == ("user", tenant.alice.key)
    remembered(home, server, version)
    printed = done(sdk.command(home, "login", "--verify"))
    assert f"{tenant.alice.name} ({tenant.team})" in printed and server.url in printed

    typed = sdk.home()
    printed = done(sdk.command(typed, "login", "--host", server.url, typed=tenant.bob.key))
    # It says where a key is to be had.
    assert f"{server.url}/authorize" in printed and tenant.bob.key not in printed
    assert stored(typed, server) == ("user", tenant.bob.key)


@every
def test_artifact(version, sdk, tenant, server):
    """Put, listed and got again, by files, directories and names; then the cache cleaned up."""
    home, place = sdk.home(), f"{tenant.team}/{PROJECT}"
    done(sdk.command(home, "login", "--host", server.url, tenant.alice.key))
    remembered(home, server, version)
    work = home / "work"
    (work / "data").mkdir()
    (work / "data/a.txt").write_text("a")
    (work / "model.pt").write_text("model")

    def put(*arguments):
        return done(sdk.command(home, "artifact", "put", *arguments))

    printed = put(
        "--name", f"{place}/training", "--description", "Training data", "--type", "dataset", "--alias", "latest", "--alias", "v2.0",
        "./data",
    )
    assert f'Uploading directory ./data to: "{place}/training:latest" (dataset)' in printed
    assert f"{server.url}/{place}/runs/" in printed
    assert f'artifact = run.use_artifact("{place}/training:v0")' in printed
    # In the default entity, by a run that is named, past the cache.
    printed = put("-n", f"{PROJECT}/net", "-t", "model", "--id", "putrun", "--skip_cache", "--policy", "immutable", "model.pt")
    assert f"{server.url}/{place}/runs/putrun" in printed and f'use_artifact("{place}/net:v0")' in printed
    (work / "model.pt").write_text("model 2")
    put("-n", f"{PROJECT}/net", "-t", "model", "-a", "best", "model.pt")
    assert "must be a file or directory" in failed(sdk.command(home, "artifact", "put", "-n", f"{PROJECT}/none", "none.txt"))

    # One line for each collection, with its newest version.
    lines = [line for line in done(sdk.command(home, "artifact", "ls", place)).splitlines() if re.search(r":v\d+\s*$", line)]
    assert [re.findall(r"(dataset|model) .* (\d+\.\dB) (\S+:v\d+)", line) for line in lines] == [
        [("dataset", "1.0B", "training:v0")], [("model", "7.0B", "net:v1")],
    ]
    printed = done(sdk.command(home, "artifact", "ls", place, "--type", "model"))
    assert "net:v1" in printed and "training" not in printed

    printed = done(sdk.command(home, "artifact", "get", f"{place}/training:v2.0", "--root", "out"))
    assert f"Downloading dataset artifact {place}/training:v2.0" in printed and "Artifact downloaded to out" in printed
    assert (work / "out/a.txt").read_text() == "a"
    done(sdk.command(home, "artifact", "get", f"{PROJECT}/net:best", "--root", "best"))
    assert (work / "best/model.pt").read_text() == "model 2"
    printed = done(sdk.command(home, "artifact", "get", f"{place}/net:v0"))
    assert re.search(r"Artifact downloaded to .*net[:-]v0", printed)
    assert [path.read_text() for path in (work / "artifacts").rglob("model.pt")] == ["model"]
    failed(sdk.command(home, "artifact", "get", f"{place}/net:v9"))
    failed(sdk.command(home, "artifact", "get", f"{place}/net", "--type", "dataset"))

    # In the run that is named, which is there already.
    (work / "model.pt").write_text("model 3")
    printed = put("-n", f"{PROJECT}/net", "-t", "model", "--id", "putrun", "--resume", "model.pt")
    assert "Resuming run" in printed and f"{server.url}/{place}/runs/putrun" in printed and f'use_artifact("{place}/net:v2")' in printed

    def cached():
        return sum(path.stat().st_size for path in (home / "cache_dir").rglob("obj/**/*") if path.is_file())

    assert cached() > 0
    assert re.search(r"Reclaimed \d+\.\dB of space", done(sdk.command(home, "artifact", "cache", "cleanup", "--remove-temp", "0B")))
    assert cached() == 0
