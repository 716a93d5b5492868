"""The whole life of versions, as a data scientist writes it from the public guides: ORG_ENTITY_NAME TEAM.

Each step has a name and says what was to be seen. Prints that, or how the step failed, for every step: one that fails
doesn't end the others. A new step goes where its story is told; its name and what it shall say into the test.
"""

import datetime
import json
import os
import sys

import wandb
from wandb.sdk.artifacts.artifact_manifest_entry import ArtifactManifestEntry

ORG, TEAM = sys.argv[1:3]
PROJECT = "whole-life"
HOME = f"{TEAM}/{PROJECT}"
LINE = f"{ORG}/wandb-registry-Whole/Line"
said = {}


def step(name):
    def take(action):
        try:
            said[name] = action()
        except Exception as e:
            said[name] = f"{type(e).__name__}: {e}"

    return take


def write(path, text):
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    return path


def read(directory):
    """Every file below it, with its text."""
    found = {}
    for top, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(top, name)
            with open(path) as f:
                found[os.path.relpath(path, directory)] = f.read()
    return dict(sorted(found.items()))


def weights(name, text, **options):
    artifact = wandb.Artifact(name, type="model", **options)
    artifact.add_file(write("weights.txt", text))
    return artifact


def api():
    """One that remembers nothing."""
    return wandb.Api()


def versions(artifacts):
    return [artifact.version for artifact in artifacts]


def outcome(action):
    """What came of it, for what is expected to be refused."""
    try:
        action()
        return "accepted"
    except Exception as e:
        return f"{type(e).__name__}: {e}"


wandb.Api().create_registry(name="Whole", visibility="organization", organization=ORG)


# ---- Logging -------------------------------------------------------------------------------------------------------

write("data/train/a.txt", "train a")
write("data/train/b.txt", "train b")
write("data/test/a.txt", "test a")
run = wandb.init(entity=TEAM, project=PROJECT, name="first run", job_type="train", tags=["nightly"], config={"lr": 0.1})
first_run = run.id


@step("log_artifact")
def _():
    artifact = wandb.Artifact("net", type="model", description="The first.", metadata={"accuracy": 0.5, "layers": [3, 2]})
    artifact.add_file(write("weights.txt", "weights 0"), name="deep/weights.txt")
    artifact.add_dir("data", name="data")
    with artifact.new_file("notes.txt") as f:
        f.write("noted")
    artifact.add_file(write("mistake.txt", "x"))
    artifact.remove("mistake.txt")
    logged = run.log_artifact(artifact, aliases=["best"], tags=["first"]).wait()
    return [
        logged.name, logged.version, logged.type, logged.state, logged.file_count, logged.size, logged.description, logged.metadata,
        sorted(logged.aliases), list(logged.tags), logged.entity, logged.project, logged.is_draft(),
    ]


@step("the same again is the same version")
def _():
    artifact = wandb.Artifact("data", type="dataset")
    artifact.add_dir("data")
    again = wandb.Artifact("data", type="dataset")
    again.add_dir("data")
    return versions([run.log_artifact(artifact).wait(), run.log_artifact(again).wait()])


@step("history_step")
def _():
    run.log({"loss": 2.0})
    run.log({"loss": 1.0})
    run.log_artifact(weights("net", "weights 1")).wait()
    return api().artifact(f"{HOME}/net:v1").history_step


@step("wait")
def _():
    draft = weights("net", "weights 2")
    return [draft.is_draft(), run.log_artifact(draft).wait(timeout=60).version, draft.is_draft()]


@step("log_model")
def _():
    run.log_model(write("lm.bin", "a model"), name="logged-model", aliases=["good"])
    return None


@step("link_artifact")
def _():
    logged = api().artifact(f"{HOME}/net:v0")
    run.link_artifact(logged, target_path=LINE, aliases=["staging"])
    link = api().artifact(f"{LINE}:staging")
    return [link.version, sorted(link.aliases), link.source_name, link.is_link, link.type]


@step("link_model")
def _():
    run.link_model(write("lm.bin", "a linked model"), registered_model_name="Registered", name="linked-model", aliases=["new"])
    return api().artifact(f"{TEAM}/model-registry/Registered:new").source_name


