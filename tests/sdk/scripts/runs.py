"""Runs read back, filtered, changed, resumed and stopped, and their files: TEAM.

Prints what was to be seen after each step, read anew.
"""

import inspect
import json
import math
import os
import sys
import time

import wandb

(TEAM,) = sys.argv[1:]
PROJECT = "training"
PATH = f"{TEAM}/{PROJECT}"
said = {}
refused = {}


def read(name):
    return wandb.Api().run(f"{PATH}/{name}")


def attempt(name, action):
    try:
        action()
        refused[name] = "accepted"
    except Exception as e:
        refused[name] = f"{type(e).__name__}: {e}"


def train(name, lr, loss, code=0, **options):
    run = wandb.init(entity=TEAM, project=PROJECT, id=name, name=f"{name} run", config={"lr": lr, "opt": {"name": "adam"}}, **options)
    run.log({"loss": loss * 2})
    run.summary["loss"] = loss
    if name == "first":
        os.makedirs("notes", exist_ok=True)
        with open("notes/of the run.txt", "w") as f:
            f.write("what I saw")
        run.save("notes/of the run.txt", base_path=".")
    run.finish(exit_code=code)


train("first", 0.1, 0.5, tags=["base", "line"], group="warm", job_type="train", notes="As planned.")
train("second", 0.01, 0.25, code=3, tags=["base"], group="cold")
train("third", 0.001, math.nan)

# Everything of a run.
run = read("first")
said["first"] = {
    "id": run.id,
    "name": run.name,
    "state": run.state,
    "config": run.config,
    "loss": run.summary["loss"],
    "tags": sorted(run.tags),
    "group": run.group,
    "job_type": run.job_type,
    "notes": run.notes,
    "user": run.user.username,
    "read_only": run.read_only,
    "path": list(run.path),
    "last_step": run.lastHistoryStep,
    "times": run.created_at <= run.heartbeat_at,
    "program": isinstance((run.metadata or {}).get("python"), str),
}
said["second"] = read("second").state
third = read("third")
# Newer SDKs don't even send it.
said["third"] = [math.isnan(third.summary.get("loss", math.nan)), third.system_metrics]
attempt("an absent run", lambda: read("none"))


# Lists.
def names(filters=None, **options):
    return [run.id for run in wandb.Api().runs(PATH, filters=filters, **options)]


said["lists"] = {
    "all": names(),
    "one by one": names(per_page=1),
    "all at once": names(per_page=100_000),
    "newest first": names(order="-created_at"),
    "by loss": names(order="+summary_metrics.loss"),
    "by rate": names(order="-config.lr.value"),
    "by rate, one by one": names(order="-config.lr.value", per_page=1),
    "finished": names({"state": "finished"}),
    "failed": names({"state": {"$in": ["failed", "crashed"]}}),
    "by name": names({"display_name": {"$regex": "^f"}}),
    "by value": names({"config.lr.value": {"$lt": 0.05}}),
    "by value in the short form": names({"config.opt.name": "adam", "config.lr": 0.01}),
    "by summary": names({"summary_metrics.loss": {"$gt": 0.3}}),
    "by tag": names({"tags": {"$in": ["line"]}}),
    "by either": names({"$or": [{"group": "cold"}, {"jobType": "train"}]}),
    "by somebody": names({"username": run.user.username}),
    "by nobody": names({"username": "nobody"}),
}
said["counts"] = [len(wandb.Api().runs(PATH)), len(wandb.Api().runs(PATH, filters={"state": "finished"}))]
attempt("an unknown field", lambda: names({"weather": "fine"}))
attempt("an unknown operator", lambda: names({"state": {"$near": "here"}}))
attempt("an unknown order", lambda: names(order="+weather"))
attempt("an absent project", lambda: list(wandb.Api().runs(f"{TEAM}/none")))

# Changes.
run = read("first")
run.config["lr"] = 0.2
run.tags.append("changed")
run.notes = "As changed."
run.update()
run = read("first")
said["changed"] = [run.config, sorted(run.tags), run.notes, run.state, run.name]
run.summary["best"] = 0.4
run.summary.update()
said["a new summary"] = [read("first").summary["best"], read("first").summary["loss"]]

# Files.
run = read("first")
files = {file.name: file for file in run.files(per_page=2)}
said["files"] = sorted(set(files) & {"config.yaml", "wandb-metadata.json", "wandb-summary.json", "notes/of the run.txt"})
said["count"] = len(run.files()) == len(files) == len(list(run.files(per_page=100_000)))
attempt("a file that isn't there", lambda: wandb.restore("none.txt", run_path=f"{PATH}/first"))
attempt("a file that isn't there to download", lambda: run.file("none.txt").download(root="none"))
said["named"] = [file.name for file in run.files(names=["config.yaml", "none"])]
if "pattern" in inspect.signature(type(run).files).parameters:
    said["fitting"] = sorted(file.name for file in run.files(pattern="wandb-%.json"))
with run.file("notes/of the run.txt").download(root="got") as f:
    said["downloaded"] = [f.read(), run.file("notes/of the run.txt").size]
with open("more.txt", "w") as f:
    f.write("more of it")
run.upload_file("more.txt")
with read("first").file("more.txt").download(root="got") as f:
    said["uploaded"] = f.read()
said["state after the upload"] = read("first").state

# Resumed.
with wandb.init(entity=TEAM, project=PROJECT, id="second", resume="must") as again:
    said["resumed"] = [again.resumed, again.config["lr"], again.summary["loss"], sorted(again.tags), read("second").state]
    again.summary["more"] = 1
run = read("second")
said["after"] = [run.state, run.config["lr"], run.summary["loss"], run.summary["more"], sorted(run.tags), run.name]
with wandb.init(entity=TEAM, project=PROJECT, id="fresh", resume="allow") as fresh:
    said["allowed"] = fresh.resumed
with wandb.init(entity=TEAM, project=PROJECT, id="fresh", resume="allow") as fresh:
    said["allowed again"] = fresh.resumed
with wandb.init(entity=TEAM, project=PROJECT, id="unseen", resume="never") as unseen:
    said["never seen"] = unseen.resumed
attempt("must resume what is absent", lambda: wandb.init(entity=TEAM, project=PROJECT, id="absent", resume="must"))
attempt("never resume what is there", lambda: wandb.init(entity=TEAM, project=PROJECT, id="first", resume="never"))

# Asked to stop.
if hasattr(run, "stop"):
    stopping = wandb.init(entity=TEAM, project=PROJECT, id="stopping")
    stopping.log({"step": 0})
    read("stopping").stop()
    said["stopped"] = False
    try:
        for step in range(120):
            stopping.log({"step": step})
            time.sleep(0.5)
    except KeyboardInterrupt:
        said["stopped"] = True
    stopping.finish(exit_code=1)

print(json.dumps({"said": said, "refused": refused}))
