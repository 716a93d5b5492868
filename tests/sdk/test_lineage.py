"""Where a model comes from, and where it went: made with the SDK, read with the SDK and through GraphQL."""

import pytest

from client import FULL, NEWEST, VERSIONS

GRAPH = """
    query ($version: ID!) { lineage(version: $version, direction: BOTH, depth: 10) {
        truncated nodes { ... on Version { id source } ... on ProjectRun { id name } } edges { from to kind }
    } }
"""


def graph(server, account, version):
    """The edges of a version's lineage: what, made or used by, what."""
    lineage = server.graphql(account, GRAPH, version=version)["lineage"]
    assert not lineage["truncated"]
    names = {node["id"]: node.get("name") or node["source"] for node in lineage["nodes"]}
    return {(names[edge["from"]], edge["kind"], names[edge["to"]]) for edge in lineage["edges"]}


@pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])
def test_lineage(version, sdks, server):
    """Rules 20 to 22, 28, 31 and 42: a model of two data sets by three runs, seen by somebody who may see one of the data sets."""
    sdk, tenant = sdks[version], server.tenant(f"-lineage-{version}")
    team, other = tenant.team, f"other-{version}"
    server.admin("team", "create", other, "--org", tenant.org, "--admin", tenant.alice.name)
    server.admin("team", "add-member", team, tenant.bob.name)
    made = sdk.run("lineage", tenant.alice, tenant.entity, team, other, timeout=300)
    runs = made.answer["runs"]
    paths = {
        "prepare": f"{team}/training/{runs['prepare']}",
        "train": f"{team}/training/{runs['train']}",
        "again": f"{team}/training/{runs['again']}",
        "evaluate": f"{other}/lab/{runs['evaluate']}",
    }
    model, raw, features = f"{team}/training/net:v0", f"{team}/data/raw:v0", f"{team}/training/features:v0"
    secret, report = f"{other}/data/secret:v0", f"{other}/lab/report:v0"
    links = [f"{tenant.entity}/wandb-registry-model/Net:v0", f"{team}/shelf/Best ones:v0", f"{team}/training/Here:v0"]

    def lists(used, logged):
        return {"used": sorted(used), "counted": [len(used), len(logged)], "logged": sorted(logged)}

    def read(account, path):
        outcome = sdk.run("read_lineage", account, path, *paths.values())
        said = outcome.answer
        said["runs"] = {name: said["runs"][path] for name, path in paths.items()}
        return said, outcome.evidence

    said, evidence = read(tenant.alice, model)
    assert said == {
        "is_link": False,
        "logged_by": runs["train"],
        "used_by": [runs["evaluate"]],
        "linked": sorted(links),
        "source": model,
        "runs": {
            "prepare": lists([raw], [features]),
            "train": lists([features, secret], [model]),
            # It logged what was there already.
            "again": lists([], [model]),
            "evaluate": lists([model], [report]),
        },
    }, evidence
    upstream = {
        (runs["raw"], "MADE", raw), (raw, "USED", runs["prepare"]), (runs["prepare"], "MADE", features), (features, "USED", runs["train"]),
        (runs["train"], "MADE", model), (runs["again"], "MADE", model),
    }
    hidden = {(runs["secret"], "MADE", secret), (secret, "USED", runs["train"]), (model, "USED", runs["evaluate"]), (runs["evaluate"], "MADE", report)}
    assert graph(server, tenant.alice, made.answer["model"]) == upstream | hidden

    # Who may see one of the data sets sees the rest as if the other, and the other team's run, weren't there.
    said, evidence = read(tenant.bob, model)
    assert (said["logged_by"], said["used_by"], said["linked"]) == (runs["train"], [], sorted(links)), evidence
    assert said["runs"] == {
        "prepare": lists([raw], [features]),
        "train": lists([features], [model]),
        "again": lists([], [model]),
        "evaluate": None,
    }, evidence
    assert graph(server, tenant.bob, made.answer["model"]) == upstream

    # By a link in a project of the team.
    said, evidence = read(tenant.bob, f"{team}/shelf/Best ones:chosen")
    assert (said["is_link"], said["source"], said["linked"]) == (True, model, []), evidence
