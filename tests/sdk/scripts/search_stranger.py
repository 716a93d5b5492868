"""Searches the registries of an organization of somebody else: ORG. Prints how each search ended."""

import json
import sys

import wandb

ORG = sys.argv[1]
api = wandb.Api()


def attempt(search):
    try:
        return f"found {len(list(search))}"
    except Exception as e:
        # The sentence is the SDK's own.
        return f"{type(e).__name__}: {ORG}" if f"'{ORG}' not found" in str(e) else f"{type(e).__name__}: {e}"


print(json.dumps({
    "registries": attempt(api.registries(organization=ORG)),
    "collections": attempt(api.registries(organization=ORG).collections()),
    "versions": attempt(api.registries(organization=ORG).versions()),
}))