run.finish()


@step("save without a run")
def _():
    artifact = weights("saved", "saved")
    artifact.save(project=PROJECT)
    artifact.wait()
    return [artifact.version, artifact.state, read(api().artifact(f"{HOME}/saved:latest").download(root="saved"))]


@step("link")
def _():
    # As a notebook does, without a run.
    api().artifact(f"{HOME}/net:v1").link(LINE, aliases=["candidate"])
    return sorted(api().artifact(f"{LINE}:candidate").aliases)


# ---- Finding -------------------------------------------------------------------------------------------------------


@step("artifact")
def _():
    found = [api().artifact(f"{HOME}/net{end}") for end in (":v0", ":best", ":latest", "")]
    by_type = api().artifact(f"{HOME}/net:v1", type="model")
    digests = {artifact.digest for artifact in (found[0], found[1])}
    return [versions(found), by_type.version, len(digests), outcome(lambda: api().artifact(f"{HOME}/net:v9"))]


@step("artifact of another type")
def _():
    return outcome(lambda: api().artifact(f"{HOME}/net:v0", type="dataset"))


@step("artifacts")
def _():
    return [
        versions(api().artifacts("model", f"{HOME}/net")),
        versions(api().artifacts("model", f"{HOME}/net", per_page=1)),
        versions(api().artifacts("model", f"{HOME}/net", tags=["first"])),
        len(api().artifacts("model", f"{HOME}/net")),
        versions(api().artifacts("model", LINE)),
    ]


@step("artifacts in an order")
def _():
    return versions(api().artifacts("model", f"{HOME}/net", order="+version_index"))


@step("artifact_versions")
def _():
    return versions(api().artifact_versions("model", f"{HOME}/net"))


@step("artifact_types")
def _():
    return sorted(found.name for found in api().artifact_types(HOME))


@step("artifact_type")
def _():
    found = api().artifact_type("model", HOME)
    return [found.name, sorted(c.name for c in found.collections()), found.collection("net").name]


@step("artifact_collections")
def _():
    return [sorted(c.name for c in api().artifact_collections(HOME, kind)) for kind in ("model", "dataset")]


@step("artifact_collection")
def _():
    source, line = api().artifact_collection("model", f"{HOME}/net"), api().artifact_collection("model", LINE)
    return [
        source.name, source.type, source.is_sequence(), sorted(source.aliases), versions(source.artifacts()), line.name,
        line.is_sequence(), sorted(line.aliases),
    ]


@step("artifact_exists")
def _():
    names = [f"{HOME}/net:v0", f"{HOME}/net:best", f"{HOME}/net:v9", f"{HOME}/none:v0", f"{TEAM}/none/net:v0"]
    return [api().artifact_exists(name) for name in names]


@step("artifact_exists by type")
def _():
    return [api().artifact_exists(f"{HOME}/net:v0", type=kind) for kind in ("model", "dataset")]


@step("artifact_collection_exists")
def _():
    names = [f"{HOME}/net", f"{HOME}/none", f"{TEAM}/none/net", LINE]
    return [api().artifact_collection_exists(name, "model") for name in names]


# ---- Using ---------------------------------------------------------------------------------------------------------


run = wandb.init(entity=TEAM, project=PROJECT, name="second run", job_type="evaluate", config={"lr": 0.2})
second_run = run.id


@step("use_artifact")
def _():
    used = run.use_artifact("net:best")
    by_link = run.use_artifact(f"{LINE}:staging", type="model")
    return [used.version, by_link.version, by_link.name, used.digest == by_link.digest]


@step("use_model")
def _():
    with open(run.use_model(f"{HOME}/logged-model:good")) as f:
        return f.read()


@step("download")
def _():
    artifact = api().artifact(f"{HOME}/net:v0")
    return [read(artifact.download(root="down")), read(api().artifact(f"{LINE}:staging").download(root="linked")) == read("down")]


@step("download where the SDK says")
def _():
    directory = api().artifact(f"{HOME}/net:v1").download()
    return [os.path.basename(directory).replace("-", ":"), read(directory)]


@step("download a part")
def _():
    return read(api().artifact(f"{HOME}/net:v0").download(root="part", path_prefix="data/train"))


