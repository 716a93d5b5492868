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


def both(action, *names, absent=None):
    """The answers for `names`, and for the same with the last one, or all of them, made up."""
    made_up = [f"absent-{name}" for name in names]
    return [ask(action, *names), ask(action, *(made_up if absent == "all" else [*names[:-1], made_up[-1]]))]


def artifact(entity, project, name):
    api.artifact(f"{entity}/{project}/{name}:v0")


def registry(org, name):
    api.registry(name, organization=org)


def link(org, name):
    api.artifact(f"{org}/wandb-registry-{name}/Example ML Task:staging")


answer = {"artifact": both(artifact, ENTITY, PROJECT, NAME, absent="all")}
if ORG:
    answer["registry"] = both(registry, ORG, REGISTRY)
    answer["link"] = both(link, ORG, REGISTRY)
    answer["registry of the organization"] = both(registry, ORG, REGISTRY, absent="all")
    answer["link in the organization"] = both(link, ORG, REGISTRY, absent="all")
print(json.dumps(answer))
