"""What must be refused is refused at once, in words that the user sees, and changes nothing."""

import re

import pytest

from client import FULL, NEWEST, VERSIONS
from server import Account

AT_ONCE = 15.0

REGISTRIES = """
    query ($name: String!) { organization(name: $name) { registries { nodes { name types collections { nodes { name } } } } } }
"""

every = pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])


@every
def test_wrong_key(version, sdks):
    """Rule 45: 401 before anything else, so that the SDK gives up instead of trying again."""
    outcome = sdks[version].run("wrong_key", Account("nobody", "0" * 40))
    answer = outcome.answer
    assert answer["api"] != "accepted", outcome.evidence
    assert answer["publish"] != "accepted", outcome.evidence
    assert re.search("(?i)authenticat|api key|401|unauthorized", answer["api"]), outcome.evidence
    assert answer["seconds"] < AT_ONCE, outcome.evidence


@every
def test_refusals(version, sdks, tenants, server):
    """Rules 2, 4, 11, 21, 25, 45."""
    sdk, tenant = sdks[version], tenants(version)
    assert sdk.run("create_registry", tenant.alice, tenant.org, "Data Only", "dataset").answer
    before = server.graphql(tenant.alice, REGISTRIES, name=tenant.entity)
    assert {"name": "Data Only", "types": ["dataset"], "collections": {"nodes": []}} in before["organization"]["registries"]["nodes"]
    outcome = sdk.run("refusals", tenant.alice, tenant.entity, "Data Only", tenant.team, tenant.alice.name)
    answer = outcome.answer
    # 0.19 prints a failed link and returns nothing, later ones raise: look in both places.
    said = outcome.stderr
    expected = {
        "organization": "(?i)organization|no-such-org",
        "registry": "(?i)nowhere|registry",
        "type": "(?i)type",
        "use registry": "(?i)not found|nowhere|does not",
        "use collection": "(?i)not found|refused|does not",
        "use alias": "(?i)not found|never-given|does not",
        "retype": "(?i)type",
        "create in organization": "(?i)no-such-org",
        "load": "(?i)nowhere|registry",
        "personal": "linking is only allowed within the same team or to a collection in your organization's registry",
    }
    if version.startswith("0.19."):
        # Its own helper refuses that, before it asks the server.
        expected["personal"] = "is a personal entity or the team entity doesn't exist"
    assert sorted(answer["attempts"]) == sorted(expected)
    for name, pattern in expected.items():
        got = answer["attempts"][name]
        assert got["ended"] != "accepted", f"{name}\n{outcome.evidence}"
        where = said if got["ended"] == "nothing" else got["ended"]
        assert re.search(pattern, where), f"{name}: {got}\n{outcome.evidence}"
        assert got["seconds"] < AT_ONCE, f"{name}: {got}\n{outcome.evidence}"
    assert answer["model"] == "v0"
    # Nothing changed: no collection was made on the way, and no registry.
    assert server.graphql(tenant.alice, REGISTRIES, name=tenant.entity) == before
