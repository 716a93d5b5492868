"""Looks around in an organization's registries: ORG."""

import json
import sys

import wandb

api = wandb.Api()
registries = api.registries(organization=sys.argv[1])
print(json.dumps({
    "registries": sorted(registry.full_name for registry in registries),
    "collections": sorted(
        [collection.project, collection.name, collection.type] for collection in registries.collections()
    ),
    "versions": sorted(
        [version.project, version.name, sorted(version.aliases)] for version in registries.versions()
    ),
}))
