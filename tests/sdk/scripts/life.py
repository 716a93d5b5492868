"""What becomes of versions, links and collections after they were made: ORG_ENTITY_NAME TEAM.

Prints what was to be seen after each step, read anew.
"""

import json
import sys

import wandb

ORG, TEAM = sys.argv[1:3]
PROJECT = "life"
said = {}
refused = {}


def new(name, text, **options):
    with open("weights.txt", "w") as f:
        f.write(text)
    artifact = wandb.Artifact(name, type="model", **options)
    artifact.add_file("weights.txt")
    return artifact


def read(path):
    # Nothing is remembered between two handles.
    return wandb.Api().artifact(path)


def look(path):
    artifact = read(path)
    return {
        "version": artifact.version,
        "aliases": sorted(artifact.aliases),
        "tags": sorted(artifact.tags),
        "description": artifact.description,
        "metadata": artifact.metadata,
    }


def attempt(name, action):
    try:
        action()
        refused[name] = "accepted"
    except Exception as e:
        refused[name] = f"{type(e).__name__}: {e}"


source, line = f"{TEAM}/{PROJECT}/net", f"{ORG}/wandb-registry-Lives/Line"
wandb.Api().create_registry(name="Lives", visibility="organization", organization=ORG)
with wandb.init(entity=TEAM, project=PROJECT) as run:
    for number in range(3):
        logged = run.log_artifact(new("net", f"weights {number}"), tags=["logged so"] if number == 0 else None).wait()
        run.link_artifact(logged, target_path=line)

# A version's own fields, its aliases and tags; saved again, nothing changes.
first = read(f"{source}:v0")
first.description = "The first."
first.metadata = {"accuracy": 0.5}
first.aliases.append("best")
first.tags.append("blue sky")
first.save()
first.save()
said["changed"] = look(f"{source}:v0")
said["through the link"] = look(f"{line}:v0")
second = read(f"{source}:v1")
second.aliases.append("best")
second.save()
said["best moved"] = [look(f"{source}:v0")["aliases"], look(f"{source}:v1")["aliases"]]
first = read(f"{source}:v0")
first.tags.remove("blue sky")
first.save()
said["a tag less"] = look(f"{source}:v0")["tags"]
second = read(f"{source}:v1")
second.aliases.remove("best")
second.save()
said["an alias less"] = look(f"{source}:v1")["aliases"]

# The same through a link: aliases are the collection's, the rest is the version's.
link = read(f"{line}:v1")
link.aliases.append("production")
link.description = "By the link."
link.save()
said["the link"] = look(f"{line}:production")
said["its source"] = look(f"{source}:v1")
link = read(f"{line}:v0")
link.aliases.append("production")
link.save()
said["production moved"] = [look(f"{line}:v0")["aliases"], look(f"{line}:v1")["aliases"]]

# Unlinking.
attempt("unlink a source", read(f"{source}:v0").unlink)
read(f"{line}:v2").unlink()
attempt("find the link", lambda: read(f"{line}:v2"))
said["latest of the line"] = look(f"{line}:latest")["version"]
said["the source stays"] = look(f"{source}:v2")["version"]

# Collections.
collection = wandb.Api().artifact_collection("model", line)
collection.description = "The card."
collection.name = "Lines"
collection.tags = ["reviewed"]
collection.save()
line = f"{ORG}/wandb-registry-Lives/Lines"
read_again = wandb.Api().artifact_collection("model", line)
said["collection"] = [read_again.name, read_again.description, list(read_again.tags)]
read_again.tags = []
read_again.save()
said["tags gone"] = list(wandb.Api().artifact_collection("model", line).tags)
sequence = wandb.Api().artifact_collection("model", source)
attempt("change the type of what is linked", lambda: sequence.change_type("checkpoint"))

# Deleting: with aliases only if it is said.
second = read(f"{source}:v1")
second.aliases.append("keep")
second.save()
attempt("delete with aliases", read(f"{source}:v1").delete)
read(f"{source}:v1").delete(delete_aliases=True)
attempt("find the deleted", lambda: read(f"{source}:v1"))
attempt("find its link", lambda: read(f"{line}:v1"))
said["versions left"] = sorted(a.version for a in wandb.Api().artifacts("model", source))
said["links left"] = sorted(a.version for a in wandb.Api().artifacts("model", line))
with wandb.init(entity=TEAM, project=PROJECT) as run:
    said["the next index"] = run.log_artifact(new("net", "weights 1")).wait().version
wandb.Api().artifact_collection("model", line).delete()
attempt("find the deleted collection", lambda: wandb.Api().artifact_collection("model", line).load())
sequence = wandb.Api().artifact_collection("model", source)
sequence.change_type("checkpoint")
said["type"] = read(f"{source}:latest").type
wandb.Api().artifact_collection("checkpoint", source).delete()
said["collections left"] = [c.name for c in wandb.Api().artifact_type("model", f"{TEAM}/{PROJECT}").collections()]

print(json.dumps({"said": said, "refused": refused}))
