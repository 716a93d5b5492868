"""Tries, as somebody who doesn't manage it, to change a registry: ORG NAME MY_ID. Prints what he sees and how each ended."""

import json
import sys
import time

import wandb

ORG, NAME, MY_ID = sys.argv[1:4]
refused = {}


def attempt(name, action):
    began = time.monotonic()
    try:
        action()
        ended = "accepted"
    except Exception as e:
        ended = f"{type(e).__name__}: {e}"
    refused[name] = {"ended": ended, "seconds": time.monotonic() - began}


api = wandb.Api()
try:
    registry = api.registry(NAME, organization=ORG)
except ValueError as e:
    print(json.dumps({"seen": None, "error": str(e)}))
    sys.exit()
seen = [registry.full_name, registry.visibility, sorted(member.user.username for member in registry.user_members())]


def describe():
    registry.description = "mine now"
    registry.save()


def rename():
    registry.name = "mine now"
    registry.save()


attempt("describe", describe)
registry.load()
attempt("rename", rename)
registry = api.registry(NAME, organization=ORG)
attempt("add", lambda: registry.add_members(MY_ID))
attempt("promote", lambda: registry.update_member(MY_ID, role="admin"))
attempt("remove", lambda: registry.remove_members(*(member.user for member in registry.user_members())))
attempt("delete", registry.delete)

print(json.dumps({"seen": seen, "refused": refused}))
