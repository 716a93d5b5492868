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


@pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])
def test_links_with_numbers_of_their_own(version, sdks, tenants):
    """Rules 26 and 28: whatever handle one has of a link, its number is the link's and the bytes are its source's."""
    sdk, tenant = sdks[version], tenants(version)
    outcome = sdk.run("places", tenant.alice, tenant.entity, tenant.team, timeout=300)
    said = outcome.answer["said"]
    links = [[f"Line:v{number}", f"v{number}", f"weights {2 - number}", ["weights.txt"]] for number in range(3)]
    assert said["listed"] == said["of the collection"] == links, outcome.evidence
    assert said["saved"] == [*links[0], ["production"]]
    assert said["replaced"] == ["staging"]
    assert said["declared"] == ["net:v0"]
    assert said["versions"] == ["net:v0", "net:v1", "net:v2"]
