"""Looks at registries of the same names in two organizations: ORG… Prints what is seen of each, lists and downloads."""

import json
import pathlib
import sys

import wandb

api = wandb.Api()


def tell(action):
    try:
        return action()
    except Exception as e:
        return f"{type(e).__name__}: {e}"


def content(org, registry):
    directory = api.artifact(f"{org}/wandb-registry-{registry}/Example ML Task:staging").download()
    return pathlib.Path(directory, "my_model.txt").read_text()


def see(org):
    registries = api.registries(organization=org)
    return {
        "registries": [registry.full_name for registry in registries],
        "collections": [collection.name for collection in registries.collections()],
        "versions": len(list(registries.collections().versions())),
        "members": {
            name: tell(lambda: sorted(member.user.name for member in api.registry(name, organization=org).user_members()))
            for name in ("model", "Secret")
        },
        "content": {name: tell(lambda: content(org, name)) for name in ("model", "Secret")},
    }


print(json.dumps({org: see(org) for org in sys.argv[1:]}))
