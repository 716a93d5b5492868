"""A site administrator makes an account and finds people: EMAIL NAME PART."""

import json
import sys

import wandb

EMAIL, NAME, PART = sys.argv[1:4]

api = wandb.Api()
made = api.create_user(EMAIL)
try:
    again = api.create_user(EMAIL).email
except Exception as e:
    again = str(e)
found = api.user(EMAIL)
named = api.user(NAME)
print(json.dumps({
    "made": [made.email, made.username, made.admin],
    "again": again,
    "found": [found.email, found.username, found.teams],
    "named": named.username,
    "users": sorted(user.username for user in api.users(PART)),
    "absent": api.user("nobody-of-this-name"),
}))
