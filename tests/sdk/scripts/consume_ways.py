"""Downloads a collection's newest version in all the ways that the SDK has: ORG_ENTITY_NAME REGISTRY COLLECTION PREFIX.

Prints, for each way, the directory that it filled.
"""

import json
import os
import sys

import wandb

ORG_ENTITY_NAME, REGISTRY, COLLECTION, PREFIX = sys.argv[1:5]

# What `wandb login` leaves in the home directory of a server at a standard port. Plain HTTP libraries send it along with
# signed URLs, uninvited, and it may be an old one.
with open(os.path.expanduser("~/.netrc"), "w") as f:
    f.write("machine 127.0.0.1 login user password 0123456789012345678901234567890123456789\n")
os.chmod(f.name, 0o600)

# No run: whoever may download needs no project to do it in.
artifact = wandb.Api().artifact(f"{ORG_ENTITY_NAME}/wandb-registry-{REGISTRY}/{COLLECTION}:latest")

# Each past the cache, so that each asks the server. Entries first, while the client has no signed URL for them: then it
# goes to /artifactsV2 with its key.
for name in sorted(artifact.manifest.entries):
    if "%" in name:
        # The SDK doesn't quote names in that address, and then its HTTP library quotes the whole address once more.
        continue
    artifact.get_entry(name).download(root="entries", skip_cache=True)
whole = artifact.download(root="whole", skip_cache=True)
artifact.verify(root=whole)
ranges = artifact.download(root="ranges", skip_cache=True, multipart=True)
part = artifact.download(root="part", skip_cache=True, path_prefix=PREFIX)
print(json.dumps({"whole": whole, "ranges": ranges, "part": part, "entries": "entries"}))
