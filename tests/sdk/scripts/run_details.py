"""A run with everything that Regalia keeps of runs, and with what it drops: ENTITY PROJECT."""

import json
import math
import sys

import wandb

ENTITY, PROJECT = sys.argv[1:3]

run = wandb.init(
    entity=ENTITY, project=PROJECT, name="Elephants, again", notes="two\nlines", tags=["zoo", "größe"],
    group="animals", job_type="train",
    config={"lr": 0.001, "layers": [1, 2, 3], "nested": {"name": "模型"}, "big": 2**60, "nothing": math.nan, "all": math.inf},
)
print("a line for the console ☃")
for step in range(20):
    run.log({"loss": 1 / (step + 1), "broken": math.nan})
run.summary["best"] = {"epoch": 7, "lost": math.nan, "most": -math.inf}
with open("kept.txt", "w") as f:
    f.write("a file of the run")
run.save("kept.txt", policy="now")
run.finish()
print(json.dumps({"entity": run.entity, "project": run.project, "run": run.id}))
