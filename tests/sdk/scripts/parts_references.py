"""References, to elsewhere and to other versions, saved and not: TEAM PROJECT DIRECTORY. Prints what they are.

The directory has one file `kept.txt`.
"""

import json
import sys

import wandb

TEAM, PROJECT, DIRECTORY = sys.argv[1:4]
ELSEWHERE = ["s3://bucket/key with space", "hdfs://cluster/object#7", "https://127.0.0.1:1/%2e%2e/model.bin?v=1&w=2"]

with wandb.init(entity=TEAM, project=PROJECT) as run:
    far = wandb.Artifact("far", type="dataset")
    for number, uri in enumerate(ELSEWHERE):
        far.add_reference(uri, name=f"far/{number}", checksum=False)
    far.add_reference(f"file://{DIRECTORY}/kept.txt", name="near.txt")
    far.add_reference(f"file://{DIRECTORY}/kept.txt", name="unread.txt", checksum=False)
    run.log_artifact(far).wait()

    base = wandb.Artifact("base", type="dataset")
    with base.new_file("dir/a.txt") as f:
        f.write("the bytes of a")
    run.log_artifact(base).wait()

    # A saved version's entry in another version.
    saved = wandb.Api().artifact(f"{TEAM}/{PROJECT}/base:v0")
    referring = wandb.Artifact("referring", type="dataset")
    referring.add_reference(saved.get_entry("dir/a.txt").ref_url(), name="borrowed.txt")
    with referring.new_file("own.txt") as f:
        f.write("own bytes")
    run.log_artifact(referring).wait()

    # An object of a version that isn't saved yet: while it is committed, the client asks what its own name means.
    unsaved, both = wandb.Artifact("unsaved", type="dataset"), wandb.Artifact("both", type="dataset")
    html = wandb.Html("<p>once</p>", inject=False)
    unsaved.add(html, "page")
    run.log_artifact(unsaved)
    both.add(html, "the page")
    run.log_artifact(both).wait()

refs = {}
for name in ("far", "referring", "both"):
    entries = wandb.Api().artifact(f"{TEAM}/{PROJECT}/{name}:v0").manifest.entries
    refs[name] = {path: entry.ref for path, entry in sorted(entries.items())}
print(json.dumps({"refs": refs, "base": saved.id}))
