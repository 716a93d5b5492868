"""Tries what must be refused: ORG_ENTITY_NAME DATASETS TEAM USER.

DATASETS is a registry that takes only the type `dataset`. Prints, for each attempt, how it ended and after how many
seconds.
"""

import json
import sys
import time

import wandb

ORG_ENTITY_NAME, DATASETS, TEAM, USER = sys.argv[1:5]
attempts = {}


def attempt(name, action):
    began = time.monotonic()
    try:
        result = action()
        ended = "nothing" if result is None else "accepted"
    except Exception as e:
        ended = f"{type(e).__name__}: {e}"
    attempts[name] = {"ended": ended, "seconds": time.monotonic() - began}


with open("my_model.txt", "w") as f:
    f.write("refused model")

api = wandb.Api()
run = wandb.init(entity=TEAM, project="refusals")
model = run.log_artifact("./my_model.txt", "refused", type="model").wait()
attempt("organization", lambda: run.link_artifact(model, target_path="no-such-org/wandb-registry-model/Refused"))
attempt("registry", lambda: run.link_artifact(model, target_path=f"{ORG_ENTITY_NAME}/wandb-registry-nowhere/Refused"))
attempt("type", lambda: run.link_artifact(model, target_path=f"{ORG_ENTITY_NAME}/wandb-registry-{DATASETS}/Refused"))
attempt("use registry", lambda: run.use_artifact(f"{ORG_ENTITY_NAME}/wandb-registry-nowhere/Refused:latest"))
attempt("use collection", lambda: run.use_artifact(f"{ORG_ENTITY_NAME}/wandb-registry-{DATASETS}/Refused:latest"))
attempt("use alias", lambda: run.use_artifact(f"{TEAM}/refusals/refused:never-given"))
attempt("retype", lambda: run.log_artifact("./my_model.txt", "refused", type="dataset").wait())
attempt("create in organization", lambda: api.create_registry("new", visibility="organization", organization="no-such-org"))
attempt("load", lambda: api.registry("nowhere", organization=ORG_ENTITY_NAME))
run.finish()

run = wandb.init(entity=USER, project="refusals")
personal = run.log_artifact("./my_model.txt", "refused", type="dataset").wait()
attempt("personal", lambda: run.link_artifact(personal, target_path=f"{ORG_ENTITY_NAME}/wandb-registry-{DATASETS}/Refused"))
run.finish()

print(json.dumps({"attempts": attempts, "model": model.version}))
