"""Registries, collections and versions are found as the public documentation shows it, by whoever may see them."""

import re

import pytest

from client import FULL, VERSIONS

AT_ONCE = 15.0

# The two ways in which SDKs write filters: from 0.28 on they check and rename fields themselves.
every = pytest.mark.parametrize("version", VERSIONS if FULL else [v for v in VERSIONS if v in ("0.31.0", "0.28.2")])

MODELS, DATA, PRIVATE = "Search Models", "Search Data", "Search Private"
RESNET = [f"{MODELS}/ResNet:v{index}" for index in (2, 1, 0)]
OTHER, CATS, HIDDEN = f"{MODELS}/Other Net:v0", f"{DATA}/Cats & Dogs:v0", f"{PRIVATE}/ResNet:v0"


def expected(version, private):
    """What is found, newest first; `private` is what only members of the private registry find."""
    minor = int(version.split(".")[1])
    hidden = [HIDDEN] if private else []
    registries = [DATA, MODELS, *([PRIVATE] if private else [])]
    collections = [*(["ResNet"] if private else []), "Cats & Dogs", "Other Net", "ResNet"]
    nets = [name for name in collections if name.endswith("Net")]
    versions = [*hidden, CATS, OTHER, *RESNET]
    best = [*hidden, CATS, OTHER, RESNET[2]]
    found = {
        "registries": registries,
        "registries by name": [MODELS],
        "registries by part of a name": [DATA, MODELS],
        "registries by description": [MODELS],
        "registries by date": registries,
        "registries of the future": [],
        "registries but one": registries[1:],
        "registries of either name": [DATA, MODELS],
        "collections": collections,
        "collections by part of a name": nets,
        "collections in one registry": ["Other Net", "ResNet"],
        "collections with a tag": [],
        "collections without a tag": ["Cats & Dogs", "Other Net"],
        "collections by substring": ["Cats & Dogs"],
        "collections and their registries": [
            *([f"wandb-registry-{PRIVATE}/ResNet model"] if private else []),
            f"wandb-registry-{DATA}/Cats & Dogs dataset",
            f"wandb-registry-{MODELS}/Other Net model",
            f"wandb-registry-{MODELS}/ResNet model",
        ],
        "versions": versions,
        "versions by alias": best,
        # Rule 29: `latest` is where the last link is.
        "versions by aliases": [*hidden, CATS, OTHER, *RESNET[:2]],
        "versions without the alias": RESNET[:2],
        "versions with a tag": [],
        "versions by tag or alias": [RESNET[1]],
        "versions by metadata": [*hidden, *RESNET[1:]],
        # Rule 43: a number is no text, and 1 is 1.0.
        "versions by a number": [OTHER, *RESNET[:2]],
        "versions by inner metadata": [RESNET[1]],
        "versions by a list": [*hidden, RESNET[2]],
        "versions by date": [],
        "chained": [RESNET[2]],
        "aliases of what was found": [["latest"], ["staging"], ["best"]],
        "metadata of what was found": [{"rows": 100, "accuracy": "0.95"}],
        "collections of a registry": ["Other Net", "ResNet"],
        "versions of a registry": [OTHER, *RESNET],
        "best of a registry": [OTHER, RESNET[2]],
        "versions of a collection": ["ResNet:v2", "ResNet:v1", "ResNet:v0"],
    }
    if minor >= 22:
        found |= {"registries by one": registries, "collections by one": collections, "versions by two": versions}
        found["collections at once"] = collections
    if minor >= 25:
        found["len of collections"] = len(nets)
    if minor >= 28:
        found |= {
            "registries in a list": [DATA, MODELS],
            "registries with a substring": [DATA],
            "registries from the end": registries[::-1],
            "registries by age": [MODELS, DATA, *([PRIVATE] if private else [])],
            "collections by name": sorted(collections),
            "collections from the end": sorted(collections)[::-1],
            "collections by both names": [*(["ResNet"] if private else []), "Other Net", "ResNet", "Cats & Dogs"],
            "versions by registry": [CATS, OTHER, *RESNET, *hidden],
            "versions by collection": [CATS, OTHER, RESNET[2], *hidden],
            "registries resumed": [registries[:1], registries[1:]],
            "versions resumed": [versions[:2], versions[2:]],
        }
    return found


def project(version):
    weights = ["weights:v2", "weights:v1", "weights:v0"]
    found = {
        "collections": ["weights"],
        "count": 1,
        "versions": weights,
        "versions by one": weights,
        "versions as before": weights,
        "tagged": [],
        "count of versions": 3,
        "of the collection": weights,
    }
    if int(version.split(".")[1]) >= 28:
        found |= {"from the start": weights[::-1], "by date": weights[::-1], "collections by name": ["weights"]}
    return found


def check_refused(outcome):
    refused = outcome.answer["refused"]
    for name, said in {
        "field": "(?i)colour",
        "operator": r"\$near",
        "pattern": "(?i)look|regular expression|group",
        "date": "yesterday",
        "metadata": r"\$gt|boolean",
        "organization": "(?i)organization.*no-such-org.*not found",
    }.items():
        assert re.search(said, refused[name]["ended"]), f"{name}: {refused[name]}\n{outcome.evidence}"
        assert not refused[name]["ended"].startswith("found"), f"{name}\n{outcome.evidence}"
    assert refused["slow pattern"]["ended"].startswith("found"), outcome.evidence
    assert all(attempt["seconds"] < AT_ONCE for attempt in refused.values()), f"{refused}\n{outcome.evidence}"


@every
def test_search(version, sdks, tenants):
    """Rules 8, 29, 34, 42, 43: filters, chains, orders, pages, cursors; a colleague finds what he may see and no more."""
    sdk, tenant = sdks[version], tenants(version)
    published = sdk.run("search_publish", tenant.alice, tenant.org, tenant.entity).answer

    outcome = sdk.run("search", tenant.alice, tenant.org, tenant.entity, published["project"])
    found = outcome.answer["found"]
    assert found.pop("project") == project(version), outcome.evidence
    assert found == expected(version, private=True), outcome.evidence
    check_refused(outcome)

    outcome = sdk.run("search", tenant.bob, tenant.org, tenant.entity)
    assert outcome.answer["found"] == expected(version, private=False), outcome.evidence
    check_refused(outcome)


@every
def test_search_by_a_stranger(version, sdks, tenants, carol):
    """Rule 45: an organization that isn't one's own is one that isn't there."""
    sdk, tenant = sdks[version], tenants(version)
    outcome = sdk.run("search_stranger", carol, tenant.org)
    assert outcome.answer == {kind: f"ValueError: {tenant.org}" for kind in ("registries", "collections", "versions")}, outcome.evidence
