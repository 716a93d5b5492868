"""One of several processes that make a version together: TEAM PROJECT DISTRIBUTED_ID NUMBER.

Prints how the SDK calls what it made, which isn't a version yet.
"""

import json
import sys

import wandb

TEAM, PROJECT, DISTRIBUTED_ID, NUMBER = sys.argv[1:5]

with wandb.init(entity=TEAM, project=PROJECT) as run:
    artifact = wandb.Artifact("shards", type="dataset", metadata={"worker": NUMBER})
    for shard in range(40):
        with artifact.new_file(f"worker-{NUMBER}/shard-{shard:03}.txt") as f:
            f.write(f"shard {shard} of worker {NUMBER}\n")
    # All of them have this one, and it is the same.
    with artifact.new_file("schema.json") as f:
        f.write('{"columns": ["a", "b"]}')
    run.upsert_artifact(artifact, distributed_id=DISTRIBUTED_ID)
    artifact.wait()
    print(json.dumps({"state": artifact.state}))
