"""Makes a registry without naming an organization, as somebody who is in several. Prints how it ended."""

import json

import wandb

try:
    wandb.Api().create_registry(name="anywhere", visibility="organization")
    ended = "accepted"
except Exception as e:
    ended = f"{type(e).__name__}: {e}"
print(json.dumps({"ended": ended}))
