"""What must be true whenever a server runs, whatever was killed before: checked through what its clients see.

alice publishes and sees everything; bob, of the same organization but not of her team, sees the registry alone.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from load import ENTITY, ORGANIZATION, PROJECT, REGISTRY, Ledger
from wire import MOVING, SHELVES, Client, Publication, sha256

PAGE = 25
# Of the download URLs handed out so far, so many of the newest are tried again.
URLS = 50

PLACE = """versionIndex aliases { alias } artifact { id state digest versionIndex fileCount size currentManifest { file { directUrl } } }
  files(first: 20) { totalCount edges { node { name directUrl sizeBytes md5 } } }"""
NEWEST = """query Newest($entity: String!, $project: String!, $name: String!) { project(entityName: $entity, name: $project) {
  artifactCollection(name: $name) { ... on ArtifactSequence { latestArtifact { versionIndex state } } } } }"""
COLLECTIONS = """query Collections($organization: String!, $registry: String!, $after: String) { registry(organization: $organization, name: $registry) {
  collections(first: 100, after: $after) { nodes { name } pageInfo { hasNextPage endCursor } } } }"""
LINKS = """query Links($organization: String!, $registry: String!, $name: String!, $after: String) { registry(organization: $organization, name: $registry) {
  collection(name: $name) { latest { index } links(first: 100, after: $after) {
    nodes { index aliases version { digest size fileCount } } pageInfo { hasNextPage endCursor } } } } }"""
SHELF = """query Shelf($path: String!, $after: String) { collection(path: $path) { links(first: 100, after: $after, order: INDEX_ASCENDING) {
  nodes { index aliases version { digest } } pageInfo { hasNextPage endCursor } } } }"""
TOLD = """query Told($path: String!, $after: String) { collection(path: $path) {
  events(first: 1000, after: $after, filter: { kinds: ["version.linked", "version.unlinked", "alias.set"] }) {
    nodes { kind subject after } pageInfo { hasNextPage endCursor } } } }"""
PENDING = """query Pending($id: ID!) { artifact(id: $id) { state versionIndex aliases { alias } currentManifest { id }
  artifactSequence { latestArtifact { id } } } }"""


@dataclass
class Row:
    """A version's place in a collection."""

    index: int
    digest: str
    aliases: list[str]
    place: dict | None = None


