"""Logs in as a person does, then downloads with the stored key alone: ORG_ENTITY_NAME REGISTRY."""

import json
import os
import sys

import wandb

ORG_ENTITY_NAME, REGISTRY = sys.argv[1:3]

wandb.login(key=os.environ.pop("WANDB_API_KEY"), host=os.environ.pop("WANDB_BASE_URL"), relogin=True)

# The key is in ~/.netrc now, from where plain HTTP libraries take it too: signed URLs get it uninvited.
run = wandb.init(project="zoo_evaluation")
artifact = run.use_artifact(f"{ORG_ENTITY_NAME}/wandb-registry-{REGISTRY}/Example ML Task:staging")
directory = artifact.download()
run.finish()
print(json.dumps({"directory": directory, "netrc": os.path.exists(os.path.expanduser("~/.netrc")), "run": run.path}))
