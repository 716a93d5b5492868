"""The main job with every SDK version: publish from one account, pull the same bytes from another."""

import hashlib

from client import FULL, NEWEST

COLLECTION = "Example ML Task"

PUBLISHED = """
    query ($organization: String!, $registry: String!) {
        registry(organization: $organization, name: $registry) {
            collections { nodes { name typeName links { nodes { index aliases } } } }
        }
    }
"""


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def publish_and_consume(sdk, tenant, registry, first_segment, text, *source):
    """Alice publishes, Bob pulls; returns what both scripts said."""
    published = sdk.run("publish", tenant.alice, first_segment, registry, text, *source).answer
    outcome = sdk.run("consume", tenant.bob, first_segment, registry)
    consumed = outcome.answer
    directory = outcome.directory / consumed["directory"]
    assert {path.name for path in directory.iterdir()} == {"my_model.txt"}
    assert sha256((directory / "my_model.txt").read_text()) == sha256(text)
    assert consumed["size"] == len(text)
    assert consumed["type"] == published["type"] == "model"
    # Rule 26: numbered from 0; rule 28: so are the links; rule 29: `latest` follows, asked for or not.
    assert (published["version"], published["linked_version"], consumed["version"]) == ("v0", "v0", "v0")
    assert consumed["aliases"] == published["linked_aliases"] == ["latest", "staging"]
    assert published["linked"] == f"{tenant.entity}/wandb-registry-{registry}/{COLLECTION}:v0"
    return published, consumed


def test_documentation_example(sdk, tenant):
    """Rules 11, 21, 22, 23: no entity given, and the core registry `model` of a fresh organization makes itself."""
    published, consumed = publish_and_consume(sdk, tenant, "model", tenant.entity, f"simulated by {sdk.version}")
    # The default entity of each: Alice's is her team, Bob's is his own.
    assert published["run"].startswith(f"{tenant.team}/zoo_experiment/")
    assert published["source"] == f"{tenant.team}/zoo_experiment/artifact-name:v0"
    assert consumed["run"].startswith(f"{tenant.bob.name}/zoo_evaluation/")

    if FULL or sdk.version == NEWEST:
        # Where it came from is not his to see.
        outcome = sdk.run("no_access", tenant.bob, tenant.team, "zoo_experiment", "artifact-name")
        for what, (real, absent) in outcome.answer.items():
            assert real == absent, f"{what}: {outcome.evidence}"
            assert real != "accepted", f"{what}: {outcome.evidence}"


def test_made_registry_and_given_entity(sdk, tenant, server):
    """Rules 2, 3, 4, 25: `create_registry`, then the example with an entity into it; seen by a colleague."""
    outcome = sdk.run("create_registry", tenant.alice, tenant.org, "Model Zoo", "model")
    made = outcome.answer
    assert made["made"] == made["loaded"] == [
        "wandb-registry-Model Zoo", tenant.entity, "organization", "Animals, by eye", ["model"],
    ]
    assert made["allow_all"] == [False, False]
    assert "please use a different name" in made["again"], outcome.evidence

    text = f"given by {sdk.version}"
    published, _ = publish_and_consume(sdk, tenant, "Model Zoo", tenant.entity, text, tenant.team, "given_project")
    assert published["source"] == f"{tenant.team}/given_project/artifact-name:v0"

    # The same through our own schema, as a colleague sees it.
    seen = server.graphql(tenant.bob, PUBLISHED, organization=tenant.org, registry="Model Zoo")
    (collection,) = seen["registry"]["collections"]["nodes"]
    assert (collection["name"], collection["typeName"]) == (COLLECTION, "model")
    (link,) = collection["links"]["nodes"]
    assert (link["index"], sorted(link["aliases"])) == (0, ["latest", "staging"])


def test_versions_and_aliases(sdk, tenant):
    """Rules 26 to 31: logged twice is one version; links are numbered on their own; a given alias moves."""
    outcome = sdk.run("versions", tenant.alice, tenant.entity, "model")
    assert outcome.answer == {
        # Rule 26: only the newest is compared, so A, B, A makes a third.
        "A": "v0", "A again": "v0", "B": "v1", "A after B": "v2",
        # Linked: B, A, A', and B once more, which is the link that is there (rule 31).
        "links": ["v0", "v1", "v2", "v0"],
        "link sources": ["v1", "v0", "v2"],
        "source aliases": {"latest": "v2", "best": "v1", "tried": "v0", "v0": "v0", "v1": "v1", "v2": "v2"},
        "link aliases": {"latest": "v2", "staging": "v2", "production": "v0", "v0": "v0", "v1": "v1", "v2": "v2"},
        "listed aliases": [["production"], [], ["latest", "staging"]],
        # Whatever the number of the source, the bytes are those of the link.
        "content": {"staging": "A", "production": "B", "v0": "B", "v1": "A", "v2": "A"},
    }, outcome.evidence
