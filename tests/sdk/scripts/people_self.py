"""What somebody does with the own account and projects: ORG TEAM PROJECT."""

import json
import sys

import wandb

ORG, TEAM, PROJECT = sys.argv[1:4]

api = wandb.Api()
viewer = api.viewer
answer = {"viewer": [viewer.username, viewer.entity, TEAM in viewer.teams], "default_entity": api.default_entity}
if hasattr(api, "organization"):
    organization = api.organization(ORG)
    answer["organization"] = [organization.name, organization.org_entity.name, api.organization().name]

try:
    key = viewer.generate_api_key("laptop")
except wandb.errors.AuthenticationError:
    key = answer["generated"] = None
if key:
    other = wandb.Api(api_key=key)
    answer["with_the_key"] = other.viewer.username
    answer["listed"] = "laptop" in other.viewer.api_keys and key not in other.viewer.api_keys
    answer["deleted"] = [viewer.delete_api_key(key), viewer.delete_api_key(key)]
    try:
        wandb.Api(api_key=key).viewer.username
        answer["refused"] = False
    except Exception:
        answer["refused"] = True

api.create_project(PROJECT, TEAM)
project = api.project(PROJECT, TEAM)
answer["project"] = [project.name, project.entity, getattr(project, "is_benchmark", False)]
answer["projects"] = PROJECT in [project.name for project in api.projects(TEAM)]
answer["default_projects"] = PROJECT in [project.name for project in api.projects()]
try:
    answer["absent"] = api.project("absent", TEAM).id
except Exception as e:
    answer["absent"] = type(e).__name__
print(json.dumps(answer))
