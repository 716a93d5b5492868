"""Who gets what, as far as an SDK user meets it. Mostly the newest SDK stands for all: the answers are the server's."""

import re

import pytest

from client import FULL, NEWEST, VERSIONS


@pytest.fixture(scope="module")
def lab(server, sdks):
    """An organization of its own, with one published model."""
    lab = server.tenant("-lab")
    assert sdks[NEWEST].run("publish", lab.alice, lab.entity, "model", "only for those inside").answer
    return lab


def assert_nothing_there(newest, account, lab, registry="model", sees_organization=False):
    """The lab's project and registry are, for `account`, as if they had never been; the organization too, unless he sees it."""
    outcome = newest.run(
        "no_access", account, lab.team, "zoo_experiment", "artifact-name", lab.entity, registry
    )
    for what, (real, absent) in outcome.answer.items():
        if not (sees_organization and "organization" in what):
            assert real == absent, f"{what}: {outcome.evidence}"
        assert real != "accepted", f"{what}: {outcome.evidence}"


def test_stranger_then_viewer_then_stranger(newest, lab, carol, server):
    """Rules 14, 17, 18: outside nothing is there; a viewer of the organization downloads; removed, nothing is there at once."""
    assert_nothing_there(newest, carol, lab)

    server.admin("org", "add-member", lab.org, carol.name, "--role", "viewer")
    outcome = newest.run("consume", carol, lab.entity, "model")
    assert (outcome.directory / outcome.answer["directory"] / "my_model.txt").read_text() == "only for those inside"

    server.admin("org", "remove-member", lab.org, carol.name)
    assert_nothing_there(newest, carol, lab)


def test_restricted_registry(newest, lab):
    """Rules 3, 8, 14: its creator publishes into it; for a colleague it is as if it had never been."""
    made = newest.run("create_registry", lab.alice, lab.org, "Secret", "model", "restricted").answer["made"]
    assert made[:3] == ["wandb-registry-Secret", lab.entity, "restricted"]
    published = newest.run("publish", lab.alice, lab.entity, "Secret", "a secret").answer
    assert published["linked"] == f"{lab.entity}/wandb-registry-Secret/Example ML Task:v0"
    assert_nothing_there(newest, lab.bob, lab, "Secret", sees_organization=True)


def test_team_member_without_a_role_in_the_registry(newest, lab, server):
    """Rules 17, 23, 28: who may log, and may see the registry, still can't link without being a member of it."""
    query = """
        query ($name: String!) {
            registry(organization: $name, name: "model") { yourRole collection(name: "Example ML Task") { links { nodes { index } } } }
        }
    """
    before = server.graphql(lab.bob, query, name=lab.entity)["registry"]
    assert before == {"yourRole": "VIEWER", "collection": {"links": {"nodes": [{"index": 0}]}}}

    server.admin("team", "add-member", lab.team, lab.bob.name)
    outcome = newest.run("publish", lab.bob, lab.entity, "model", "changed by bob", lab.team, "bobs")
    assert outcome.returncode == 1, outcome.evidence
    assert "You don't have the right to do this in the registry" in outcome.stderr, outcome.evidence
    assert server.graphql(lab.bob, query, name=lab.entity)["registry"] == before
    # What he logged is the team's all the same.
    consumed = newest.run("consume_source", lab.alice, f"{lab.team}/bobs/artifact-name:v0")
    assert (consumed.directory / consumed.answer["directory"] / "my_model.txt").read_text() == "changed by bob"


@pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])
def test_name_that_is_taken(version, sdks, tenants, server):
    """Rule 19: an organization whose name is an entity already gets another entity name; paths may use either."""
    # Bob is then in two organizations, which an SDK can only tell apart by the path's first segment.
    sdk, acme = sdks[version], tenants(version)
    suffix = "" if version == NEWEST else f"-{version}"
    name = "reviewco" + suffix
    server.admin("team", "create", name, "--org", acme.org, "--admin", acme.alice.name)
    alice = server.account("alice-reviewco" + suffix)
    entity = server.organization(name, alice)
    assert re.fullmatch(re.escape(name) + "_[A-Z0-9]{9}", entity)
    server.admin("org", "add-member", name, acme.bob.name, "--role", "member")
    team = "reviewers" + suffix
    server.admin("team", "create", team, "--org", name, "--admin", alice.name)
    server.admin("user", "update", alice.name, "--default-entity", team)

    published = sdk.run("publish", alice, entity, "model", "reviewed").answer
    assert published["linked"] == f"{entity}/wandb-registry-model/Example ML Task:v0"
    for segment in (entity, name):
        outcome = sdk.run("consume", acme.bob, segment, "model")
        assert (outcome.directory / outcome.answer["directory"] / "my_model.txt").read_text() == "reviewed"


@pytest.mark.parametrize("version", VERSIONS[:2] if FULL else [NEWEST])
def test_two_organizations_with_the_same_names(version, sdks, server):
    """Rules 14, 17, 18, 42: a role in a registry of one is nothing in the other's of the same name."""
    sdk = sdks[version]
    suffix = version.replace(".", "-")
    east, west = server.tenant(f"-east-{suffix}"), server.tenant(f"-west-{suffix}")
    for tenant, text in ((east, "of the east"), (west, "of the west")):
        made = sdk.run("create_registry", tenant.alice, tenant.org, "Secret", "model", "restricted").answer["made"]
        assert made[1] == tenant.entity
        for registry in ("model", "Secret"):
            assert sdk.run("publish", tenant.alice, tenant.entity, registry, f"{registry} {text}").answer
    both = server.account(f"both-{suffix}")
    server.admin("org", "add-member", east.org, both.name, "--role", "member")
    server.admin("org", "add-member", west.org, both.name, "--role", "viewer")

    def role(role):
        """Gives `both` a role in the east's restricted registry."""
        query = "query ($o: String!) { registry(organization: $o, name: \"Secret\") { id } }"
        registry = server.graphql(east.alice, query, o=east.org)["registry"]["id"]
        for change in (
            "registryMemberAdd(input: {registry: $r, users: [$u]}) { registry { id } }",
            f"registryMemberSet(input: {{registry: $r, user: $u, role: {role}}}) {{ registry {{ id }} }}",
        ):
            server.graphql(east.alice, f"mutation ($r: ID!, $u: String!) {{ {change} }}", r=registry, u=both.name)

    def look(account=both):
        outcome = sdk.run("two_organizations", account, east.entity, west.entity)
        return outcome.answer[east.entity], outcome.answer[west.entity], outcome.evidence

    def check(seen, text, secret):
        """What is seen of an organization: `secret` is the restricted registry's content, a refusal, or None for nothing."""
        registries, collections = ["wandb-registry-model"], ["Example ML Task"]
        if secret is not None:
            registries, collections = ["wandb-registry-Secret", *registries], collections * 2
        assert sorted(seen["registries"]) == registries
        assert (seen["collections"], seen["versions"]) == (collections, len(collections))
        assert seen["content"]["model"] == f"model {text}"
        if secret is None:
            assert "not found" in seen["content"]["Secret"] and "Failed to load" in seen["members"]["Secret"]
        else:
            assert secret in seen["content"]["Secret"]

    before = look()
    check(before[0], "of the east", None)
    check(before[1], "of the west", None)
    for name, secret in (("RESTRICTED_VIEWER", "Error"), ("VIEWER", "Secret of the east"), ("MEMBER", "Secret of the east")):
        role(name)
        now = look()
        check(now[0], "of the east", secret)
        assert both.name in now[0]["members"]["Secret"], now[2]
        assert now[1] == before[1], now[2]
    # Out of the one, and what is left is the other, as it was.
    server.admin("org", "remove-member", east.org, both.name)
    outcome = sdk.run("two_organizations", both, west.entity)
    assert outcome.answer[west.entity] == before[1], outcome.evidence
    assert_nothing_there(sdk, both, east)
