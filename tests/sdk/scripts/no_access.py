"""Asks for something, and for the same thing under names that don't exist: ENTITY PROJECT NAME [ORG REGISTRY].

Prints both answers with the names taken out, so that they can be compared.
"""

import json
import sys

import wandb

ENTITY, PROJECT, NAME = sys.argv[1:4]
ORG, REGISTRY = sys.argv[4:6] if len(sys.argv) > 4 else (None, None)
api = wandb.Api()


def ask(action, *names):
    try:
        action(*names)
        return "accepted"
    except Exception as e:
        text = f"{type(e).__name__}: {e}"
        for name in names:
            text = text.replace(name, "…")
        return text


def both(action, *names):
    return [ask(action, *names), ask(action, *(f"absent-{name}" for name in names))]


answer = {
    "artifact": both(lambda e, p, n: api.artifact(f"{e}/{p}/{n}:v0"), ENTITY, PROJECT, NAME),
    "project": both(lambda e, p: api.artifact_type("model", f"{e}/{p}").load(), ENTITY, PROJECT),
}
if ORG:
    answer["registry"] = both(lambda o, r: api.registry(r, organization=o), ORG, REGISTRY)
    answer["link"] = both(lambda o, r: api.artifact(f"{o}/wandb-registry-{r}/Example ML Task:staging"), ORG, REGISTRY)
print(json.dumps(answer))
