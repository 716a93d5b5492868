"""Downloads a collection's newest version in all the ways that the SDK has: ORG_ENTITY_NAME REGISTRY COLLECTION PREFIX.

Prints, for each way, the directory that it filled.
"""

import json
import sys

import wandb

ORG_ENTITY_NAME, REGISTRY, COLLECTION, PREFIX = sys.argv[1:5]

# No run: whoever may download needs no project to do it in.
artifact = wandb.Api().artifact(f"{ORG_ENTITY_NAME}/wandb-registry-{REGISTRY}/{COLLECTION}:latest")

# Past the cache, so that each way asks the server.
whole = artifact.download(root="whole", skip_cache=True)
artifact.verify(root=whole)
ranges = artifact.download(root="ranges", skip_cache=True, multipart=True)
part = artifact.download(root="part", skip_cache=True, path_prefix=PREFIX)
for name in sorted(artifact.manifest.entries):
    artifact.get_entry(name).download(root="entries", skip_cache=True)
print(json.dumps({"whole": whole, "ranges": ranges, "part": part, "entries": "entries"}))
