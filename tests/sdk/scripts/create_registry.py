"""Makes a registry and takes its name again: ORG NAME TYPE [VISIBILITY]."""

import json
import sys

import wandb

ORG, NAME, TYPE = sys.argv[1:4]
VISIBILITY = sys.argv[4] if len(sys.argv) > 4 else "organization"

api = wandb.Api()
registry = api.create_registry(
    name=NAME, visibility=VISIBILITY, organization=ORG, description="Animals, by eye", artifact_types=[TYPE]
)
loaded = api.registry(NAME, organization=ORG)
try:
    api.create_registry(name=NAME, visibility=VISIBILITY, organization=ORG)
    again = "accepted"
except ValueError as e:
    again = str(e)

print(json.dumps({
    "made": [registry.full_name, registry.entity, registry.visibility, registry.description, list(registry.artifact_types)],
    "loaded": [loaded.full_name, loaded.entity, loaded.visibility, loaded.description, list(loaded.artifact_types)],
    "allow_all": [registry.allow_all_artifact_types, loaded.allow_all_artifact_types],
    "again": again,
}))