@step("get_entry")
def _():
    artifact = api().artifact(f"{HOME}/net:v0")
    entry = artifact.get_entry("data/test/a.txt")
    with open(entry.download(root="entry")) as f:
        text = f.read()
    return [entry.path, entry.size, text, outcome(lambda: artifact.get_entry("none"))]


@step("get_path")
def _():
    with open(api().artifact(f"{HOME}/net:v0").get_path("deep/weights.txt").download(root="path")) as f:
        return f.read()


@step("files")
def _():
    artifact = api().artifact(f"{HOME}/net:v0")
    some = artifact.files(names=["notes.txt", "none"])
    with some[0].download(root="listed", replace=True) as f:
        text = f.read()
    by_two, at_once = ([file.name for file in artifact.files(per_page=number)] for number in (2, 100_000))
    return [by_two, at_once == by_two, [file.name for file in some], some[0].size, text]


@step("file")
def _():
    with open(api().artifact(f"{HOME}/net:v1").file(root="single")) as f:
        text = f.read()
    return [text, outcome(lambda: api().artifact(f"{HOME}/net:v0").file())]


@step("checkout")
def _():
    write("checkout/extra.txt", "in the way")
    api().artifact(f"{HOME}/net:v1").checkout(root="checkout")
    return read("checkout")


@step("verify")
def _():
    artifact = api().artifact(f"{HOME}/net:v1")
    artifact.download(root="verified")
    right = outcome(lambda: artifact.verify(root="verified"))
    write("verified/weights.txt", "weights x")
    return [right, outcome(lambda: artifact.verify(root="verified"))]


# ---- References ----------------------------------------------------------------------------------------------------


@step("references")
def _():
    artifact = wandb.Artifact("elsewhere", type="dataset")
    artifact.add_file(write("here.txt", "here"))
    artifact.add_reference("https://data.example.com/set.csv", name="set.csv", checksum=False)
    artifact.add_reference(f"file://{os.path.abspath(write('shared/kept.txt', 'kept where it is'))}", name="kept.txt")
    # What `add_reference` makes of them where the clouds' own libraries are installed.
    for name, uri in (("s3.bin", "s3://bucket/key with space"), ("gs.bin", "gs://bucket/key#1")):
        artifact.manifest.add_entry(ArtifactManifestEntry(path=name, ref=uri, digest=uri))
    run.log_artifact(artifact).wait()
    found = api().artifact(f"{HOME}/elsewhere:latest")
    entries = {path: entry.ref for path, entry in sorted(found.manifest.entries.items())}
    entries["kept.txt"] = entries["kept.txt"].replace(os.getcwd(), "")
    return [entries, found.get_entry("s3.bin").ref_target(), found.file_count]


@step("download of references")
def _():
    found = api().artifact(f"{HOME}/elsewhere:latest")
    # The clouds' own libraries aren't here, so only what lies in this machine's files is fetched.
    some = found.download(root="references", path_prefix="kept", allow_missing_references=True)
    return read(some)


# ---- Changing ------------------------------------------------------------------------------------------------------


@step("description and metadata")
def _():
    artifact = api().artifact(f"{HOME}/net:v1")
    artifact.description = "The second."
    artifact.metadata["accuracy"] = 0.75
    artifact.save()
    artifact = api().artifact(f"{HOME}/net:v1")
    return [artifact.description, artifact.metadata]


@step("aliases")
def _():
    seen = []

    def look():
        seen.append([sorted(api().artifact(f"{HOME}/net:v{index}").aliases) for index in (0, 1, 2)])

    artifact = api().artifact(f"{HOME}/net:v1")
    artifact.aliases.append("checked")
    artifact.save()
    look()
    artifact = api().artifact(f"{HOME}/net:v1")
    artifact.aliases.remove("checked")
    artifact.save()
    look()
    # All of them replaced, one of which another version has.
    artifact = api().artifact(f"{HOME}/net:v1")
    artifact.aliases = ["best", "frozen"]
    artifact.save()
    look()
    return seen


