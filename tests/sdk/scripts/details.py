"""Publishes a version with all that can be said of it: ORG_ENTITY_NAME REGISTRY."""

import json
import sys

import wandb

ORG_ENTITY_NAME, REGISTRY = sys.argv[1:3]

run = wandb.init(project="details")
artifact = wandb.Artifact(
    "detailed", type="model", description="first line\n\"second\" ☃",
    metadata={
        "zeta": 1, "alpha": {"größe": [1.5, None, True, "模型"], "a": {}}, "big": 2**60 + 1, "tiny": 1e-300, "text": "a\tb\\",
    },
)
with artifact.new_file("notes.txt") as f:
    f.write("noted")
run.log_artifact(artifact, aliases=["best", "größte"])
target = f"{ORG_ENTITY_NAME}/wandb-registry-{REGISTRY}/Detailed"
run.link_artifact(artifact, target_path=target, aliases=["release 1.0", "production"])
run.finish()
print(json.dumps({"digest": artifact.digest}))
