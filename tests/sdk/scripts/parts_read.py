"""Downloads versions: PATH ... Prints each path's directory, and whether the SDK finds every file right."""

import json
import sys

import wandb

directories, verified = {}, {}
for number, path in enumerate(sys.argv[1:]):
    artifact = wandb.Api().artifact(path)
    directories[path] = artifact.download(root=f"got-{number}")
    artifact.verify(root=f"got-{number}")
    verified[path] = True
print(json.dumps({"directories": directories, "verified": verified}))