@step("tags")
def _():
    artifact = api().artifact(f"{HOME}/net:v0")
    artifact.tags = ["blue sky", "second"]
    artifact.save()
    return sorted(api().artifact(f"{HOME}/net:v0").tags)


@step("aliases of a link")
def _():
    link = api().artifact(f"{LINE}:v0")
    link.aliases = ["production"]
    link.save()
    return [sorted(api().artifact(f"{LINE}:v0").aliases), sorted(api().artifact(f"{HOME}/net:v0").aliases)]


@step("source_artifact")
def _():
    source = api().artifact(f"{LINE}:production").source_artifact
    return [source.name, source.project]


@step("linked_at")
def _():
    link = api().artifact(f"{LINE}:production")
    return link.linked_at > link.created_at


@step("digest_algorithm")
def _():
    return api().artifact(f"{HOME}/net:v0").digest_algorithm.value


@step("linked_artifacts")
def _():
    linked = api().artifact(f"{HOME}/net:v0").linked_artifacts
    return sorted([link.name, link.project] for link in linked)


@step("ttl")
def _():
    artifact = api().artifact(f"{HOME}/net:v2")
    before = artifact.ttl
    artifact.ttl = datetime.timedelta(days=30)
    artifact.save()
    return [before, str(api().artifact(f"{HOME}/net:v2").ttl)]


# ---- Made of parts -------------------------------------------------------------------------------------------------


@step("upsert_artifact")
def _():
    for part in ("one", "two"):
        artifact = wandb.Artifact("shared", type="dataset")
        artifact.add_file(write(f"{part}.txt", part))
        run.upsert_artifact(artifact, distributed_id="together")
    artifact = wandb.Artifact("shared", type="dataset")
    artifact.add_file(write("three.txt", "three"))
    finished = run.finish_artifact(artifact, distributed_id="together").wait()
    return [finished.version, read(api().artifact(f"{HOME}/shared:latest").download(root="shared-down"))]


@step("new_draft")
def _():
    draft = api().artifact(f"{HOME}/net:v0").new_draft()
    draft.add_file(write("added.txt", "added"))
    draft.remove("notes.txt")
    made = run.log_artifact(draft).wait()
    return [made.version, sorted(api().artifact(f"{HOME}/net:{made.version}").manifest.entries)]


@step("incremental")
def _():
    artifact = wandb.Artifact("data", type="dataset", incremental=True)
    artifact.add_file(write("more.txt", "more"))
    made = run.log_artifact(artifact).wait()
    return [made.version, sorted(api().artifact(f"{HOME}/data:{made.version}").manifest.entries)]


@step("table")
def _():
    artifact = wandb.Artifact("tables", type="dataset")
    artifact.add(wandb.Table(columns=["x", "y"], data=[[1, "one"], [2, "two"]]), "numbers")
    run.log_artifact(artifact).wait()
    table = api().artifact(f"{HOME}/tables:latest").get("numbers")
    return [table.columns, table.data]


@step("a reference to another artifact")
def _():
    artifact = wandb.Artifact("pointing", type="dataset")
    artifact.add_reference(api().artifact(f"{HOME}/data:v0").get_entry("train/a.txt"), name="train.txt")
    run.log_artifact(artifact).wait()
    return read(api().artifact(f"{HOME}/pointing:latest").download(root="pointing"))


run.finish()


# ---- Runs and lineage ----------------------------------------------------------------------------------------------


@step("logged_by")
def _():
    return [api().artifact(f"{HOME}/net:v0").logged_by().id == first_run, api().artifact(f"{HOME}/data:v0").logged_by().name]


@step("used_by")
def _():
    return [user.id == second_run for user in api().artifact(f"{HOME}/net:v0").used_by()]


@step("api.run")
def _():
    found = api().run(f"{HOME}/{first_run}")
    return [found.name, found.state, dict(found.config), list(found.tags), found.entity, found.project]


@step("api.runs")
def _():
    def names(**filters):
        return sorted(found.name for found in api().runs(HOME, filters=filters))

    return [names(display_name="first run"), names(tags="nightly"), names(**{"config.lr.value": 0.2}), names(state="failed")]


@step("logged_artifacts")
def _():
    return sorted(artifact.name for artifact in api().run(f"{HOME}/{first_run}").logged_artifacts())


