"""Many entries in one artifact: the commit beside PostgreSQL's own bulk insert of the same rows, pages of them, signed URLs, memory.

MB is 1,000,000 bytes.
"""

import hashlib
import json
import os
import random
import re
import statistics
import subprocess
import time
import uuid
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from conftest import psql_program
from processes import Server
from wire import COMMIT, MANIFEST, Broken, Client, Content, Publication, Spec, base64_md5

MB = 1_000_000
ENTITY, PROJECT = "vision", "demo"
PAGE = 5000
TIMES = 3

# As the SDK asks when it downloads.
FILE_URLS = """query GetArtifactMembershipFileUrls($entity: String!, $project: String!, $collection: String!, $alias: String!,
  $after: String, $perPage: Int) { project(name: $project, entityName: $entity) { artifactCollection(name: $collection) {
  artifactMembership(aliasName: $alias) { files(after: $after, first: $perPage) { edges { cursor node { name directUrl } }
  pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } } } } }"""
FILE_NAMES = FILE_URLS.replace(" directUrl", "")

# The same rows once more, into the same table with all its indexes and keys, and away again.
BULK_INSERT = """begin;
do $$
declare twin bigint; began timestamptz;
begin
  create temporary table same on commit drop as select e.* from manifest_entries e join versions v using (manifest_id)
    where v.digest = '{digest}';
  insert into manifests (scope_id, content_hash, file_blob_id, entry_count, total_size)
    select scope_id, sha256('twin'), file_blob_id, entry_count, total_size from manifests limit 1 returning id into twin;
  began := clock_timestamp();
  insert into manifest_entries (manifest_id, ordinal, path, digest, size, blob_id, reference, extra)
    select twin, ordinal, path, digest, size, blob_id, reference, extra from same;
  raise notice 'rows: %, seconds: %', (select count(*) from same), extract(epoch from clock_timestamp() - began);
end $$;
rollback;"""


# Files that have arrived, one for each entry.
ARRIVED = """with sent as (select * from uploads where name = 'sent.bin' order by created_at desc limit 1),
  arrived as (
    insert into blobs (scope_id, sha256, md5, size)
      select scope_id, sha256(bytes), decode(md5(bytes), 'hex'), length(bytes)
      from sent, generate_series(1, {entries} - 1) i cross join lateral (select convert_to('{salt}' || i, 'UTF8') as bytes) of
    returning id, md5)
  insert into uploads (id, purpose, version_id, scope_id, actor_id, name, md5, blob_id)
    select gen_random_uuid(), 'file', version_id, scope_id, actor_id, 'own ' || lpad(i::text, 6, '0') || '.bin', arrived.md5, arrived.id
    from sent, generate_series(1, {entries} - 1) i join arrived on arrived.md5 = decode(md5('{salt}' || i), 'hex')"""


class Wide(Spec):
    """So many entries over a hundred contents; the manifest is written without a dictionary of each."""

    @cached_property
    def manifest(self) -> bytes:
        entries = ",".join(f'{json.dumps(path)}:{{"digest":"{content.md5}","size":{content.size}}}' for path, content in self.files.items())
        return (
            '{"version":1,"storagePolicy":"wandb-storage-policy-v1","storagePolicyConfig":{"storageLayout":"V2"},"contents":{'
            f"{entries}}}}}"
        ).encode()

    @cached_property
    def digest(self) -> str:
        digest = hashlib.md5(b"wandb-artifact-manifest-v1\n")
        for path in sorted(self.files):
            digest.update(f"{path}:{self.files[path].md5}\n".encode())
        return digest.hexdigest()


class Onto(Publication):
    """An incremental version: its spec has what it adds to its base, or changes there."""

    def __init__(self, base: str, spec: Spec):
        super().__init__(spec, str(uuid.uuid4()))
        self.base = base

    def announce_manifest(self, client: Client, digest: str) -> str | None:
        answer = client.graphql(MANIFEST, {"input": {
            "artifactID": self.id, "baseArtifactID": self.base, "name": "wandb_manifest.json", "digest": digest, "entityName": ENTITY,
            "projectName": PROJECT, "runName": "", "type": "INCREMENTAL",
        }})
        return answer["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"]

    def commit(self, client: Client) -> str:
        """The digest of the whole, which the server alone knows."""
        return client.graphql(COMMIT, {"artifactID": self.id})["commitArtifact"]["artifact"]["digest"]


def wide(name: str, entries: int) -> Publication:
    contents = [Content(random.getrandbits(63), 1000 + number) for number in range(100)]
    salt = random.getrandbits(63)
    files = {f"part {number // 1000:04}/{hashlib.md5(f'{salt} {number}'.encode()).hexdigest()}.bin": contents[number % 100] for number in range(entries)}
    return Publication(Wide(ENTITY, PROJECT, name, files), str(uuid.uuid4()), sent=list(files)[:100])


class Own:
    """The content of a file that is known to the database alone."""

    def __init__(self, salt: str, number: int):
        content = f"{salt}{number}".encode()
        self.md5, self.size = base64_md5(content), len(content)


