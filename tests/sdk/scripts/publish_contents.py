"""Publishes one artifact for each directory below SOURCE, or for those named: ORG_ENTITY_NAME REGISTRY SOURCE [KIND ...].

A file `reference` in a directory is added as a reference to it, everything else by its content.
"""

import json
import os
import sys

import wandb

ORG_ENTITY_NAME, REGISTRY, SOURCE, *KINDS = sys.argv[1:]

run = wandb.init(project="contents")
published = {}
for kind in KINDS or sorted(os.listdir(SOURCE)):
    directory = os.path.join(SOURCE, kind)
    artifact = wandb.Artifact(kind, type="dataset")
    if os.listdir(directory) == ["reference"]:
        artifact.add_reference(f"file://{directory}/reference")
    else:
        artifact.add_dir(directory)
    run.log_artifact(artifact)
    run.link_artifact(artifact, target_path=f"{ORG_ENTITY_NAME}/wandb-registry-{REGISTRY}/{kind}")
    published[kind] = {"version": artifact.version, "size": artifact.size, "file_count": artifact.file_count}
run.finish()
print(json.dumps(published))
