"""Tries what Regalia can't do yet: ORG_ENTITY_NAME REGISTRY TEAM.

Prints, for each attempt, how it ended and after how many seconds.
"""

import json
import sys
import time

import wandb

ORG_ENTITY_NAME, REGISTRY, TEAM = sys.argv[1:4]
attempts = {}


def attempt(name, action):
    began = time.monotonic()
    try:
        action()
        ended = "accepted"
    except Exception as e:
        ended = f"{type(e).__name__}: {e}"
    attempts[name] = {"ended": ended, "seconds": time.monotonic() - began}


def new(name, **options):
    with open("weights.txt", "w") as f:
        f.write(name)
    artifact = wandb.Artifact(name, type="model", **options)
    artifact.add_file("weights.txt")
    return artifact


api = wandb.Api()
run = wandb.init(entity=TEAM, project="later")
model = run.log_artifact(new("model")).wait()
run.link_artifact(model, target_path=f"{ORG_ENTITY_NAME}/wandb-registry-{REGISTRY}/Later")
attempt("runs", lambda: list(api.runs(f"{TEAM}/later")))
run.finish()
attempt("resume", lambda: wandb.init(entity=TEAM, project="later", id=run.id, resume="must").finish())

# Read back with nothing remembered.
read = wandb.Api().artifact(f"{TEAM}/later/model:v0")
print(json.dumps({"attempts": attempts, "model": [read.version, sorted(read.aliases), read.description, read.state]}))