@dataclass
class Verifier:
    """Checks again and again; remembers what it has seen, because that must not change."""

    url: str
    keys: dict[str, str] = field(repr=False)
    ledger: Ledger
    indices: dict[tuple[str, str], int] = field(default_factory=dict)
    """(collection, digest) → index, of everything ever seen."""
    read: set[tuple[str, str]] = field(default_factory=set)
    """(collection, digest) of what was downloaded already."""
    settled: dict[str, int] = field(default_factory=dict)
    """Collection → number of publications, of those that were found right when nothing was under way for them."""

    def check(self, everything: bool = False) -> None:
        """Asserts all of it; looks again at what was found right before, and downloads it again, only for `everything`."""
        if everything:
            self.read.clear()
            self.settled.clear()
        assert not self.ledger.failures, self.ledger.failures
        with Client(self.url, self.keys["alice"]) as alice, Client(self.url, self.keys["bob"]) as bob:
            self.check_sources(alice)
            self.check_registry(bob)
            self.check_shelves(alice)
            self.check_pending(alice, bob)
            for url, digest, size in self.ledger.urls[-URLS:]:
                assert sha256(alice.get(url)) == (digest, size), f"an old download URL gives other bytes: {url}"

    # ---- source collections ----

    def check_sources(self, alice: Client) -> None:
        begun: dict[str, list[Publication]] = {}
        for publication in self.ledger.publications:
            begun.setdefault(publication.spec.collection, []).append(publication)
        for name, publications in begun.items():
            if self.settled.get(name) == len(publications):
                continue
            rows = list(self.source_rows(alice, name))
            acknowledged = {p.spec.digest for p in publications if p.committed}
            asked = {p.spec.digest for p in publications if p.commit_asked}
            self.check_rows(name, rows, asked, acknowledged)
            check_aliases(name, rows, [(alias, p.spec.digest, p.commit_asked, p.committed) for p in publications for alias in p.spec.aliases])
            by_digest = {p.spec.digest: p for p in publications}
            for row in rows:
                if (name, row.digest) not in self.read:
                    check_content(alice, row.place, by_digest[row.digest], f"{name}:v{row.index}")
                    self.read.add((name, row.digest))
            if all(p.committed for p in publications):
                self.settled[name] = len(publications)

    def source_rows(self, alice: Client, name: str) -> Iterator[Row]:
        """All versions of a source collection, from v0 on; asserts that there is none beyond the newest."""
        variables = {"entity": ENTITY, "project": PROJECT, "name": name}
        project = alice.graphql(NEWEST, variables)["project"]
        collection = project and project["artifactCollection"]
        newest = collection and collection["latestArtifact"]
        if newest is None:
            return
        assert newest["state"] == "COMMITTED"
        for start in range(0, newest["versionIndex"] + 2, PAGE):
            wanted = range(start, start + PAGE)
            query = "query Versions($entity: String!, $project: String!, $name: String!) { project(entityName: $entity, name: $project) { " \
                "artifactCollection(name: $name) { %s } } }" % " ".join('v%d: artifactMembership(aliasName: "v%d") { %s }' % (n, n, PLACE) for n in wanted)
            found = alice.graphql(query, variables)["project"]["artifactCollection"]
            for index in wanted:
                place = found[f"v{index}"]
                assert (place is not None) == (index <= newest["versionIndex"]), f"{name} has a gap, or more than its newest: v{index} is {place}"
                if place:
                    version = place["artifact"]
                    assert version["state"] == "COMMITTED" and version["versionIndex"] == place["versionIndex"] == index, place
                    yield Row(index, version["digest"], [alias["alias"] for alias in place["aliases"]], place)

    # ---- the registry ----

    def check_registry(self, bob: Client) -> None:
        linked: dict[str, list[Publication]] = {}
        for publication in self.ledger.publications:
            if publication.link_to:
                linked.setdefault(publication.link_to[2], []).append(publication)
        names = set(self.collection_names(bob))
        lost = [name for name, publications in linked.items() if name not in names and any(p.link_index is not None for p in publications)]
        assert not lost, f"collections with an acknowledged link are gone: {lost}"
        for name in names:
            publications = linked[name]
            if self.settled.get(name) == len(publications):
                continue
            rows = list(self.link_rows(bob, name))
            assert rows, f"the registry lists {name}, which no link has reached"
            acknowledged = {p.spec.digest for p in publications if p.link_index is not None}
            asked = {p.spec.digest for p in publications if p.link_asked}
            self.check_rows(name, rows, asked, acknowledged)
            check_aliases(name, rows, [(alias, p.spec.digest, p.link_asked, p.link_index is not None) for p in publications for alias in p.link_aliases])
            by_digest = {p.spec.digest: p for p in publications}
            for row in rows:
                publication = by_digest[row.digest]
                assert publication.link_index in (None, row.index), f"{name}: {row} was acknowledged at {publication.link_index}"
                if (name, row.digest) not in self.read:
                    # By the name that was asked for, as another team's script does.
                    alias = publication.link_aliases[0]
                    place = bob.pull(ORGANIZATION, f"wandb-registry-{REGISTRY}", f"{name}:{alias}")
                    assert place and place["versionIndex"] == row.index, f"{name}:{alias} is {place}, not v{row.index}"
                    check_content(bob, place, publication, f"{name}:{alias}")
                    self.read.add((name, row.digest))
            if all(p.link_index is not None for p in publications):
                self.settled[name] = len(publications)

    def pages(self, client: Client, query: str, variables: dict, connection) -> Iterator[dict]:
        after = None
        while True:
            page = connection(client.graphql(query, {**variables, "after": after}))
            yield from page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def collection_names(self, bob: Client) -> Iterator[str]:
        if bob.graphql(COLLECTIONS, {"organization": ORGANIZATION, "registry": REGISTRY, "after": None})["registry"] is None:
            # The first link makes the registry (rule 11).
            assert all(p.link_index is None for p in self.ledger.publications), "the registry is gone"
            return
        for node in self.pages(bob, COLLECTIONS, {"organization": ORGANIZATION, "registry": REGISTRY}, lambda data: data["registry"]["collections"]):
            yield node["name"]

    def link_rows(self, bob: Client, name: str) -> Iterator[Row]:
        variables = {"organization": ORGANIZATION, "registry": REGISTRY, "name": name}
        nodes = list(self.pages(bob, LINKS, variables, lambda data: data["registry"]["collection"]["links"]))
        for node in reversed(nodes):
            yield Row(node["index"], node["version"]["digest"], node["aliases"])

    # ---- where versions come and go ----

    def check_shelves(self, alice: Client) -> None:
        """Rules 28 to 30: who came and left did so once, no index was given twice, and the alias is where it was moved to last."""
        shelves: dict[str, list[Publication]] = {}
        for publication in self.ledger.publications:
            if publication.shelf:
                shelves.setdefault(publication.shelf, []).append(publication)
        for name, publications in shelves.items():
            path = {"path": f"{ENTITY}/{SHELVES}/{name}"}
            if alice.graphql(SHELF, {**path, "after": None})["collection"] is None:
                assert all(p.shelf_index is None for p in publications), f"{name} is gone"
                continue
            rows = {node["version"]["digest"]: node for node in self.pages(alice, SHELF, path, lambda data: data["collection"]["links"])}
            allowed: set[str | None] = {None}
            for p in publications:
                digest = p.spec.digest
                if p.unlinked or not p.shelf_asked:
                    assert digest not in rows, f"{name} holds {rows[digest]}, which was taken away or never came"
                elif p.shelf_index is not None and not p.unlink_asked:
                    assert digest in rows, f"{name} has lost v{p.shelf_index}"
                assert digest not in rows or p.shelf_index in (None, rows[digest]["index"]), f"{name}: {rows[digest]} came as v{p.shelf_index}"
                if p.moved or p.move_asked:
                    allowed = {digest} | (set() if p.moved else allowed)
                if p.unlink_asked and digest in allowed:
                    allowed = {None} | (allowed - {digest} if p.unlinked else allowed)
            assert rows.keys() <= {p.spec.digest for p in publications}
            held = [digest for digest, row in rows.items() if MOVING in row["aliases"]]
            assert len(held) <= 1 and (held or [None])[0] in allowed, f"{name}:{MOVING} is on {held}, not on one of {allowed}"
            latest = [digest for digest, row in rows.items() if "latest" in row["aliases"]]
            assert latest == list(rows)[-1:], f"{name}: latest is on {latest} of {list(rows.values())}"
            self.check_told(name, list(self.pages(alice, TOLD, path, lambda data: data["collection"]["events"])), publications, len(rows))

    def check_told(self, name: str, events: list[dict], publications: list[Publication], there: int) -> None:
        """What happened on a shelf happened once, though it was asked for again."""
        linked = [json.loads(event["after"])["index"] for event in reversed(events) if event["kind"] == "version.linked"]
        assert linked == list(range(len(linked))), f"{name} gave the indices {linked}"
        for kind in ("version.linked", "version.unlinked"):
            versions = [event["subject"] for event in events if event["kind"] == kind]
            assert len(set(versions)) == len(versions), f"{name}: {kind} twice: {versions}"
        unlinked = sum(event["kind"] == "version.unlinked" for event in events)
        assert len(linked) - unlinked == there, f"{name}: {len(linked)} came and {unlinked} left, but there are {there}"
        moved = sum(event["kind"] == "alias.set" and json.loads(event["after"])["alias"] == MOVING for event in events)
        asked, acknowledged = sum(p.move_asked for p in publications), sum(p.moved for p in publications)
        assert acknowledged <= moved <= asked, f"{name}:{MOVING} was moved {moved} times, not {acknowledged} to {asked}"

    # ---- both ----

    def check_rows(self, name: str, rows: list[Row], asked: set[str], acknowledged: set[str]) -> None:
        """Rules 26, 28 and 29, and: nothing acknowledged is missing, nothing is there that nobody asked for."""
        assert [row.index for row in rows] == list(range(len(rows))), f"{name}: indices {[row.index for row in rows]}"
        digests = [row.digest for row in rows]
        assert len(set(digests)) == len(digests), f"{name} has a version twice: {digests}"
        assert set(digests) <= asked, f"{name} shows a version whose commit or link nobody asked for: {set(digests) - asked}"
        assert acknowledged <= set(digests), f"{name} has lost {acknowledged - set(digests)}"
        latest = [row.index for row in rows if "latest" in row.aliases]
        assert latest == [row.index for row in rows[-1:]], f"{name}: latest is on {latest} of {len(rows)}"
        for row in rows:
            known = self.indices.setdefault((name, row.digest), row.index)
            assert known == row.index, f"{name}: v{known} has become v{row.index}"

    # ---- what isn't committed ----

    def check_pending(self, alice: Client, bob: Client) -> None:
        """A version that nobody asked to commit is seen by its maker's id alone."""
        for publication in self.ledger.publications:
            if publication.id is None or publication.commit_asked:
                continue
            found = alice.graphql(PENDING, {"id": publication.id})["artifact"]
            newest = found["artifactSequence"]["latestArtifact"]
            assert newest is None or newest["id"] != publication.id
            assert (found["state"], found["versionIndex"], found["aliases"], found["currentManifest"]) == ("PENDING", None, [], None)
            assert bob.graphql(PENDING, {"id": publication.id})["artifact"] is None
            native = base64.b64encode(base64.b64decode(publication.id).replace(b"Artifact:", b"Version:")).decode()
            assert bob.graphql("query Version($id: ID!) { version(id: $id) { digest } }", {"id": native})["version"] is None


