"""Runs read back through the public API: their fields, filters and orders, changes, files, resuming, stopping."""

import re

import pytest

from client import FULL, NEWEST, VERSIONS


@pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])
def test_runs(version, sdks, tenants):
    """Rules 42, 43, 45, 47: as a data scientist would do it."""
    sdk, tenant = sdks[version], tenants(version)
    outcome = sdk.run("runs", tenant.alice, tenant.team, timeout=400)
    said, team = outcome.answer["said"], tenant.team
    config = {"lr": 0.1, "opt": {"name": "adam"}}
    assert said["first"] == {
        "id": "first",
        "name": "first run",
        "state": "finished",
        "config": config,
        "loss": 0.5,
        "tags": ["base", "line"],
        "group": "warm",
        "job_type": "train",
        "notes": "As planned.",
        "user": tenant.alice.name,
        "read_only": False,
        "path": [team, "training", "first"],
        # Rule 47: no history is kept, and no field pretends otherwise.
        "last_step": -1,
        "times": True,
        "program": True,
    }, outcome.evidence
    assert said["second"] == "failed"
    assert said["third"] == [True, {}]
    assert said["lists"] == {
        "all": ["first", "second", "third"],
        "one by one": ["first", "second", "third"],
        "all at once": ["first", "second", "third"],
        "newest first": ["third", "second", "first"],
        # What has no number stands in front.
        "by loss": ["third", "second", "first"],
        "by rate": ["first", "second", "third"],
        "by rate, one by one": ["first", "second", "third"],
        "finished": ["first", "third"],
        "failed": ["second"],
        "by name": ["first"],
        "by value": ["second", "third"],
        "by value in the short form": ["second"],
        "by summary": ["first"],
        "by tag": ["first"],
        "by either": ["first", "second"],
        "by somebody": ["first", "second", "third"],
        "by nobody": [],
    }, outcome.evidence
    assert said["counts"] == [3, 2]
    assert said["changed"] == [{**config, "lr": 0.2}, ["base", "changed", "line"], "As changed.", "finished", "first run"]
    assert said["a new summary"] == [0.4, 0.5]
    assert said["files"] == ["config.yaml", "notes/of the run.txt", "wandb-metadata.json", "wandb-summary.json"], outcome.evidence
    assert said["count"] is True
    assert said["named"] == ["config.yaml"]
    # A pattern can be given since 0.22.
    fitting = ["wandb-metadata.json", "wandb-summary.json"]
    assert said.get("fitting", fitting if version.startswith("0.19.") else None) == fitting
    assert said["downloaded"] == ["what I saw", 10]
    assert said["uploaded"] == "more of it"
    assert said["resumed"] == [True, 0.01, 0.25, ["base"], "running"]
    assert said["after"] == ["finished", 0.01, 0.25, 1, ["base"], "second run"]
    assert [said["allowed"], said["allowed again"], said["never seen"]] == [False, True, False]
    # 0.31 alone can ask.
    assert said.get("stopped", version != NEWEST) is True, outcome.evidence
    expected = {
        "an absent run": "(?i)could not find run",
        "an unknown field": "weather",
        "an unknown operator": "near",
        "an unknown order": "weather",
        "an absent project": "(?i)could not find project|not found",
        "a file that isn't there": "^ValueError: File none.txt not found in",
        "a file that isn't there to download": "404",
        "must resume what is absent": "(?i)absent.*resume|resume.*must",
        "never resume what is there": "(?i)first.*resume|resume.*never",
    }
    assert sorted(outcome.answer["refused"]) == sorted(expected)
    for name, pattern in expected.items():
        assert re.search(pattern, outcome.answer["refused"][name]), f"{name}: {outcome.evidence}"


@pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST, "0.25.1"])
def test_offline_runs_and_awkward_files(version, sdks, tenants):
    """Rules 27 and 47: what was made without a network is all there once it is sent; a name that can't be a file's costs no other."""
    sdk, tenant = sdks[version], tenants(version)
    outcome = sdk.run("offline", tenant.alice, tenant.team, timeout=300)
    said = outcome.answer["said"]
    assert said["synced"] == 0
    assert said["run"] == ["finished", 0.1, 0.5, ["net:v0"]], outcome.evidence
    assert said["bytes"] == "made on a train"
    assert said["hash"] is True
    assert {"config.yaml", "wandb-metadata.json", "wandb-summary.json"} <= set(said["files"]), outcome.evidence
    assert any("$\\alpha$" in name for name in said["files"]) and not any("lines" in name for name in said["files"])
    assert said["alpha"] is True


@pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST, "0.25.1"])
def test_forked_processes(version, sdks, tenants):
    """Rule 26: forked processes of 0.25 call their objects by the same names, and none of them is lost."""
    sdk, tenant = sdks[version], tenants(version)
    outcome = sdk.run("forked", tenant.alice, tenant.team, timeout=300)
    assert outcome.answer["ended"] == [0, 0, 0], outcome.evidence
    shall = {f"run{number}": [f"part{number}:v0", f"run-run{number}-table:v0"] for number in range(3)}
    assert outcome.answer["logged"] == shall, outcome.evidence
