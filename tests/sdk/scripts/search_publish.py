"""Publishes what `search.py` looks for: ORG ORG_ENTITY_NAME.

Two registries for everybody and one for its members alone; two source collections, whose versions are linked under numbers
and aliases of their own.
"""

import json
import sys

import wandb

ORG, ORG_ENTITY_NAME = sys.argv[1:3]

api = wandb.Api()
api.create_registry("Search Models", "organization", organization=ORG, description="Models for vision", artifact_types=["model"])
api.create_registry("Search Data", "organization", organization=ORG, description="Images", artifact_types=["dataset"])
api.create_registry("Search Private", "restricted", organization=ORG, description="Models for nobody else")


def log(name, type, content, **metadata):
    artifact = wandb.Artifact(name, type=type, metadata=metadata)
    with artifact.new_file("content.txt") as f:
        f.write(content)
    return run.log_artifact(artifact).wait()


run = wandb.init(project="search")
weights = [
    log("weights", "model", "first", accuracy=0.7, framework="torch", training={"epochs": 10}, languages=["de", "fr"]),
    log("weights", "model", "second", accuracy=0.9, framework="torch", training={"epochs": 20}, languages=["de"]),
    log("weights", "model", "third", accuracy=1, framework="jax", training={"epochs": 20, "note": None}),
]
images = log("images", "dataset", "images", rows=100, accuracy="0.95")
for registry, collection, artifact, aliases in (
    ("Search Models", "ResNet", weights[0], ["best"]),
    ("Search Models", "ResNet", weights[1], ["staging"]),
    ("Search Models", "ResNet", weights[2], []),
    ("Search Models", "Other Net", weights[2], ["best"]),
    ("Search Data", "Cats & Dogs", images, ["best"]),
    ("Search Private", "ResNet", weights[0], ["best"]),
):
    run.link_artifact(artifact, target_path=f"{ORG_ENTITY_NAME}/wandb-registry-{registry}/{collection}", aliases=aliases)
run.finish()
print(json.dumps({"project": f"{run.entity}/{run.project}"}))
