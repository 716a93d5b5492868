"""The class `Registry` of `wandb.Api`, by its public reference: each property, each method, each documented error."""

import base64
import re
from datetime import datetime

import pytest

from client import FULL, NEWEST, VERSIONS

AT_ONCE = 15.0

# Those that have members of registries; the second is what many people still run.
HAVE_MEMBERS = [version for version in VERSIONS if [int(part) for part in version.split(".")] >= [0, 25]]
SHORT = [NEWEST, "0.28.2"]

every = pytest.mark.parametrize("version", HAVE_MEMBERS if FULL else [version for version in SHORT if version in HAVE_MEMBERS])

IDS = "query ($team: String!, $user: String!) { team(name: $team) { id } user(name: $user) { id } }"

REGISTRIES = """
    query ($name: String!) { organization(name: $name) { registries(first: 100) { nodes { name description yourRole } } } }
"""


def entity_id(team_id):
    """The id that the SDK knows a team by."""
    return base64.b64encode(base64.b64decode(team_id).replace(b"Team:", b"Entity:")).decode()


def check(version, refused, expected, outcome):
    assert sorted(refused) == sorted(expected)
    for name, pattern in expected.items():
        got = refused[name]
        if version.startswith("0.25."):
            # It says which status it got, not what the server said.
            pattern += "|HTTPError: 4|Error 403: Forbidden"
        assert got["ended"] != "accepted", f"{name}\n{outcome.evidence}"
        assert re.search(pattern, got["ended"]), f"{name}: {got}\n{outcome.evidence}"
        assert got["seconds"] < AT_ONCE, f"{name}: {got}\n{outcome.evidence}"


@every
def test_registry_class(version, sdks, tenants, server):
    """Rules 1, 2, 4, 5, 7 to 10, 12, 13, 16: all of it as its admin would use it."""
    sdk, tenant = sdks[version], tenants(version)
    ids = server.graphql(tenant.alice, IDS, team=tenant.team, user=tenant.alice.name)
    name = "Animals"
    before = server.graphql(tenant.alice, REGISTRIES, name=tenant.entity)
    outcome = sdk.run("registry_class", tenant.alice, tenant.org, name, tenant.bob.name, entity_id(ids["team"]["id"]), timeout=300)
    said = outcome.answer["said"]
    alice, bob = tenant.alice.name, tenant.bob.name
    created = {
        "allow_all_artifact_types": False,
        "artifact_types": ["model"],
        "description": "",
        "entity": tenant.entity,
        "full_name": f"wandb-registry-{name}",
        "name": name,
        "organization": tenant.org,
        "path": [tenant.entity, f"wandb-registry-{name}"],
        "visibility": "organization",
    }
    assert said["created"] == said["loaded"] == said["saved unchanged"] == created
    assert base64.b64decode(said["id"]).startswith(b"Project:")
    made, updated = (datetime.fromisoformat(text) for text in said["times"])
    assert made <= updated
    saved = {**created, "description": "Animals, by eye", "artifact_types": ["dataset", "model"]}
    assert said["saved"] == said["its list again"] == saved
    assert said["all types"] == {**saved, "allow_all_artifact_types": True}
    assert said["members"] == [
        [[alice, "admin"]],
        [[alice, "admin"], [bob, "restricted_viewer"]],
        [[alice, "admin"], [bob, "member"]],
        [[alice, "admin"], [bob, "viewer"]],
        [[alice, "admin"], [bob, "viewer"]],
        [[alice, "admin"]],
    ]
    # Rule 7: null is no change. Rule 9: the id stays.
    new = f"wandb-registry-{name} 2"
    renamed = {**saved, "name": f"{name} 2", "full_name": new, "path": [tenant.entity, new], "visibility": "restricted"}
    assert said["renamed"] == said["in the end"] == renamed
    assert said["id after"] == said["id"]
    check(version, outcome.answer["refused"], {
        "create the same": f"ValueError: Registry '{name}' already exists in organization .*please use a different name",
        "create a twin": "ValueError: Failed to create registry",
        "create with a slash": "ValueError",
        "create seen by all": "ValueError: Invalid visibility",
        "create with a bad type": "ValueError",
        "create elsewhere": "(?i)organization.*'no-such-org' not found",
        "remove a saved type": "ValueError: Cannot remove artifact type: 'dataset'",
        "add a type while all are allowed": "ValueError: Cannot update artifact types",
        "an unknown role": "not a registry role. Use one of: restricted_viewer, viewer, member, admin",
        "add nobody": "TypeError",
        "add what is no id": "ValueError|ValidationError",
        "add a number": "TypeError",
        "add somebody who isn't there": "is not found: there is none, or you may not see it. Nobody was added.",
        "remove nobody": "TypeError",
        "a role of who is no member": "is not found among the members of the registry",
        "load the old name": "ValueError: Failed to load registry",
        "load by an old handle": "ValueError: Failed to load registry",
        "a visibility that there isn't": "AttributeError|ValueError|ValidationError",
        "open it again": "ValueError: Failed to save registry",
        "rename it to one that is there": "(?i)different name",
        "delete it again": "ValueError: Failed to delete registry",
        "load it again": "ValueError: Failed to load registry",
        "its members": "ValueError: Failed to fetch user members",
        "find it again": "ValueError: Failed to load registry",
    }, outcome)
    # What was refused made nothing, and what was made is gone.
    assert server.graphql(tenant.alice, REGISTRIES, name=tenant.entity) == before