def sql(server: Server, statements: str) -> str:
    """What psql says while it does that."""
    command = [psql_program(), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--command={statements}", server.database_url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def bulk_insert(server: Server, digest: str, entries: int) -> float:
    """Seconds that PostgreSQL takes to insert a version's entries from one table into another."""
    said = sql(server, BULK_INSERT.replace("{digest}", digest))
    rows, seconds = re.search(r"rows: (\d+), seconds: ([\d.]+)", said).groups()
    assert int(rows) == entries, said
    return float(seconds)


def processor_seconds(server: Server) -> float:
    """Of the server's process alone, in its own code and in the system's."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def page(client: Client, document: str, name: str, after: str | None) -> dict:
    variables = {"entity": ENTITY, "project": PROJECT, "collection": name, "alias": "latest", "after": after, "perPage": PAGE}
    return client.graphql(document, variables)["project"]["artifactCollection"]["artifactMembership"]["files"]


def pages(client: Client, document: str, name: str) -> Iterator[dict]:
    after = None
    while True:
        found = page(client, document, name, after)
        yield found
        if not found["pageInfo"]["hasNextPage"]:
            return
        after = found["pageInfo"]["endCursor"]


def test_100_000_entries(server_on_database, figure):
    server, entries = server_on_database, 100_000
    keys = server.people()
    with Client(server.url, keys["alice"]) as alice:
        committing, inserting, peaks = [], [], []
        for number in range(TIMES):
            made = wide(f"wide{number}", entries)
            server.reset_peak()
            made.upload(alice)
            began = time.monotonic()
            made.commit(alice)
            committing.append(time.monotonic() - began)
            peaks.append(server.memory("VmHWM"))
            # Side by side: what else the machine does slows both.
            inserting.append(bulk_insert(server, made.spec.digest, entries))
        figure("100,000 entries committed, median of three", statistics.median(committing), "s")
        figure("the same rows by PostgreSQL's own bulk insert", statistics.median(inserting), "s")
        figure("100,000 entries committed, peak memory", max(peaks) / MB, "MB", 150)
        figure("the commit by the bulk insert", statistics.median(committing) / statistics.median(inserting), "times", 4)

        server.reset_peak()
        began = time.monotonic()
        found = [edge["node"] for found in pages(alice, FILE_URLS, "wide0") for edge in found["edges"]]
        figure("100,000 entries listed by 5,000 with URLs", time.monotonic() - began, "s")
        figure("100,000 entries listed, peak memory", server.memory("VmHWM") / MB, "MB", 150)
        assert len({node["name"] for node in found}) == entries and all(node["directUrl"] for node in found)

        taken = {}
        for document in (FILE_NAMES, FILE_URLS) * 10:
            before = processor_seconds(server)
            assert len(page(alice, document, "wide0", None)["edges"]) == PAGE
            taken.setdefault(document, []).append(processor_seconds(server) - before)
        signing = (sum(taken[FILE_URLS]) - sum(taken[FILE_NAMES])) / len(taken[FILE_URLS])
        figure("5,000 signed URLs, processor time", signing * 1000, "ms", 50)


def test_100_000_entries_each_with_a_file_of_its_own(server_on_database, figure):
    server, entries = server_on_database, 100_000
    keys = server.people()
    ratios, committing, peaks = [], [], []
    with Client(server.url, keys["alice"]) as alice:
        for turn in range(TIMES):
            salt = f"{random.getrandbits(63)} "
            files = {f"own {number:06}.bin": Own(salt, number) for number in range(1, entries)}
            files["sent.bin"] = Content(turn, 1000)
            made = Publication(Wide(ENTITY, PROJECT, f"own{turn}", files), str(uuid.uuid4()), sent=["sent.bin"])
            server.reset_peak()
            made.upload(alice)
            # The others as their uploads would have left them.
            sql(server, ARRIVED.replace("{salt}", salt).replace("{entries}", str(entries)))
            began = time.monotonic()
            made.commit(alice)
            committing.append(time.monotonic() - began)
            peaks.append(server.memory("VmHWM"))
            ratios.append(committing[-1] / bulk_insert(server, made.spec.digest, entries))
        figure("100,000 entries with as many files committed, median of three", statistics.median(committing), "s")
        figure("that commit by the bulk insert", statistics.median(ratios), "times", 4)
        figure("that upload and commit, peak memory", max(peaks) / MB, "MB", 150)


def test_1_000_entries_onto_100_000(server_on_database, figure):
    server = server_on_database
    keys = server.people()
    base = wide("grown", 100_000)
    names = list(base.spec.files)
    # Half of them are there already, with other bytes.
    added = {path: Content(random.getrandbits(63), 2000) for path in [*names[::200], *(f"added/{number}.bin" for number in range(500))]}
    with Client(server.url, keys["alice"]) as alice:
        base.publish(alice)
        made = Onto(base.id, Wide(ENTITY, PROJECT, "grown", added))
        server.reset_peak()
        made.upload(alice)
        began = time.monotonic()
        digest = made.commit(alice)
        figure("1,000 entries onto 100,000 committed", time.monotonic() - began, "s")
        figure("1,000 entries onto 100,000 committed, peak memory", server.memory("VmHWM") / MB, "MB", 150)
        assert digest == Wide(ENTITY, PROJECT, "grown", base.spec.files | added).digest
        inserting = bulk_insert(server, digest, 100_500)
        figure("the same rows by PostgreSQL's own bulk insert, once", inserting, "s")


def test_1_000_000_entries(server_on_database, figure):
    server, entries = server_on_database, 1_000_000
    keys = server.people()
    made = wide("widest", entries)
    with Client(server.url, keys["alice"]) as alice:
        server.reset_peak()
        made.upload(alice)
        began = time.monotonic()
        try:
            made.commit(alice)
        except Broken:
            # Whoever gives up waiting asks again: the commit has gone on.
            made.commit(alice)
        figure("1,000,000 entries committed", time.monotonic() - began, "s")
        figure("1,000,000 entries committed, peak memory", server.memory("VmHWM") / MB, "MB", 150)
        server.reset_peak()
        began = time.monotonic()
        names = {edge["node"]["name"] for found in pages(alice, FILE_URLS, "widest") for edge in found["edges"]}
        figure("1,000,000 entries listed by 5,000 with URLs", time.monotonic() - began, "s")
        figure("1,000,000 entries listed, peak memory", server.memory("VmHWM") / MB, "MB", 150)
        assert names == set(made.spec.files)
