"""Searches registries, as the public documentation shows it: ORG ORG_ENTITY_NAME [PROJECT].

Prints what each search found, by names and in the order of the answer, and how refused searches ended. With PROJECT,
its collections and versions are listed too.
"""

import itertools
import json
import sys
import time

import wandb

ORG, ORG_ENTITY_NAME = sys.argv[1:3]
PROJECT = sys.argv[3] if len(sys.argv) > 3 else None
VERSION = tuple(int(part) for part in wandb.__version__.split(".")[:2])
OURS = {"name": {"$regex": "Search"}}

api = wandb.Api()
found = {}


def registries(filter=OURS, **options):
    return api.registries(organization=ORG, filter=filter, **options)


def registry_names(found):
    # 0.19 leaves the prefix there.
    return [registry.name.removeprefix("wandb-registry-") for registry in found]


def names(found):
    return [thing.name for thing in found]


def links(found):
    """Versions with the registry that they were found in."""
    return [f"{link.project.removeprefix('wandb-registry-')}/{link.name}" for link in found]


# Registries ----

found["registries"] = registry_names(registries())
found["registries by name"] = registry_names(registries({"name": "Search Models"}))
found["registries by part of a name"] = registry_names(registries({"$and": [OURS, {"name": {"$regex": "[DM]"}}]}))
found["registries by description"] = registry_names(registries({**OURS, "description": {"$contains": "VISION"}}))
found["registries by date"] = registry_names(registries({**OURS, "created_at": {"$gte": "2020-01-01"}}))
found["registries of the future"] = registry_names(registries({**OURS, "created_at": {"$gt": "2999-12-31 23:59:59"}}))
found["registries but one"] = registry_names(registries({"$and": [OURS, {"name": {"$not": {"$regex": "Data$"}}}]}))
found["registries of either name"] = registry_names(registries({"$or": [{"name": "Search Data"}, {"name": "Search Models"}]}))

# Collections ----

found["collections"] = names(registries().collections())
found["collections by part of a name"] = names(registries().collections(filter={"name": {"$regex": "Net$"}}))
found["collections in one registry"] = names(registries({"name": "Search Models"}).collections())
found["collections with a tag"] = names(registries().collections(filter={"tag": "prod"}))
found["collections without a tag"] = names(registries().collections(filter={"name": {"$ne": "ResNet"}, "tag": {"$ne": "prod"}}))
found["collections by substring"] = names(registries().collections(filter={"name": {"$contains": "cats & d"}}))
found["collections and their registries"] = [
    f"{collection.project}/{collection.name} {collection.type}" for collection in registries().collections()
]

# Versions ----

found["versions"] = links(registries().versions())
found["versions by alias"] = links(registries().versions(filter={"alias": "best"}))
found["versions by aliases"] = links(registries().versions(filter={"alias": {"$in": ["staging", "latest"]}}))
found["versions without the alias"] = links(registries().versions(filter={"alias": {"$ne": "best"}}))
found["versions with a tag"] = links(registries().versions(filter={"tag": "prod"}))
found["versions by tag or alias"] = links(registries().versions(filter={"$or": [{"tag": "prod"}, {"alias": "staging"}]}))
found["versions by metadata"] = links(registries().versions(filter={"metadata.framework": "torch"}))
found["versions by a number"] = links(registries().versions(filter={"metadata.accuracy": {"$gte": 0.9}}))
found["versions by inner metadata"] = links(
    registries().versions(filter={"metadata.training.epochs": 20, "metadata.accuracy": {"$lt": 1.0}})
)
found["versions by a list"] = links(registries().versions(filter={"metadata.languages": "fr"}))
found["versions by date"] = links(registries().versions(filter={"created_at": {"$lt": "2020-01-01"}}))
found["chained"] = links(
    registries({"name": {"$regex": "Search Models"}})
    .collections(filter={"name": {"$regex": "ResNet"}})
    .versions(filter={"alias": "best"})
)
found["aliases of what was found"] = [
    sorted(link.aliases) for link in registries({"name": "Search Models"}).collections(filter={"name": "ResNet"}).versions()
]
found["metadata of what was found"] = [link.metadata for link in registries().versions(filter={"metadata.rows": {"$exists": True}})]

