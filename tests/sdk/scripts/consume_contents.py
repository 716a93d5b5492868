"""Downloads collections of a registry, by `latest`: ORG_ENTITY_NAME REGISTRY COLLECTION ..."""

import json
import sys

import wandb

ORG_ENTITY_NAME, REGISTRY, *COLLECTIONS = sys.argv[1:]

run = wandb.init(project="zoo_evaluation")
directories = {}
for collection in COLLECTIONS:
    artifact = run.use_artifact(f"{ORG_ENTITY_NAME}/wandb-registry-{REGISTRY}/{collection}:latest")
    directories[collection] = artifact.download()
run.finish()
print(json.dumps(directories))
