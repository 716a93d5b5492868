"""Publishes a model: ORG_ENTITY_NAME REGISTRY TEXT [ENTITY PROJECT].

The public documentation's example. Without ENTITY the run goes to the user's default entity.
"""

import json
import sys

import wandb

ORG_ENTITY_NAME, REGISTRY, TEXT = sys.argv[1:4]

with open("my_model.txt", "w") as f:
    f.write(TEXT)

if len(sys.argv) > 4:
    run = wandb.init(entity=sys.argv[4], project=sys.argv[5])
else:
    run = wandb.init(project="zoo_experiment")
artifact = run.log_artifact("./my_model.txt", "artifact-name", type="model")
linked = run.link_artifact(
    artifact,
    target_path=f"{ORG_ENTITY_NAME}/wandb-registry-{REGISTRY}/Example ML Task",
    aliases=["staging"],
)
run.finish()

print(json.dumps({
    "run": run.path,
    "source": artifact.source_qualified_name,
    "version": artifact.version,
    "type": artifact.type,
    "linked": linked.qualified_name,
    "linked_version": linked.version,
    "linked_aliases": sorted(linked.aliases),
}))