@every
def test_teams(version, sdks, tenants, server):
    """Rules 12 and 13 with `Team` objects; `members` shows users and teams."""
    sdk, tenant = sdks[version], tenants(version)
    outcome = sdk.run("registry_teams", tenant.alice, tenant.org, "Of teams", tenant.team)
    alice, team = ["user", tenant.alice.name, "admin"], tenant.team
    assert outcome.answer == {
        "seen": [
            [alice],
            [alice, ["team", team, "restricted_viewer"]],
            [alice, ["team", team, "member"]],
            [alice, ["team", team, "viewer"]],
            [alice],
        ],
    }


@every
def test_visitor(version, sdks, tenants, server):
    """Rules 8, 13, 17: a colleague sees a registry of the organization and changes nothing; a restricted one isn't there."""
    sdk, tenant = sdks[version], tenants(version)
    for name, visibility in [("Seen", "organization"), ("Unseen", "restricted")]:
        sdk.run("create_registry", tenant.alice, tenant.org, name, "model", visibility).answer
    before = server.graphql(tenant.alice, REGISTRIES, name=tenant.entity)
    bob = server.graphql(tenant.bob, IDS, team=tenant.team, user=tenant.bob.name)["user"]["id"]
    outcome = sdk.run("registry_visitor", tenant.bob, tenant.org, "Seen", bob)
    assert outcome.answer["seen"] == ["wandb-registry-Seen", "organization", [tenant.alice.name]]
    check(version, outcome.answer["refused"], {
        "describe": "ValueError: Failed to save registry",
        "rename": "ValueError: Failed to save registry",
        "add": "don't have the right to do this",
        "promote": "don't have the right to do this",
        "remove": "don't have the right to do this",
        "delete": "ValueError: Failed to delete registry",
    }, outcome)
    hidden = sdk.run("registry_visitor", tenant.bob, tenant.org, "Unseen", bob)
    absent = sdk.run("registry_visitor", tenant.bob, tenant.org, "Nowhere", bob)
    assert hidden.answer["seen"] is None, hidden.evidence
    assert hidden.answer["error"].replace("Unseen", "Nowhere") == absent.answer["error"], hidden.evidence
    assert server.graphql(tenant.alice, REGISTRIES, name=tenant.entity) == before


@every
def test_several_organizations(version, sdks, tenants, server):
    """Rule 19: who is in several organizations is asked for one."""
    sdk, tenant = sdks[version], tenants(version)
    suffix = version.replace(".", "-")
    stranger = server.account(f"stranger-{suffix}")
    second = f"second-{suffix}"
    server.organization(second, stranger)
    server.admin("org", "add-member", tenant.org, stranger.name, "--role", "member")
    outcome = sdk.run("registry_organizations", stranger)
    assert re.search("(?i)multiple organizations", outcome.answer["ended"]), outcome.evidence
    made = server.graphql(stranger, REGISTRIES, name=second)["organization"]["registries"]["nodes"]
    assert made == []
