"""Versions that expire: ORG_ENTITY_NAME TEAM.

Prints what was to be seen after each step, read anew, and what was refused.
"""

import datetime
import json
import sys
import time

import wandb
from wandb.sdk.artifacts.artifact_ttl import ArtifactTTL

ORG, TEAM = sys.argv[1:3]
# So long one waits at most for the end of what is over.
PATIENCE = 60
PROJECT = "expiry"
source, line = f"{TEAM}/{PROJECT}/net", f"{ORG}/wandb-registry-Expiries/Line"
said = {}
refused = {}


def new(text, ttl=None):
    with open("weights.txt", "w") as f:
        f.write(text)
    artifact = wandb.Artifact("net", type="model")
    artifact.add_file("weights.txt")
    if ttl:
        artifact.ttl = ttl
    return artifact


def read(path):
    # Nothing is remembered between two handles.
    return wandb.Api().artifact(path)


def look(path):
    ttl = read(path).ttl
    return ttl and ttl.total_seconds()


def change(path, ttl):
    artifact = read(path)
    artifact.ttl = ttl
    artifact.save()
    return look(path)


def attempt(name, action):
    try:
        action()
        refused[name] = "accepted"
    except Exception as e:
        refused[name] = f"{type(e).__name__}: {e}"


wandb.Api().create_registry(name="Expiries", visibility="organization", organization=ORG)
with wandb.init(entity=TEAM, project=PROJECT) as run:
    logged = run.log_artifact(new("of a day", datetime.timedelta(days=1))).wait()
    said["logged with"] = look(f"{source}:v0")
    run.log_artifact(new("for ever")).wait()
    said["logged without"] = look(f"{source}:v1")
    run.log_artifact(new("published", datetime.timedelta(seconds=1))).wait()
    run.link_artifact(read(f"{source}:v2"), target_path=line)
    said["published"] = look(f"{source}:v2")

first = f"{source}:v0"
said["a week"] = change(first, datetime.timedelta(weeks=1))
saved = read(first)
saved.description = "The first."
saved.save()
said["unchanged"] = look(first)
said["none"] = change(first, None)
said["an hour"] = change(first, datetime.timedelta(hours=1))
said["inherited"] = change(first, ArtifactTTL.INHERIT)
attempt("nothing", lambda: change(first, datetime.timedelta(0)))
attempt("thousand years", lambda: change(first, datetime.timedelta(days=365_250)))
attempt("what is published", lambda: change(f"{source}:v2", datetime.timedelta(days=1)))
attempt("through a link", lambda: change(f"{line}:v0", datetime.timedelta(days=1)))
said["after what was refused"] = [look(first), look(f"{source}:v2")]

# Over: it ends by itself, with its alias; what is published stays, though its time would be over too.
short = read(f"{source}:v1")
short.aliases.append("short")
short.save()
change(f"{source}:v1", datetime.timedelta(seconds=1))
deadline = time.monotonic() + PATIENCE
while time.monotonic() < deadline:
    left = sorted(artifact.version for artifact in wandb.Api().artifacts("model", source))
    if "v1" not in left:
        break
    time.sleep(0.5)
said["left"] = left
attempt("find what is over", lambda: read(f"{source}:short"))
said["published still"] = len(list(wandb.Api().artifacts("model", line)))

print(json.dumps({"said": said, "refused": refused}))
