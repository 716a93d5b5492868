"""Logs artifact objects more than once: TEAM PROJECT. Prints the versions of each with their aliases, and what the runs logged."""

import json
import sys

import wandb

TEAM, PROJECT = sys.argv[1:3]
NAMES = {"part": "part", "at once": "at-once", "waited for": "waited-for", "turns": "turns", "another run": "another-run"}


def made(what, text="content"):
    artifact = wandb.Artifact(NAMES[what], type="dataset", metadata={"step": 1})
    with open(f"{NAMES[what]}-{text}.txt", "w") as f:
        f.write(text)
    # Of others the SDK keeps a copy until they are uploaded, and has nothing to finish a version with.
    artifact.add_file(f.name, "a.txt", policy="immutable")
    return artifact


def versions(what):
    found = wandb.Api().artifacts("dataset", f"{TEAM}/{PROJECT}/{NAMES[what]}")
    return {version.version: [sorted(version.aliases), sorted(version.tags)] for version in found}


with wandb.init(entity=TEAM, project=PROJECT) as first:
    part = made("part")
    first.upsert_artifact(part, distributed_id="job")
    part.metadata["finished"] = True
    first.finish_artifact(part, distributed_id="job", aliases=["complete"])
    part.wait()

    quick = made("at once")
    first.log_artifact(quick)
    first.log_artifact(quick, aliases=["best"], tags=["x"]).wait()

    waited = made("waited for")
    first.log_artifact(waited).wait()
    first.log_artifact(waited, aliases=["best"])

    turn, other = made("turns", "a"), made("turns", "b")
    first.log_artifact(turn, aliases=["early", "again"])
    first.log_artifact(other, aliases=["other"])
    first.log_artifact(turn, aliases=["again"]).wait()

    shared = made("another run")
    first.log_artifact(shared)

with wandb.init(entity=TEAM, project=PROJECT) as second:
    second.log_artifact(shared, aliases=["second"]).wait()

said = {what: versions(what) for what in NAMES}
said["part"]["v0"][1] = list(wandb.Api().artifact(f"{TEAM}/{PROJECT}/part:complete").metadata)
said["logged"] = [sorted(version.name for version in wandb.Api().run(run.path).logged_artifacts()) for run in (first, second)]
print(json.dumps(said))
