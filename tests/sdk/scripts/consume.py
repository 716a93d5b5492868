"""Downloads the published model: ORG_ENTITY_NAME REGISTRY [COLLECTION:ALIAS]."""

import json
import sys

import wandb

ORG_ENTITY_NAME, REGISTRY = sys.argv[1:3]
NAME = sys.argv[3] if len(sys.argv) > 3 else "Example ML Task:staging"

run = wandb.init(project="zoo_evaluation")
artifact = run.use_artifact(f"{ORG_ENTITY_NAME}/wandb-registry-{REGISTRY}/{NAME}")
directory = artifact.download()
run.finish()

print(json.dumps({
    "run": run.path,
    "directory": directory,
    "version": artifact.version,
    "type": artifact.type,
    "size": artifact.size,
    "aliases": sorted(artifact.aliases),
}))
