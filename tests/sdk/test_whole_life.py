"""All that the SDK does with artifacts, in one script, with every version of it."""

import re

import pytest

from client import FULL, NEWEST, VERSIONS


class Like:
    """A text that a pattern is found in."""

    def __init__(self, pattern):
        self.pattern = pattern

    def __eq__(self, text):
        return isinstance(text, str) and re.search(self.pattern, text) is not None

    def __repr__(self):
        return f"Like({self.pattern!r})"


ABSENT = Like("(?i)not found")

# Steps of the script `whole_life`, and what each of them shall say.
EXPECTED = {
    "log_artifact": [
        "net:v0", "v0", "model", "COMMITTED", 5, 34, "The first.", {"accuracy": 0.5, "layers": [3, 2]}, ["best", "latest"], ["first"],
        "TEAM", "whole-life", False,
    ],
    # Rule 26.
    "the same again is the same version": ["v0", "v0"],
    "history_step": 1,
    "wait": [True, "v2", False],
    "log_model": None,
    # Rules 28 and 29.
    "link_artifact": ["v0", ["latest", "staging"], "net:v0", True, "model"],
    "link_model": "linked-model:v0",
    "save without a run": ["v0", "COMMITTED", {"weights.txt": "saved"}],
    "link": ["candidate", "latest"],
    "artifact": [["v0", "v0", "v2", "v2"], "v1", 1, ABSENT],
    "artifact of another type": Like("artifact is of type"),
    "artifacts": [["v2", "v1", "v0"], ["v2", "v1", "v0"], ["v0"], 3, ["v1", "v0"]],
    "artifacts in an order": ["v0", "v1", "v2"],
    "artifact_versions": ["v2", "v1", "v0"],
    "artifact_types": ["dataset", "model"],
    "artifact_type": ["model", ["linked-model", "logged-model", "net", "saved"], "net"],
    "artifact_collections": [["linked-model", "logged-model", "net", "saved"], ["data"]],
    "artifact_collection": [
        "net", "model", True, ["best", "latest"], ["v2", "v1", "v0"], "Line", False, ["candidate", "latest", "staging"],
    ],
    # Rule 45: what is absent is null.
    "artifact_exists": [True, True, False, False, False],
    "artifact_exists by type": [True, False],
    "artifact_collection_exists": [True, False, False, True],
    "use_artifact": ["v0", "v0", "Line:staging", True],
    "use_model": "a model",
    "download": [
        {
            "data/test/a.txt": "test a", "data/train/a.txt": "train a", "data/train/b.txt": "train b", "deep/weights.txt": "weights 0",
            "notes.txt": "noted",
        },
        True,
    ],
    "download where the SDK says": ["net:v1", {"weights.txt": "weights 1"}],
    "download a part": {"data/train/a.txt": "train a", "data/train/b.txt": "train b"},
    "get_entry": ["data/test/a.txt", 6, "test a", Like("not contained in artifact")],
    "get_path": "weights 0",
    "files": [
        ["data/test/a.txt", "data/train/a.txt", "data/train/b.txt", "deep/weights.txt", "notes.txt"], True, ["notes.txt"], 5, "noted",
    ],
    "file": ["weights 1", Like("more than one file")],
    "checkout": {"weights.txt": "weights 1"},
    "verify": ["accepted", Like("Digest mismatch")],
    # Rule 38.
    "references": [
        {
            "gs.bin": "gs://bucket/key#1", "here.txt": None, "kept.txt": "file:///shared/kept.txt", "s3.bin": "s3://bucket/key with space",
            "set.csv": "https://data.example.com/set.csv",
        },
        "s3://bucket/key with space", 5,
    ],
    "download of references": {"kept.txt": "kept where it is"},
    "description and metadata": ["The second.", {"accuracy": 0.75}],
    # Rule 30.
    "aliases": [
        [["best"], ["checked"], ["latest"]], [["best"], [], ["latest"]], [[], ["best", "frozen"], ["latest"]],
    ],
    # Rule 34.
    "tags": ["blue sky", "second"],
    "aliases of a link": [["production"], []],
    "source_artifact": ["net:v0", "whole-life"],
    "linked_at": True,
    "digest_algorithm": "MANIFEST_MD5",
    "linked_artifacts": [["Line:v0", "wandb-registry-Whole"]],
    "ttl": [None, "30 days, 0:00:00"],
    "upsert_artifact": ["v0", {"one.txt": "one", "three.txt": "three", "two.txt": "two"}],
    "new_draft": ["v3", ["added.txt", "data/test/a.txt", "data/train/a.txt", "data/train/b.txt", "deep/weights.txt"]],
    "incremental": ["v1", ["more.txt", "test/a.txt", "train/a.txt", "train/b.txt"]],
    "table": [["x", "y"], [[1, "one"], [2, "two"]]],
    "a reference to another artifact": {"train.txt": "train a"},
    "logged_by": [True, "first run"],
    "used_by": [True],
    "api.run": ["first run", "finished", {"lr": 0.1}, ["nightly"], "TEAM", "whole-life"],
    "api.runs": [["first run"], ["first run"], ["second run"], []],
    "logged_artifacts": ["data:v0", "linked-model:v0", "logged-model:v0", "net:v0", "net:v1", "net:v2"],
    "used_artifacts": ["logged-model:v0", "net:v0"],
    "run files": [True, True, True],
    "a run resumed": [True, {"lr": 0.1, "more": True}, ["nightly"], "finished"],
    "logged by the resumed run": [True, True, True],
    "a collection's description and tags": ["The card.", ["reviewed"]],
    "a collection renamed": [False, "renamed:v0"],
    # Rule 25.
    "a collection's type changed": ["checkpoint", True],
    "a registry collection changed": ["Of the registry.", ["public"]],
    # Rule 33.
    "unlink": [True, ["v0"], "v1"],
    "delete": [True, [False, False, True, False]],
    "a collection deleted": [[False, False], True],
    "download past the cache": {"weights.txt": "weights 2"},
}

# What older versions never had: the first of ours that has it, and how it is refused before.
SINCE = {
    "artifacts in an order": ("0.28.2", Like("unexpected keyword argument 'order'")),
    "linked_at": ("0.31.0", Like("has no attribute 'linked_at'")),
    "digest_algorithm": ("0.31.0", Like("has no attribute 'digest_algorithm'")),
}

def number(version):
    return [int(part) for part in version.split(".")]


def expected(version):
    """What a version's script shall say."""
    never = {name: refusal for name, (first, refusal) in SINCE.items() if number(version) < number(first)}
    return {**EXPECTED, **never}


@pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])
def test_whole_life(version, sdks, tenants):
    """Rules 25 to 47, as a data scientist meets them."""
    sdk, tenant = sdks[version], tenants(version)
    outcome = sdk.run("whole_life", tenant.alice, tenant.entity, tenant.team, timeout=600)
    said = outcome.answer

    def plain(value):
        match value:
            case list():
                return [plain(item) for item in value]
            case dict():
                return {key: plain(item) for key, item in value.items()}
        return "TEAM" if value == tenant.team else value

    assert list(said) == list(EXPECTED), "a step is missing here or there"
    shall = expected(version)
    wrong = [f"{name}: {plain(found)!r}\n    shall be {shall[name]!r}" for name, found in said.items() if plain(found) != shall[name]]
    assert not wrong, "\n".join([*wrong, outcome.evidence])
