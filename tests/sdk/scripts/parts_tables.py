"""Tables with images inside, in an artifact, logged by a run, and in a second artifact by reference: TEAM PROJECT.

Prints the run's id.
"""

import json
import sys

import PIL.Image
import wandb

TEAM, PROJECT = sys.argv[1:3]


def image(number):
    picture = PIL.Image.new("RGB", (8, 8), (number * 40, 100, 200))
    picture.putpixel((number, 0), (255, 0, 0))
    return wandb.Image(picture, caption=f"picture {number}")


def table():
    rows = [[number, f"row {number}", image(number)] for number in range(4)]
    return wandb.Table(columns=["number", "text", "picture"], data=rows)


with wandb.init(entity=TEAM, project=PROJECT) as run:
    artifact = wandb.Artifact("tables", type="dataset")
    artifact.add(table(), "table")
    artifact.add(image(5), "alone")
    run.log_artifact(artifact).wait()
    run.log({"t": table(), "page": wandb.Html("<p>a page</p>", inject=False), "picture": image(2)})
    run_id = run.id

with wandb.init(entity=TEAM, project=PROJECT) as run:
    # The same table in another version: a reference, and no bytes again.
    again = wandb.Artifact("again", type="dataset")
    again.add(wandb.Api().artifact(f"{TEAM}/{PROJECT}/tables:v0").get("table"), "borrowed")
    run.log_artifact(again).wait()
print(json.dumps({"run": run_id}))
