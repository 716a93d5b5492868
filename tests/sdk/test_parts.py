"""What a version can be made of: parts of several processes, an earlier version, references, tables with images inside."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import FULL, NEWEST, VERSIONS, tree

every = pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])


def write(path, files):
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return tree(path)


def shards(*workers):
    files = {"schema.json": '{"columns": ["a", "b"]}', "README.md": "All shards."}
    for worker in workers:
        for shard in range(40):
            files[f"worker-{worker}/shard-{shard:03}.txt"] = f"shard {shard} of worker {worker}\n"
    return files


@every
def test_distributed_and_incremental(version, sdks, tenants, tmp_path):
    """Rules 26, 27, 39: three processes make one version, an incremental one comes on top, a draft of the first one is changed."""
    sdk, tenant = sdks[version], tenants(version)
    with ThreadPoolExecutor() as processes:
        workers = [processes.submit(sdk.run, "parts_worker", tenant.alice, tenant.team, "parts", "job", str(n)) for n in range(3)]
        answers = [worker.result().answer for worker in workers]
    assert answers == [{"state": "PENDING"}] * 3
    finish = sdk.run("parts_finish", tenant.alice, tenant.team, "parts", "job")
    said = finish.answer
    assert said["versions"] == ["v0"], finish.evidence
    expected = {
        "distributed": shards(0, 1, 2),
        "incremental": {**shards(0, 1, 2), "README.md": "All shards, and more.", "more/late.txt": "came later"},
        "draft": {**shards(0, 2), "only here.txt": "in the draft"},
    }
    names = [f"{tenant.team}/parts/shards:v{n}" for n in range(3)]
    outcome = sdk.run("parts_read", tenant.alice, *names)
    for name, (kind, files), index in zip(names, expected.items(), range(3)):
        assert (said[kind]["version"], said[kind]["state"]) == (f"v{index}", "COMMITTED"), finish.evidence
        assert said[kind]["files"] == len(files)
        assert said[kind]["size"] == sum(len(text) for text in files.values())
        assert tree(outcome.directory / outcome.answer["directories"][name]) == write(tmp_path / kind, files), kind
    assert said["complete"] == "v0"


@every
def test_references(version, sdks, tenants, tmp_path):
    """Rule 38: references are inert text; those to other versions are followed by the client alone. (`gs://` needs Google's
    client and its credentials; the server's part of it is in the tests of its doors.)"""
    sdk, tenant = sdks[version], tenants(version)
    write(tmp_path / "kept", {"kept.txt": "kept where it is"})
    answer = sdk.run("parts_references", tenant.alice, tenant.team, "references", str(tmp_path / "kept")).answer
    refs = answer["refs"]
    assert refs["far"] == {
        "far/0": "s3://bucket/key with space",
        "far/1": "hdfs://cluster/object#7",
        "far/2": "https://127.0.0.1:1/%2e%2e/model.bin?v=1&w=2",
        "near.txt": f"file://{tmp_path}/kept/kept.txt",
        "unread.txt": f"file://{tmp_path}/kept/kept.txt",
    }
    assert refs["referring"]["borrowed.txt"].startswith("wandb-artifact://") and refs["referring"]["own.txt"] is None
    assert refs["referring"]["borrowed.txt"].endswith("/dir/a.txt")
    # What the client called by its own name has a name of the server's by now.
    borrowed = [ref for ref in refs["both"].values() if ref]
    assert borrowed and all(ref.startswith("wandb-artifact://") for ref in borrowed), refs["both"]
    outcome = sdk.run("parts_read", tenant.alice, *(f"{tenant.team}/references/{name}:v0" for name in ("referring", "both")))
    got = {name.rsplit("/", 1)[1]: outcome.directory / where for name, where in outcome.answer["directories"].items()}
    assert (got["referring:v0"] / "borrowed.txt").read_text() == "the bytes of a"
    assert (got["referring:v0"] / "own.txt").read_text() == "own bytes"
    page = json.loads((got["both:v0"] / "the page.html-file.json").read_text())
    assert page["_type"] == "html-file", outcome.evidence


@every
def test_tables(version, sdks, tenants):
    """A table with images inside: in an artifact, logged by a run, and borrowed by a second artifact."""
    sdk, tenant = sdks[version], tenants(version)
    run = sdk.run("parts_tables", tenant.alice, tenant.team, "tables").answer["run"]
    answer = sdk.run("parts_tables_read", tenant.alice, tenant.team, "tables", run).answer

    def first_line(number):
        return [[255, 0, 0] if x == number else [number * 40, 100, 200] for x in range(8)]

    rows = [[number, f"row {number}", first_line(number)] for number in range(4)]
    expected = {"columns": ["number", "text", "picture"], "rows": rows}
    assert answer["artifact"] == answer["again"] == expected
    assert answer["run"] == ["run_table", expected]
    assert answer["alone"] == first_line(5)
    assert any(answer["borrowed"].values()), answer["borrowed"]


@every
def test_models_and_no_run(version, sdks, tenants):
    """`log_model`, `use_model`, `link_model`, and `save()` where no run is: the SDK makes one for it."""
    sdk, tenant = sdks[version], tenants(version)
    answer = sdk.run("parts_models", tenant.alice, tenant.team, "models").answer
    assert answer == {"model": ["net.bin", "the weights"], "type": "model", "linked": ["v0", "net:v0", ["net.bin"]], "alone": ["v0", "models", ["alone.txt"]]}


@every
def test_one_object_again(version, sdks, tenants):
    """Rules 26, 27: the SDK calls an artifact object by one name for ever (`clientID`), also when it is logged again."""
    sdk, tenant = sdks[version], tenants(version)
    outcome = sdk.run("again", tenant.alice, tenant.team, "again")
    said = outcome.answer
    assert said == {
        # What the second request said counts too.
        "part": {"v0": [["complete", "latest"], ["step", "finished"]]},
        "at once": {"v0": [["best", "latest"], ["x"]]},
        # The object has become "waited:v0" by then, and is sent by that name, which no collection can have.
        "waited for": {"v0": [["latest"], []]},
        "turns": {"v0": [["early"], []], "v1": [["other"], []], "v2": [["again", "latest"], []]},
        "another run": {"v0": [["latest", "second"], []]},
        "logged": [["another-run:v0", "at-once:v0", "part:v0", "turns:v0", "turns:v1", "turns:v2", "waited-for:v0"], ["another-run:v0"]],
    }, outcome.evidence
