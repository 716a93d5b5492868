"""What becomes of versions, links and collections after they were made: changed, unlinked, deleted."""

import re

import pytest

from client import FULL, NEWEST, VERSIONS


@pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])
def test_life(version, sdks, tenants):
    """Rules 22, 25, 26, 28 to 30, 33, 34: as a data scientist would do it."""
    sdk, tenant = sdks[version], tenants(version)
    outcome = sdk.run("life", tenant.alice, tenant.entity, tenant.team, timeout=300)
    said = outcome.answer["said"]
    first = {"version": "v0", "tags": ["blue sky", "logged so"], "description": "The first.", "metadata": {"accuracy": 0.5}}
    assert said["changed"] == {**first, "aliases": ["best"]}, outcome.evidence
    assert said["through the link"] == {**first, "aliases": []}
    assert said["best moved"] == [[], ["best"]]
    assert said["a tag less"] == ["logged so"]
    assert said["an alias less"] == []
    assert said["the link"]["aliases"] == ["production"]
    assert said["the link"]["description"] == said["its source"]["description"] == "By the link."
    assert said["its source"]["aliases"] == []
    assert said["production moved"] == [["production"], []]
    assert (said["latest of the line"], said["the source stays"]) == ("v1", "v2")
    assert said["collection"] == ["Lines", "The card.", ["reviewed"]]
    assert said["tags gone"] == []
    assert (said["versions left"], said["links left"]) == (["v0", "v2"], ["v0"])
    # Rule 26: no index is given again.
    assert said["the next index"] == "v3"
    assert said["type"] == "checkpoint"
    assert said["collections left"] == []
    expected = {
        "unlink a source": "not a linked artifact|can't be unlinked|not a link",
        "find the link": "(?i)not found|does not|unable",
        "change the type of what is linked": "is linked",
        "delete with aliases": "aliases that somebody chose",
        "find the deleted": "(?i)not found|does not|unable",
        "find its link": "(?i)not found|does not|unable",
        "find the deleted collection": "(?i)could not find|not found|unable",
    }
    if version.startswith("0.19."):
        # It says which status it got, not what the server said.
        expected["change the type of what is linked"] = "409"
    assert sorted(outcome.answer["refused"]) == sorted(expected)
    for name, pattern in expected.items():
        assert re.search(pattern, outcome.answer["refused"][name]), f"{name}: {outcome.evidence}"
