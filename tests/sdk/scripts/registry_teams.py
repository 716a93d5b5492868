"""Adds a team to a registry, changes its role and removes it: ORG NAME TEAM. Prints the members after each step."""

import json
import sys

import wandb

ORG, NAME, TEAM = sys.argv[1:4]


def members(registry):
    seen = []
    for member in registry.members():
        name = member.user.username if hasattr(member, "user") else member.team.name
        kind = "user" if hasattr(member, "user") else "team"
        seen.append([kind, name, str(getattr(member.role, "value", member.role))])
    return seen


api = wandb.Api()
registry = api.create_registry(name=NAME, visibility="restricted", organization=ORG)
seen = [members(registry)]
team = api.team(TEAM)
registry.add_members(team)
seen.append(members(registry))
(member,) = registry.team_members()
registry.add_members(member).update_member(member, role="member")
seen.append(members(registry))
registry.update_member(team.id, role="viewer")
seen.append(members(registry))
registry.remove_members(*registry.team_members())
seen.append(members(registry))
registry.delete()

print(json.dumps({"seen": seen}))
