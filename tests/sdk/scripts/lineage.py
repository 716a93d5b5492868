"""A model made from two data sets by three runs, in two teams: ORG_ENTITY_NAME TEAM OTHER_TEAM.

Prints what was made, and what the SDK says of where it comes from.
"""

import json
import sys

import wandb

ORG, TEAM, OTHER = sys.argv[1:4]


def new(name, kind, text):
    with open("content.txt", "w") as f:
        f.write(text)
    artifact = wandb.Artifact(name, type=kind)
    artifact.add_file("content.txt")
    return artifact


def logged(entity, project, artifact):
    with wandb.init(entity=entity, project=project) as run:
        return run.log_artifact(artifact).wait(), run.id


# The two data sets; the second is the other team's alone.
runs = {}
raw, runs["raw"] = logged(TEAM, "data", new("raw", "dataset", "raw"))
secret, runs["secret"] = logged(OTHER, "data", new("secret", "dataset", "secret"))
with wandb.init(entity=TEAM, project="training") as run:
    run.use_artifact(f"{TEAM}/data/raw:v0")
    run.log_artifact(new("features", "dataset", "features")).wait()
    runs["prepare"] = run.id
with wandb.init(entity=TEAM, project="training") as run:
    run.use_artifact(f"{TEAM}/training/features:latest")
    run.use_artifact(f"{OTHER}/data/secret:v0")
    model = run.log_artifact(new("net", "model", "weights")).wait()
    runs["train"] = run.id
    # Into a project of the same team: with its whole path, and as a collection of the run's own project.
    run.link_artifact(model, target_path=f"{TEAM}/shelf/Best ones", aliases=["chosen"])
    run.link_artifact(model, target_path="Here")
with wandb.init(entity=OTHER, project="lab") as run:
    run.use_artifact(f"{TEAM}/training/net:v0")
    run.log_artifact(new("report", "report", "report")).wait()
    # What is there already: logged by this run, too.
    run.log_artifact(new("report", "report", "report")).wait()
    runs["evaluate"] = run.id
model.link(f"{ORG}/wandb-registry-model/Net")
with wandb.init(entity=TEAM, project="training") as run:
    run.log_artifact(new("net", "model", "weights")).wait()
    runs["again"] = run.id

print(json.dumps({"model": model.id, "runs": runs}))
