"""Downloads a version from where it was logged, without a run: ENTITY/PROJECT/COLLECTION:ALIAS."""

import json
import sys

import wandb

print(json.dumps({"directory": wandb.Api().artifact(sys.argv[1]).download()}))
