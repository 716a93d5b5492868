"""Reads what `details.py` published, without a run: ORG_ENTITY_NAME REGISTRY."""

import json
import sys

import wandb

ORG_ENTITY_NAME, REGISTRY = sys.argv[1:3]

artifact = wandb.Api().artifact(f"{ORG_ENTITY_NAME}/wandb-registry-{REGISTRY}/Detailed:release 1.0", type="model")
print(json.dumps({
    "description": artifact.description,
    # A list of pairs, because the order is part of it.
    "metadata": json.dumps(artifact.metadata),
    "aliases": sorted(artifact.aliases),
    "digest": artifact.digest,
    "state": artifact.state,
    "entries": sorted(artifact.manifest.entries),
    "source": artifact.source_name,
    "ttl": artifact.ttl and str(artifact.ttl),
    "tags": getattr(artifact, "tags", []),
}))