def check_aliases(name: str, rows: list[Row], asked: list[tuple[str, str, bool, bool]]) -> None:
    """Each alias is where its last acknowledged request put it, or where a later one, not acknowledged, may have put it.

    `asked`: alias, digest, whether it was asked for, whether that was acknowledged; in the order of asking.
    """
    found: dict[str, str] = {}
    for row in rows:
        for alias in row.aliases:
            assert alias not in found, f"{name}: the alias {alias} is on two versions"
            found[alias] = row.digest
    allowed: dict[str, set[str | None]] = {}
    for alias, digest, was_asked, was_acknowledged in asked:
        if was_acknowledged:
            allowed[alias] = {digest}
        elif was_asked:
            allowed.setdefault(alias, {None}).add(digest)
    for alias, digests in allowed.items():
        assert found.get(alias) in digests, f"{name}:{alias} is {found.get(alias)}, not one of {digests}"
    strangers = found.keys() - allowed.keys() - {"latest"}
    assert not strangers, f"{name} has aliases that nobody asked for: {strangers}"


def check_content(client: Client, place: dict, publication: Publication, name: str) -> None:
    """The version is whole: its manifest, its list of files, and every byte."""
    files = publication.spec.files
    version = place["artifact"]
    assert (version["id"], version["state"]) == (publication.id, "COMMITTED"), f"{name}: {version}"
    manifest = json.loads(b"".join(client.get(version["currentManifest"]["file"]["directUrl"])))
    assert manifest["contents"] == {path: {"digest": content.md5, "size": content.size} for path, content in files.items()}, name
    nodes = {edge["node"]["name"]: edge["node"] for edge in place["files"]["edges"]}
    assert place["files"]["totalCount"] == len(files) and nodes.keys() == files.keys(), f"{name} lists {nodes.keys()}"
    for path, content in files.items():
        node = nodes[path]
        assert (node["sizeBytes"], node["md5"]) == (content.size, content.md5), f"{name}/{path}: {node}"
        assert sha256(client.get(node["directUrl"])) == (content.sha256, content.size), f"{name}/{path} has other bytes"
