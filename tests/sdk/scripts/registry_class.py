"""Does with a registry all that the reference of `wandb.apis.public.Registry` describes: ORG NAME COLLEAGUE TEAM_ID.

Prints what each property said and how each thing that must not work ended.
"""

import json
import sys
import time

import wandb

ORG, NAME, COLLEAGUE, TEAM_ID = sys.argv[1:5]
said = {}
refused = {}


def attempt(name, action):
    began = time.monotonic()
    try:
        action()
        ended = "accepted"
    except Exception as e:
        ended = f"{type(e).__name__}: {e}"
    refused[name] = {"ended": ended, "seconds": time.monotonic() - began}


def look(registry):
    return {
        "allow_all_artifact_types": registry.allow_all_artifact_types,
        "artifact_types": sorted(registry.artifact_types),
        "description": registry.description,
        "entity": registry.entity,
        "full_name": registry.full_name,
        "name": registry.name,
        "organization": registry.organization,
        "path": registry.path,
        "visibility": registry.visibility,
    }


def members(registry):
    return sorted([member.user.username, str(getattr(member.role, "value", member.role))] for member in registry.user_members())


api = wandb.Api()

# Without an organization it is the only one of the user's.
registry = api.create_registry(name=NAME, visibility="organization", description="", artifact_types=["model"])
said["created"] = look(registry)
said["id"] = registry.id
said["times"] = [registry.created_at, registry.updated_at]
attempt("create the same", lambda: api.create_registry(name=NAME, visibility="organization", organization=ORG))
attempt("create a twin", lambda: api.create_registry(name=NAME.upper(), visibility="organization", organization=ORG))
attempt("create with a slash", lambda: api.create_registry(name="a/b", visibility="organization", organization=ORG))
attempt("create seen by all", lambda: api.create_registry(name="public", visibility="public", organization=ORG))
attempt("create with a bad type", lambda: api.create_registry(
    name="typed", visibility="organization", organization=ORG, artifact_types=["a/b"]))
attempt("create elsewhere", lambda: api.create_registry(name=NAME, visibility="organization", organization="no-such-org"))

# Its own fields. Another handle sees them when it loads.
other = api.registry(NAME, organization=ORG)
said["loaded"] = look(other)
registry.save()
said["saved unchanged"] = look(registry)
registry.description = "Animals, by eye"
registry.artifact_types.append("dataset")
registry.artifact_types.append("mistake")
registry.artifact_types.remove("mistake")
registry.save()
other.load()
said["saved"] = look(other)
attempt("remove a saved type", lambda: registry.artifact_types.remove("dataset"))
registry.allow_all_artifact_types = True
registry.save()
other.load()
said["all types"] = look(other)


def add_type_while_all_are_allowed():
    registry.artifact_types.append("more")
    registry.save()


attempt("add a type while all are allowed", add_type_while_all_are_allowed)
registry.load()
registry.allow_all_artifact_types = False
registry.save()
said["its list again"] = look(registry)

# Its members: the creator, then whom he adds.
said["members"] = [members(registry)]
user = api.user(COLLEAGUE)
registry.add_members(user)
said["members"].append(members(registry))
registry.add_members(user.id)
registry.update_member(user, role="member")
said["members"].append(members(registry))
(colleague,) = [member for member in registry.user_members() if member.user.username == COLLEAGUE]
registry.add_members(colleague)
registry.update_member(colleague, role="admin").update_member(user.id, role="viewer")
said["members"].append(members(registry))
registry.add_members(TEAM_ID).update_member(TEAM_ID, role="member")
attempt("an unknown role", lambda: registry.update_member(user, role="owner"))
attempt("add nobody", lambda: registry.add_members())
attempt("add what is no id", lambda: registry.add_members("bm9ib2R5"))
attempt("add a number", lambda: registry.add_members(7))
attempt("add somebody who isn't there", lambda: registry.add_members("VXNlcjo5OTk5OTk="))
attempt("remove nobody", lambda: registry.remove_members())
said["members"].append(members(registry))
registry.remove_members(user, TEAM_ID)
registry.remove_members(user, TEAM_ID, "VXNlcjo5OTk5OTk=")
said["members"].append(members(registry))
attempt("a role of who is no member", lambda: registry.update_member(user, role="member"))

# A new name, and fewer who see it.
registry.name = f"{NAME} 2"
registry.description = None
registry.visibility = "restricted"
registry.save()
said["renamed"] = look(registry)
said["id after"] = registry.id
attempt("load the old name", lambda: api.registry(NAME, organization=ORG))
attempt("load by an old handle", other.load)


def show_it_to_all():
    registry.visibility = "public"
    registry.save()


attempt("a visibility that there isn't", show_it_to_all)
registry.load()


def open_again():
    registry.visibility = "organization"
    registry.save()


attempt("open it again", open_again)
registry.load()
api.create_registry(name=f"{NAME} 3", visibility="organization", organization=ORG)


def take_a_name():
    registry.name = f"{NAME} 3"
    registry.save()


attempt("rename it to one that is there", take_a_name)
registry.load()
said["in the end"] = look(registry)

# Gone, and as if it had never been.
api.registry(f"{NAME} 3", organization=ORG).delete()
registry.delete()
attempt("delete it again", registry.delete)
attempt("load it again", registry.load)
attempt("its members", registry.user_members)
attempt("find it again", lambda: api.registry(f"{NAME} 2", organization=ORG))

print(json.dumps({"said": said, "refused": refused}))
