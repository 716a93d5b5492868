"""Logs A, A, B, A under one name and links some of it: ORG_ENTITY_NAME REGISTRY."""

import json
import sys

import wandb

ORG_ENTITY_NAME, REGISTRY = sys.argv[1:3]
TARGET = f"{ORG_ENTITY_NAME}/wandb-registry-{REGISTRY}/Versions"

run = wandb.init(project="versions")


def log(content, aliases):
    with open("weights.txt", "w") as f:
        f.write(content)
    artifact = wandb.Artifact("weights", type="model")
    artifact.add_file("weights.txt")
    run.log_artifact(artifact, aliases=aliases)
    return artifact.wait()


answer = {}
first = log("A", ["best"])
answer["A"] = first.version
answer["A again"] = log("A", ["tried"]).version
second = log("B", ["best"])
answer["B"] = second.version
third = log("A", [])
answer["A after B"] = third.version

links = [
    run.link_artifact(artifact, target_path=TARGET, aliases=aliases)
    for artifact, aliases in ((second, ["staging"]), (first, []), (third, ["staging"]), (second, ["production"]))
]
answer["links"] = [link.version for link in links]
run.finish()

# Read back with nothing remembered.
api = wandb.Api()
source = f"{run.entity}/{run.project}/weights"
answer["source aliases"] = {
    alias: api.artifact(f"{source}:{alias}").version for alias in ("latest", "best", "tried", "v0", "v1", "v2")
}
answer["link aliases"] = {
    alias: api.artifact(f"{TARGET}:{alias}").version
    for alias in ("latest", "staging", "production", "v0", "v1", "v2")
}
links = [api.artifact(f"{TARGET}:v{i}") for i in range(3)]
answer["link sources"] = [link.source_version for link in links]
answer["listed aliases"] = [sorted(link.aliases) for link in links]
answer["content"] = {}
for alias in ("staging", "production", "v0", "v1", "v2"):
    with open(f"{api.artifact(f'{TARGET}:{alias}').download(root=alias)}/weights.txt") as f:
        answer["content"][alias] = f.read()
print(json.dumps(answer))
