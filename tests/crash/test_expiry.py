"""`kill -9` of one of two servers on one database, in the middle of the expiry of thousands of versions and of the deletion of their bytes.

Each version expires once, with one event, whichever server did it; what is linked into a registry stays (rule 35). Afterwards the bytes that
nothing names are gone (rule 33), those of what stays are there, and no server knows of an object that isn't.

REGALIA_TEST_EXPIRING: versions that expire, 2,000 by default.
"""

import concurrent.futures
import glob
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from processes import Server
from wire import Client, Content, sha256

VERSIONS = int(os.environ.get("REGALIA_TEST_EXPIRING", "2000"))
COLLECTIONS = 40
KILLS = 5
WITHIN = 120.0


class Second(Server):
    """Another server on the database and the files of a server that manages its PostgreSQL."""

    def __init__(self, first: Server):
        directory = first.directory / "second"
        directory.mkdir()
        (directory / "data").symlink_to(first.directory / "data")
        super().__init__(directory, f"postgres://regalia@localhost/regalia?host={socket_of(first)}")
        self.admin_key = first.admin_key


def socket_of(server: Server) -> str:
    """Where the managed PostgreSQL listens, as it wrote down itself."""
    (written,) = glob.glob(f"{server.directory}/data/postgres/*/postmaster.pid")
    return Path(written).read_text().splitlines()[4]


