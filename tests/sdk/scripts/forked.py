"""Logs from forked processes: TEAM. Prints what each run logged, by name."""

import json
import multiprocessing
import sys
import time

import wandb

TEAM = sys.argv[1]
PATH = f"{TEAM}/forked"


def work(number):
    with wandb.init(entity=TEAM, project="forked", id=f"run{number}") as run:
        artifact = wandb.Artifact(f"part{number}", "dataset")
        with artifact.new_file("part.txt") as f:
            f.write(str(number))
        run.log_artifact(artifact).wait()
        run.log({"table": wandb.Table(columns=["n"], data=[[number]])})


context = multiprocessing.get_context("fork")
workers = [context.Process(target=work, args=[number]) for number in range(3)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()

logged = {}
for number in range(3):
    deadline = time.monotonic() + 60
    names = []
    # A table's artifact isn't waited for by the run.
    while len(names) < 2 and time.monotonic() < deadline:
        artifacts = [artifact for artifact in wandb.Api().run(f"{PATH}/run{number}").logged_artifacts() if artifact.type in ("dataset", "run_table")]
        names = sorted(artifact.name for artifact in artifacts)
    logged[f"run{number}"] = names
print(json.dumps({"ended": [worker.exitcode for worker in workers], "logged": logged}))