# One registry ----

models = api.registry("Search Models", organization=ORG)
found["collections of a registry"] = names(models.collections())
found["versions of a registry"] = links(models.versions())
found["best of a registry"] = links(models.versions(filter={"alias": "best"}))
found["versions of a collection"] = names(api.artifacts("model", f"{ORG_ENTITY_NAME}/wandb-registry-Search Models/ResNet"))

# What later versions have ----

if VERSION >= (0, 22):
    found["registries by one"] = registry_names(registries(per_page=1))
    found["collections by one"] = names(registries(per_page=1).collections(per_page=1))
    found["versions by two"] = links(registries().versions(per_page=2))
    found["collections at once"] = names(registries(per_page=100_000).collections(per_page=100_000))
if VERSION >= (0, 25):
    found["len of collections"] = len(registries().collections(filter={"name": {"$contains": "net"}}))
if VERSION >= (0, 28):
    found["registries in a list"] = registry_names(registries({"name": {"$in": ["Search Data", "Search Models", "absent"]}}))
    found["registries with a substring"] = registry_names(registries({"name": {"$contains": "search d"}}))
    found["registries from the end"] = registry_names(registries(order="-name"))
    found["registries by age"] = registry_names(registries(order="+created_at"))
    found["collections by name"] = names(registries().collections(order="name"))
    found["collections from the end"] = names(registries().collections(order="-name", per_page=2))
    found["collections by both names"] = names(registries(order="-name").collections(order="+name"))
    found["versions by registry"] = links(registries(order="name").versions())
    found["versions by collection"] = links(registries().collections(order="name").versions(filter={"alias": "best"}))
    paged = registries(per_page=1)
    first = registry_names(itertools.islice(paged, 1))
    found["registries resumed"] = [first, registry_names(registries(start=paged.cursor))]
    paged = registries().versions(per_page=2)
    first = links(itertools.islice(paged, 2))
    found["versions resumed"] = [first, links(registries().versions(start=paged.cursor))]

# A project ----

if PROJECT:
    found["project"] = {
        "collections": names(api.artifact_collections(PROJECT, "model")),
        "count": len(api.artifact_collections(PROJECT, "dataset")),
        "versions": names(api.artifacts("model", f"{PROJECT}/weights")),
        "versions by one": names(api.artifacts("model", f"{PROJECT}/weights", per_page=1)),
        "versions as before": names(api.artifact_versions("model", f"{PROJECT}/weights")),
        "tagged": names(api.artifacts("model", f"{PROJECT}/weights", tags=["prod"])),
        "count of versions": len(api.artifacts("model", f"{PROJECT}/weights")),
        "of the collection": names(api.artifact_collection("model", f"{PROJECT}/weights").artifacts()),
    }
    if VERSION >= (0, 28):
        found["project"]["from the start"] = names(api.artifacts("model", f"{PROJECT}/weights", order="+version_index"))
        found["project"]["by date"] = names(api.artifacts("model", f"{PROJECT}/weights", order="created_at", per_page=2))
        found["project"]["collections by name"] = names(api.artifact_collections(PROJECT, "model", order="-name"))

# What is no search ----

refused = {}


def attempt(name, action):
    began = time.monotonic()
    try:
        ended = f"found {len(list(action()))}"
    except Exception as e:
        ended = f"{type(e).__name__}: {e}"
    refused[name] = {"ended": ended, "seconds": time.monotonic() - began}


attempt("field", lambda: registries({"colour": "red"}))
attempt("operator", lambda: registries({"name": {"$near": "Search"}}))
attempt("pattern", lambda: registries({"name": {"$regex": "(?=S)earch"}}))
attempt("date", lambda: registries().collections(filter={"created_at": {"$gt": "yesterday"}}))
attempt("metadata", lambda: registries().versions(filter={"metadata.accuracy": {"$gt": True}}))
attempt("organization", lambda: api.registries(organization="no-such-org"))
attempt("slow pattern", lambda: registries({"name": {"$regex": "(a+)+$"}}))

print(json.dumps({"found": found, "refused": refused}))