def sql(server: Server, statement: str) -> list[str]:
    """Looks at rows, or lets time pass for them. Returns the first column."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"))
    assert programs, "psql is not there: apt-get install postgresql-client"
    done = subprocess.run(
        [programs[-1], "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", socket_of(server), "-U", "regalia", "regalia", "-c", statement],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def number(server: Server, statement: str) -> int:
    (row,) = sql(server, statement)
    return int(row)


def await_(what: str, condition) -> None:
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def all_at_once(client: Client, field: str, inputs: list[dict], payload: str) -> list[dict]:
    """The same mutation for each input, in one request."""
    kind = field[0].upper() + field[1:] + "Input"
    parameters = ", ".join(f"$i{at}: {kind}!" for at in range(len(inputs)))
    fields = " ".join(f"m{at}: {field}(input: $i{at}) {{ {payload} }}" for at in range(len(inputs)))
    answer = client.graphql(f"mutation({parameters}) {{ {fields} }}", {f"i{at}": given for at, given in enumerate(inputs)})
    return [answer[f"m{at}"] for at in range(len(inputs))]


def log(server: Server, key: str, collections: range) -> list[str]:
    """Versions of an hour in these collections, by turns of one content and another; every hundredth is linked. Returns the linked."""
    linked = []
    with Client(server.url, key) as client:
        for turn in range(VERSIONS // COLLECTIONS):
            contents = {at: Content(at * 2 + turn % 2, 5000) for at in collections}
            begun = all_at_once(client, "versionBegin", [
                {
                    "entity": "vision", "project": "demo", "collection": f"net-{at}", "typeName": "model", "ttl": 3600,
                    "files": [{"path": "weights", "md5": hex_md5(content), "size": content.size}],
                }
                for at, content in contents.items()
            ], "version { id } uploads { url }")
            for content, made in zip(contents.values(), begun):
                for upload in made["uploads"]:
                    client.put(upload["url"], content.size, content.pieces())
            ids = [made["version"]["id"] for made in begun]
            all_at_once(client, "versionCommit", [{"version": version} for version in ids], "version { id }")
            chosen = [version for at, version in zip(collections, ids) if at % 2 == 0 and (turn + at) % 50 == 7]
            if chosen:
                target = "acme/wandb-registry-model/Kept"
                all_at_once(client, "versionLink", [{"version": version, "target": target} for version in chosen], "link { id }")
                linked += chosen
    return linked


def hex_md5(content: Content) -> str:
    import base64

    return base64.b64decode(content.md5).hex()


@pytest.fixture
def second(server):
    second = Second(server)
    try:
        yield second
    finally:
        if second.running():
            second.kill()


def test_expiry_with_two_servers_and_one_killed(server, second):
    keys = server.people()
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        parts = [range(start, COLLECTIONS, 4) for start in range(4)]
        linked = [version for part in threads.map(lambda part: log(server, keys["alice"], part), parts) for version in part]
    assert linked and number(server, "select count(*) from versions where state = 'committed'") == VERSIONS
    expiring = VERSIONS - len(linked)

    # A day passes, and one of the two dies again and again, as soon as it has begun.
    sql(server, "update versions set created_at = created_at - interval '1 day'")
    left = "select count(*) from versions where state = 'committed' and expires_at is not null"
    killed_early = 0
    for _ in range(KILLS):
        said = second.log() if (second.directory / "log").exists() else ""
        second.start()
        before = number(server, left)
        await_("nothing expires", lambda: number(server, left) == 0 or second.log().count('"expired"') > said.count('"expired"'))
        second.kill()
        killed_early += number(server, left) > 0 and before > 0
    second.start()
    await_("not all have expired", lambda: number(server, left) == 0)
    assert killed_early, "it was never killed in the middle: REGALIA_TEST_EXPIRING asks for more versions"
    expired = "from audit_events where kind = 'version.deleted' and before->>'reason' = 'expired' and actor_id is null"
    assert [number(server, f"select count(*) {expired}"), number(server, f"select count(distinct subject) {expired}")] == [expiring] * 2
    assert number(server, "select count(*) from versions where state = 'committed'") == len(linked)
    assert number(server, "select count(*) from versions where state = 'committed' and ttl_seconds <> -2") == 0
    wrong = """select count(*) from collections c cross join lateral (
        select (select version_id from memberships where collection_id = c.id order by index desc limit 1) as newest,
            (select array_agg(version_id) from aliases where collection_id = c.id and alias = 'latest' and upper_inf(valid)) as latest
    ) held where (newest is null) <> (latest is null) or latest <> array[newest]"""
    assert number(server, wrong) == 0

    # Two days pass: announcements name no bytes any more. Another one, and the bytes go; again one of the two dies.
    sql(server, "update uploads set created_at = created_at - interval '3 days'")
    objects = lambda: len([path for path in glob.glob(f"{server.directory}/data/files/blobs/**", recursive=True) if os.path.isfile(path)])
    before = objects()
    second.kill()
    second.start()
    await_("no bytes are found that nothing names", lambda: number(server, "select count(*) from uploads") == 0)
    await_("they are not noted", lambda: number(server, "select count(*) from blobs where unnamed_since is null") == 2 * len(needed(server)))
    assert objects() == before, "bytes went before their time"
    sql(server, "update blobs set unnamed_since = unnamed_since - interval '25 hours'")
    for _ in range(KILLS):
        second.kill()
        second.start()
        time.sleep(0.02)
    await_("bytes stay", lambda: number(server, "select count(*) from blobs") == 2 * len(needed(server)) == objects())
    assert number(server, "select count(*) from loose_objects") == 0
    assert number(server, "select count(*) from manifests") == len(needed(server))

    # What is linked downloads, from either server.
    query = "query($id: ID!) { version(id: $id) { source files(first: 10) { nodes { downloadUrl } } } }"
    for at in (server, second):
        with Client(at.url, keys["alice"]) as client:
            for version in linked:
                found = client.graphql(query, {"id": version})["version"]
                collection, index = found["source"].removeprefix("vision/demo/net-").split(":v")
                content = Content(int(collection) * 2 + int(index) % 2, 5000)
                (node,) = found["files"]["nodes"]
                assert sha256(client.get(node["downloadUrl"])) == (content.sha256, content.size), found
    entries = [json.loads(line) for line in second.log().splitlines() if line.startswith("{")]
    assert not [entry for entry in entries if entry["level"] == "ERROR"], "the second server logged errors"
    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(60) == 0


def needed(server: Server) -> list[str]:
    """The manifests of what is left: each has a file and a text of its own."""
    return sql(server, "select distinct manifest_id from versions where state = 'committed'")
