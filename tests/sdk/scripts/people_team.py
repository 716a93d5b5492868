"""An organization's admin makes a team and manages its members: TEAM COLLEAGUE ADDRESS STRANGER."""

import json
import sys

import wandb

TEAM, COLLEAGUE, ADDRESS, STRANGER = sys.argv[1:5]


def members(team):
    return [[member.username, member.name, member.admin, member.account_type, member.api_key] for member in team.members]


api = wandb.Api()
team = api.create_team(TEAM)
answer = {"made": members(team), "repr": repr(team), "is_team": team.is_team, "read_only": team.read_only}
answer["invited"] = [team.invite(COLLEAGUE), team.invite(COLLEAGUE), team.invite(STRANGER), team.invite("nobody@example.com")]
account = team.create_service_account("CI service account")
answer["service_account"] = [account.name, account.account_type, account.api_key]
answer["team"] = members(api.team(TEAM))

colleague = next(member for member in api.team(TEAM).members if member.username == COLLEAGUE)
answer["deleted"] = [colleague.delete(), colleague.delete()]
answer["invited_by_address"] = team.invite(ADDRESS, admin=True)
account.delete()
answer["left"] = members(api.team(TEAM))
answer["again"] = members(api.create_team(TEAM))
print(json.dumps(answer))
