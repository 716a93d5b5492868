"""Finishes a version of several processes, and makes an incremental and a changed one of it: TEAM PROJECT DISTRIBUTED_ID.

Prints what each of them is.
"""

import json
import sys

import wandb

TEAM, PROJECT, DISTRIBUTED_ID = sys.argv[1:4]
said = {}


def look(artifact):
    return {"version": artifact.version, "digest": artifact.digest, "files": artifact.file_count,
            "size": artifact.size, "state": artifact.state}


with wandb.init(entity=TEAM, project=PROJECT) as run:
    last = wandb.Artifact("shards", type="dataset")
    with last.new_file("README.md") as f:
        f.write("All shards.")
    run.finish_artifact(last, distributed_id=DISTRIBUTED_ID, aliases=["complete"])
    said["distributed"] = look(last.wait())
    said["versions"] = [version.version for version in wandb.Api().artifacts("dataset", f"{TEAM}/{PROJECT}/shards")]

    # What comes on top of the newest: one file more, and one instead of another.
    more = wandb.Artifact("shards", type="dataset", incremental=True)
    with more.new_file("more/late.txt") as f:
        f.write("came later")
    with more.new_file("README.md") as f:
        f.write("All shards, and more.")
    run.log_artifact(more)
    said["incremental"] = look(more.wait())

# From an earlier version, with its files taken over and nothing sent again.
draft = wandb.Api().artifact(f"{TEAM}/{PROJECT}/shards:v0").new_draft()
draft.remove("worker-1")
with draft.new_file("only here.txt") as f:
    f.write("in the draft")
draft.save()
said["draft"] = look(draft.wait())
said["complete"] = wandb.Api().artifact(f"{TEAM}/{PROJECT}/shards:complete").version
print(json.dumps(said))
