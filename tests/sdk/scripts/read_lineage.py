"""What somebody sees of a model's lineage: MODEL_PATH RUN_PATH…

Prints who logged it, who used it and where it is linked, and what each of the runs logged and used; null for a run that isn't there.
"""

import json
import sys

import wandb

MODEL, *RUNS = sys.argv[1:]
api = wandb.Api()
model = api.artifact(MODEL)


def name(artifact):
    return artifact.qualified_name


def run_lists(path):
    try:
        run = wandb.Api().run(path)
    except (ValueError, wandb.errors.CommError):
        return None
    used, logged = run.used_artifacts(), run.logged_artifacts()
    return {"used": sorted(name(a) for a in used), "counted": [len(used), len(logged)], "logged": sorted(name(a) for a in logged)}


said = {"is_link": model.is_link, "logged_by": (run := model.logged_by()) and run.id}
said["used_by"] = sorted(run.id for run in model.used_by())
said["linked"] = sorted(name(a) for a in model.linked_artifacts)
said["source"] = name(model.source_artifact)
said["runs"] = {path: run_lists(path) for path in RUNS}
print(json.dumps(said))
