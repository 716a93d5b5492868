"""A run without a network, sent later by `wandb sync`, with values whose names make awkward file names: TEAM.

Prints what another program finds of it.
"""

import glob
import json
import os
import subprocess
import sys
import tempfile

import wandb

[TEAM] = sys.argv[1:]
PROJECT = "offline"
said = {}

with wandb.init(entity=TEAM, project=PROJECT, mode="offline", config={"lr": 0.1}) as run:
    with open("net.txt", "w") as f:
        f.write("made on a train")
    artifact = wandb.Artifact("net", type="model")
    artifact.add_file("net.txt")
    run.log_artifact(artifact, aliases=["best"])
    run.log({"loss": 0.5})
    offline = run.id
[directory] = glob.glob("**/offline-run-*", root_dir=os.environ["WANDB_DIR"], recursive=True)
directory = os.path.join(os.environ["WANDB_DIR"], directory)
synced = subprocess.run([sys.executable, "-m", "wandb", "sync", directory], capture_output=True, text=True)
print(synced.stdout, synced.stderr, file=sys.stderr)
said["synced"] = synced.returncode

api = wandb.Api()
found = api.run(f"{TEAM}/{PROJECT}/{offline}")
said["run"] = [found.state, found.config["lr"], found.summary["loss"], [each.name for each in found.logged_artifacts()]]
net = api.artifact(f"{TEAM}/{PROJECT}/net:best")
with tempfile.TemporaryDirectory() as root:
    # Nothing of the SDK's cache: what the server has.
    net.download(root=root, skip_cache=True)
    with open(f"{root}/net.txt") as f:
        said["bytes"] = f.read()
said["hash"] = net.commit_hash == net.digest

# LaTeX is a usual name of a value. A line break can't be in a file's name: that file alone is lost.
with wandb.init(entity=TEAM, project=PROJECT, config={"lr": 0.2}) as run:
    run.log({"$\\alpha$": wandb.Html("of alpha"), "two\nlines": wandb.Html("of two lines")})
    awkward = run.id
found = api.run(f"{TEAM}/{PROJECT}/{awkward}")
said["files"] = sorted(file.name for file in found.files())
[alpha] = [file for file in found.files() if "alpha" in file.name]
with tempfile.TemporaryDirectory() as root:
    with alpha.download(root=root) as f:
        said["alpha"] = "of alpha" in f.read()
print(json.dumps({"said": said}))
