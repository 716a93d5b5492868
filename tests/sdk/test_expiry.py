"""Versions that expire, as a data scientist asks for it (rule 35)."""

import re

import pytest

from client import FULL, NEWEST, VERSIONS

DAY = 24 * 60 * 60


@pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])
def test_expiry(version, sdks, tenants):
    """Rule 35: given when it is logged or later, shown, off by linking, refused where it makes no sense; and what is over ends."""
    sdk, tenant = sdks[version], tenants(version)
    outcome = sdk.run("expiry", tenant.alice, tenant.entity, tenant.team, timeout=300)
    assert outcome.answer["said"] == {
        "logged with": DAY,
        "logged without": None,
        "published": None,
        "a week": 7 * DAY,
        "unchanged": 7 * DAY,
        "none": None,
        "an hour": 3600,
        "inherited": None,
        "after what was refused": [None, None],
        "left": ["v0", "v2"],
        "published still": 1,
    }, outcome.evidence
    expected = {
        "nothing": "has to be positive",
        "thousand years": "at most a hundred years",
        "what is published": "linked into a registry",
        "through a link": "Cannot set TTL for link artifact",
        "find what is over": "(?i)not found|does not|unable",
    }
    if version.startswith("0.19."):
        # It says which status it got, not what the server said.
        expected |= {"thousand years": "400", "what is published": "409"}
    assert sorted(outcome.answer["refused"]) == sorted(expected)
    for name, pattern in expected.items():
        assert re.search(pattern, outcome.answer["refused"][name]), f"{name}: {outcome.evidence}"