@step("used_artifacts")
def _():
    return sorted({artifact.source_name for artifact in api().run(f"{HOME}/{second_run}").used_artifacts()})


@step("run files")
def _():
    found = api().run(f"{HOME}/{first_run}")
    names = [file.name for file in found.files()]
    with found.file("config.yaml").download(root="run-files", replace=True) as f:
        return ["config.yaml" in names, "wandb-summary.json" in names, "lr" in f.read()]


@step("a run resumed")
def _():
    with wandb.init(entity=TEAM, project=PROJECT, id=first_run, resume="must") as resumed:
        resumed.config["more"] = True
        artifact = wandb.Artifact("resumed", type="log")
        with artifact.new_file("more.txt") as f:
            f.write("more")
        resumed.log_artifact(artifact).wait()
        was = resumed.resumed
    found = api().run(f"{HOME}/{first_run}")
    return [was, dict(found.config), list(found.tags), found.state]


@step("logged by the resumed run")
def _():
    logged = api().artifact(f"{HOME}/resumed:v0")
    names = {artifact.name for artifact in api().run(f"{HOME}/{first_run}").logged_artifacts()}
    return [logged.logged_by().id == first_run, "net:v0" in names, logged.name in names]


# ---- Collections ---------------------------------------------------------------------------------------------------


@step("a collection's description and tags")
def _():
    collection = api().artifact_collection("model", f"{HOME}/saved")
    collection.description = "The card."
    collection.tags = ["reviewed", "old"]
    collection.save()
    collection = api().artifact_collection("model", f"{HOME}/saved")
    collection.tags.remove("old")
    collection.save()
    collection = api().artifact_collection("model", f"{HOME}/saved")
    return [collection.description, list(collection.tags)]


@step("a collection renamed")
def _():
    collection = api().artifact_collection("model", f"{HOME}/saved")
    collection.name = "renamed"
    collection.save()
    return [api().artifact_exists(f"{HOME}/saved:v0"), api().artifact(f"{HOME}/renamed:v0").name]


@step("a collection's type changed")
def _():
    collection = api().artifact_collection("model", f"{HOME}/renamed")
    collection.type = "checkpoint"
    collection.save()
    linked = api().artifact_collection("model", f"{HOME}/net")
    linked.type = "checkpoint"
    return [api().artifact(f"{HOME}/renamed:v0").type, outcome(linked.save) != "accepted"]


@step("a registry collection changed")
def _():
    collection = api().artifact_collection("model", LINE)
    collection.description = "Of the registry."
    collection.tags = ["public"]
    collection.save()
    collection = api().artifact_collection("model", LINE)
    return [collection.description, list(collection.tags)]


# ---- The end -------------------------------------------------------------------------------------------------------


@step("unlink")
def _():
    refused = outcome(api().artifact(f"{HOME}/net:v1").unlink)
    api().artifact(f"{LINE}:candidate").unlink()
    return [refused != "accepted", versions(api().artifacts("model", LINE)), api().artifact(f"{HOME}/net:v1").version]


@step("delete")
def _():
    with_aliases = outcome(api().artifact(f"{HOME}/net:v1").delete)
    api().artifact(f"{HOME}/net:v1").delete(delete_aliases=True)
    # Nobody chose an alias of this one.
    api().artifact(f"{HOME}/elsewhere:v0").delete()
    names = ["net:v1", "net:frozen", "net:v0", "elsewhere:v0"]
    return [with_aliases != "accepted", [api().artifact_exists(f"{HOME}/{name}") for name in names]]


@step("a collection deleted")
def _():
    api().artifact_collection("model", LINE).delete()
    api().artifact_collection("checkpoint", f"{HOME}/renamed").delete()
    gone = [api().artifact_collection_exists(*place) for place in ((LINE, "model"), (f"{HOME}/renamed", "checkpoint"))]
    return [gone, api().artifact_exists(f"{HOME}/net:v0")]


# The last of all: some SDKs then write every later download of the process to the same place.
@step("download past the cache")
def _():
    return read(api().artifact(f"{HOME}/net:v2").download(root="fresh", skip_cache=True))


print(json.dumps(said))
