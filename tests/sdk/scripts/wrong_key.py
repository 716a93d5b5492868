"""Opens the API and starts a run with a key that the server doesn't know."""

import json
import time

import wandb

began = time.monotonic()


def ask(action):
    try:
        action()
        return "accepted"
    except Exception as e:
        return f"{type(e).__name__}: {e}"


def publish():
    with open("my_model.txt", "w") as f:
        f.write("unpublished model")
    with wandb.init(project="wrong_key") as run:
        run.log_artifact("./my_model.txt", "wrong-key", type="model").wait()


answer = {"api": ask(lambda: wandb.Api().viewer.username), "publish": ask(publish)}
print(json.dumps({**answer, "seconds": time.monotonic() - began}))
