"""People, keys and projects through the SDK's own calls (rules 18, 23, 46). The newest SDK stands for all in the short run."""

import json
import subprocess

import pytest

from client import FULL, NEWEST, VERSIONS
from server import Account

some = pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])


def suffix(version):
    return "" if version == NEWEST else "-" + version.replace(".", "-")


@pytest.fixture
def admin(server):
    return Account("admin", server.keys[0])


@some
def test_a_site_administrator_makes_and_finds_accounts(version, sdks, tenants, server, admin):
    acme, name = tenants(version), "guest" + suffix(version)
    # Somebody whose name holds bob's is found as well, and never instead of him.
    server.account("a-" + acme.bob.name)
    answer = sdks[version].run("people_admin", admin, f"{name}@example.com", acme.bob.name, acme.bob.name).answer
    assert answer["made"] == [f"{name}@example.com", name, False]
    # The older ones say no more than the status.
    assert "already" in answer["again"] or "409" in answer["again"], answer["again"]
    assert answer["found"] == [f"{name}@example.com", name, []]
    assert answer["named"] == acme.bob.name
    assert {acme.bob.name, "a-" + acme.bob.name} <= set(answer["users"])
    assert answer["absent"] is None


@some
def test_a_team_and_its_members(version, sdks, tenants, server, carol):
    acme, team = tenants(version), "beta" + suffix(version)
    alice, bob, address = acme.alice.name, acme.bob.name, f"bob{suffix(version)}@example.com"
    server.admin("user", "update", bob, "--email", address)
    answer = sdks[version].run("people_team", acme.alice, team, bob, address, carol.name).answer
    admin = [alice, alice, True, "MEMBER", None]
    assert answer["made"] == [admin]
    assert (answer["repr"], answer["is_team"], answer["read_only"]) == (f"<Team {team}>", True, False)
    # True for whom it added; False for who is in already, isn't seen, isn't there.
    assert answer["invited"] == [True, False, False, False]
    assert answer["service_account"] == ["CI service account", "SERVICE", None]
    machine = answer["team"][-1]
    assert answer["team"] == [admin, [bob, bob, False, "MEMBER", None], machine]
    assert machine[1:] == ["CI service account", False, "SERVICE", None]
    assert answer["deleted"] == [True, False]
    assert answer["invited_by_address"] is True
    assert answer["left"] == answer["again"] == [admin, [bob, bob, True, "MEMBER", None]]


@some
def test_the_own_account_and_projects(version, sdks, tenants):
    acme = tenants(version)
    answer = sdks[version].run("people_self", acme.alice, acme.org, acme.team, "planned").answer
    assert answer["viewer"] == [acme.alice.name, acme.team, True]
    assert answer["default_entity"] == acme.team
    if "organization" in answer:
        assert answer["organization"] == [acme.org, acme.entity, acme.org]
    if version in ("0.19.11", "0.22.3"):
        # These log in with the name under which a key is listed, taking it for the key: no server that keeps hashes serves that.
        assert answer["generated"] is None
    else:
        assert answer["with_the_key"] == acme.alice.name
        assert answer["listed"] is True
        assert answer["deleted"] == [True, False]
        assert answer["refused"] is True
    assert answer["project"] == ["planned", acme.team, False]
    assert answer["projects"] is True and answer["default_projects"] is True
    # Each SDK has its own way to say that there is none.
    assert answer["absent"] in ("ValueError", "AttributeError", "TypeError"), answer["absent"]


def test_a_service_account_publishes(newest, tenants, server):
    """Rule 46: its key is shown once, by the command line; it publishes for its team."""
    acme = tenants(NEWEST)
    made = server.admin("service-account", "create", "ci-bot", "--team", acme.team, "--expires-in-days", "30")
    server.keys.append(made["key"])
    assert made["name"] == "ci-bot" and made["team"] == acme.team and made["expires_at"]
    bot = Account("ci-bot", made["key"])
    # A member of the team, and of the organization, where it may make a registry.
    assert newest.run("create_registry", bot, acme.org, "Machines", "model").answer["made"][0] == "wandb-registry-Machines"
    published = newest.run("publish", bot, acme.entity, "Machines", "by a machine").answer
    assert published["linked"].startswith(f"{acme.entity}/wandb-registry-Machines/")
    listed = server.admin("key", "list", "--user", "ci-bot")
    assert [key["expires_at"] for key in listed] == [made["expires_at"]]
    server.admin("key", "revoke", listed[0]["id"])
    assert newest.run("publish", bot, acme.entity, "Machines", "no more").returncode != 0


def test_a_password_from_standard_input(server):
    """The command line reads it from standard input, and no line of the log has it."""
    server.account("newcomer")
    password = "correct horse battery"
    server.keys.append(password)
    command = [server.process.args[0], "admin", "--url", server.url, "user", "set-password", "newcomer", "--json"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(server.directory), "REGALIA_API_KEY": server.keys[0]}
    done = subprocess.run(command, input=f"{password}\n", capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0 and json.loads(done.stdout) == {"name": "newcomer"}, done.stderr
    short = subprocess.run(command, input="short\n", capture_output=True, text=True, timeout=60, env=environment)
    assert short.returncode == 1 and "12 to 256 characters" in short.stderr

    import urllib.request
    request = urllib.request.Request(
        f"{server.url}/session", json.dumps({"name": "newcomer", "password": password}).encode(),
        {"Content-Type": "application/json", "Origin": server.url},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["user"]["name"] == "newcomer"
        assert "HttpOnly" in answer.headers["Set-Cookie"]
