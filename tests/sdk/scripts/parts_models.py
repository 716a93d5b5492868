"""Models the short way, and a version that no run of the user's saves: TEAM PROJECT. Prints what came back."""

import json
import os
import sys

import wandb

TEAM, PROJECT = sys.argv[1:3]
said = {}

with open("net.bin", "wb") as f:
    f.write(b"the weights")
with wandb.init(entity=TEAM, project=PROJECT) as run:
    run.log_model(path="net.bin", name="net", aliases=["fine"])
with wandb.init(entity=TEAM, project=PROJECT) as run:
    path = run.use_model(name="net:fine")
    with open(path, "rb") as f:
        said["model"] = [os.path.basename(path), f.read().decode()]
model = wandb.Api().artifact(f"{TEAM}/{PROJECT}/net:fine")
said["type"] = model.type

with wandb.init(entity=TEAM, project=PROJECT) as run:
    run.link_model(path="net.bin", registered_model_name="Nets", name="net", aliases=["chosen"])
linked = wandb.Api().artifact(f"{TEAM}/model-registry/Nets:chosen")
said["linked"] = [linked.version, linked.source_name, sorted(linked.manifest.entries)]

alone = wandb.Artifact("alone", type="dataset")
with alone.new_file("alone.txt") as f:
    f.write("saved by nobody's run")
alone.save(project=PROJECT)
alone.wait()
saved = wandb.Api().artifact(alone.qualified_name)
said["alone"] = [saved.version, saved.project, sorted(saved.manifest.entries)]
print(json.dumps(said))
