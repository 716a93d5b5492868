"""Links that have other numbers than their sources, by every handle that one gets: ORG_ENTITY_NAME TEAM.

Prints each handle's number and the bytes that come by it.
"""

import json
import sys
import tempfile

import wandb

ORG, TEAM = sys.argv[1:3]
PROJECT = "places"
said = {}


def new(text):
    with open("weights.txt", "w") as f:
        f.write(text)
    artifact = wandb.Artifact("net", type="model")
    artifact.add_file("weights.txt")
    return artifact


def bytes_of(artifact):
    # Nothing of the SDK's cache: what the server sends for this handle's number.
    with tempfile.TemporaryDirectory() as root:
        artifact.download(root=root, skip_cache=True)
        with open(f"{root}/weights.txt") as f:
            return f.read()


def look(artifact):
    return [artifact.name, artifact.version, bytes_of(artifact), [file.name for file in artifact.files()]]


source, line = f"{TEAM}/{PROJECT}/net", f"{ORG}/wandb-registry-Places/Line"
wandb.Api().create_registry(name="Places", visibility="organization", organization=ORG)
with wandb.init(entity=TEAM, project=PROJECT) as run:
    versions = [run.log_artifact(new(f"weights {number}")).wait() for number in range(3)]
    for number in (2, 1, 0):
        run.link_artifact(versions[number], target_path=line)

said["listed"] = sorted(look(artifact) for artifact in wandb.Api().artifacts("model", line))
said["of the collection"] = sorted(look(artifact) for artifact in wandb.Api().artifact_collection("model", line).artifacts())

link = wandb.Api().artifact(f"{line}:v0")
link.aliases.append("production")
link.description = "The last one."
link.save()
said["saved"] = [*look(link), sorted(link.aliases)]

# The SDK itself puts the number among the aliases of these handles.
[linked] = wandb.Api().artifact(f"{source}:v2").linked_artifacts
linked.aliases = ["staging"]
linked.save()
said["replaced"] = sorted(wandb.Api().artifact(f"{line}:v0").aliases)

# A run declares a version that is there and isn't the newest.
with wandb.init(entity=TEAM, project=PROJECT) as run:
    second_run = run.id
declared = wandb.Api().run(f"{TEAM}/{PROJECT}/{second_run}")
declared.log_artifact(wandb.Api().artifact(f"{source}:v0"))
said["declared"] = [artifact.name for artifact in wandb.Api().run(f"{TEAM}/{PROJECT}/{second_run}").logged_artifacts()]
said["versions"] = sorted(artifact.name for artifact in wandb.Api().artifacts("model", source))
print(json.dumps({"said": said}))
