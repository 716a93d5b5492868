"""What people say of versions and runs arrives as they said it."""

import json
import math

import pytest

from client import FULL, NEWEST, VERSIONS

every = pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])

RUN = """
    query ($entity: String!, $project: String!, $run: String!) {
        project(entityName: $entity, name: $project) {
            run(name: $run) { displayName notes tags state config summaryMetrics }
        }
    }
"""


@every
def test_version(version, sdks, tenants):
    """Rules 17, 22, 25, 29, 36: description, metadata with its order and big numbers, aliases of the link alone."""
    sdk, tenant = sdks[version], tenants(version)
    published = sdk.run("details", tenant.alice, tenant.entity, "model").answer
    assert sdk.run("read_details", tenant.bob, tenant.entity, "model").answer == {
        "description": 'first line\n"second" ☃',
        "metadata": json.dumps(
            {"zeta": 1, "alpha": {"größe": [1.5, None, True, "模型"], "a": {}}, "big": 2**60 + 1, "tiny": 1e-300, "text": "a\tb\\"}
        ),
        "aliases": ["latest", "production", "release 1.0"],
        "digest": published["digest"],
        "state": "COMMITTED",
        "entries": ["notes.txt"],
        "source": "detailed:v0",
        "ttl": None,
        "tags": [],
    }


@every
def test_run(version, sdks, tenants, server):
    """Rule 47: configuration, summary, state and tags are kept; a number that JSON has no word for breaks nothing."""
    sdk, tenant = sdks[version], tenants(version)
    outcome = sdk.run("run_details", tenant.alice, tenant.team, "details")
    assert "Fatal error" not in outcome.stderr, outcome.evidence
    run = server.graphql(tenant.alice, RUN, **outcome.answer)["project"]["run"]
    assert (run["displayName"], run["notes"], run["tags"]) == ("Elephants, again", "two\nlines", ["zoo", "größe"])
    assert run["state"] == "finished"
    # The SDK itself writes null for a NaN, but not for one among the logged numbers, and not for infinities.
    config = {name: item["value"] for name, item in json.loads(run["config"]).items() if name != "_wandb"}
    assert config == {
        "lr": 0.001, "layers": [1, 2, 3], "nested": {"name": "模型"}, "big": 2**60, "nothing": None, "all": math.inf,
    }
    summary = json.loads(run["summaryMetrics"])
    assert summary["loss"] == 1 / 20
    assert math.isnan(summary["broken"])
    assert summary["best"] == {"epoch": 7, "lost": None, "most": -math.inf}
