"""The SDK's own requests, over one kept connection, so that a test may break off between and inside them.

What must not live here: threads, processes, and what an answer should be.
"""

import base64
import hashlib
import http.client
import json
import random
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

PIECE = 64 * 1024
PATIENCE = 120.0
# What these requests say they are: some answers tell the SDK more.
SDK = "W&B Public Client 0.31.0"

CREATE = """mutation CreateArtifact($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact {
  id state artifactSequence { latestArtifact { id versionIndex } } } } }"""
MANIFEST = """mutation CreateArtifactManifest($input: CreateArtifactManifestInput!) { createArtifactManifest(input: $input) {
  artifactManifest { id file { id uploadUrl uploadHeaders } } } }"""
FILES = """mutation CreateArtifactFiles($input: CreateArtifactFilesInput!) { createArtifactFiles(input: $input) { files { edges { node {
  name storagePath uploadUrl uploadHeaders uploadMultipartUrls { uploadID } artifact { id } } } } } }"""
COMMIT = "mutation CommitArtifact($artifactID: ID!) { commitArtifact(input: {artifactID: $artifactID}) { artifact { id digest } } }"
LINK = """mutation LinkArtifact($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex artifactMembership {
  id versionIndex aliases { alias } artifact { id } artifactCollection { id } } } }"""
MOVE = "mutation AddAliases($input: AddAliasesInput!) { addAliases(input: $input) { success } }"
UNLINK = "mutation UnlinkArtifact($input: UnlinkArtifactInput!) { unlinkArtifact(input: $input) { success } }"
# Where versions come and go: a project of links, and the alias that each version takes when it comes.
SHELVES, MOVING = "shelf", "moving"
PULL = """query ArtifactMembershipByName($entity: String!, $project: String!, $name: String!) {
  project(name: $project, entityName: $entity) { artifactCollectionMembership(name: $name) {
    versionIndex aliases { alias } artifact { id digest state currentManifest { file { directUrl } } }
    files(first: 5000) { totalCount edges { node { name directUrl sizeBytes md5 } } } } } }"""


class Broken(Exception):
    """No whole answer came: the client can't know what became of its request."""


class Refused(Exception):
    """An answer that isn't a success."""

    def __init__(self, status: int, text: str, code: str = ""):
        super().__init__(f"{status} {text[:1000]}")
        self.status = status
        self.code = code


class Client:
    """One connection of one user, for one thread."""

    def __init__(self, url: str, key: str):
        self.address = urllib.parse.urlsplit(url).netloc
        self.authorization = "Basic " + base64.b64encode(f"api:{key}".encode()).decode()
        self.connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def send(self, method: str, target: str, body=None, headers: dict | None = None) -> http.client.HTTPResponse:
        """Sends a request; the answer's head is there when this returns."""
        try:
            self.connection.request(method, target, body, headers or {})
            return self.connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(f"{method} {target.split('?')[0]}: {error!r}") from error

    def read(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        """The answer's body; `Broken` when it ends before its length."""
        try:
            while piece := answer.read(PIECE):
                yield piece
            # http.client takes an early end for the end when it reads by pieces.
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(f"the body of an answer: {error!r}") from error

    def graphql(self, query: str, variables: dict) -> dict:
        """The `data` of a query or mutation that succeeded."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json", "Authorization": self.authorization, "User-Agent": SDK}
        answer = self.send("POST", "/graphql", body, headers)
        text = b"".join(self.read(answer)).decode()
        found = json.loads(text)
        errors = found.get("errors")
        if answer.status != 200 or errors:
            code = errors[0].get("extensions", {}).get("code", "") if errors else ""
            raise Refused(answer.status, text, code)
        return found["data"]

    def target(self, url: str) -> str:
        """A URL that the server handed out, without its address, which must be the server's own."""
        parts = urllib.parse.urlsplit(url)
        assert parts.netloc == self.address, f"{url} is not at {self.address}"
        return f"{parts.path}?{parts.query}"

    def put(self, url: str, size: int, pieces: Iterator[bytes]) -> None:
        """Uploads to a URL that the server handed out: without a key, as the SDK does."""
        answer = self.send("PUT", self.target(url), pieces, {"Content-Length": str(size)})
        text = b"".join(self.read(answer)).decode(errors="replace")
        if answer.status != 200:
            raise Refused(answer.status, text)

    def get(self, url: str) -> Iterator[bytes]:
        """The bytes behind a URL that the server handed out."""
        answer = self.send("GET", self.target(url))
        if answer.status != 200:
            raise Refused(answer.status, b"".join(self.read(answer)).decode(errors="replace"))
        return self.read(answer)

    def pull(self, entity: str, project: str, name: str) -> dict | None:
        """A version's place by `collection:alias`."""
        found = self.graphql(PULL, {"entity": entity, "project": project, "name": name})["project"]
        return found and found["artifactCollectionMembership"]


@dataclass(frozen=True)
class Content:
    """A file's bytes: always the same for the same seed, never all in memory."""

    seed: int
    size: int

    def pieces(self) -> Iterator[bytes]:
        source = random.Random(self.seed)
        block = source.randbytes(min(self.size, 1024 * 1024))
        left, number = self.size, 0
        while left:
            # Numbered, so that the blocks of a large file differ and a mistaken order shows.
            piece = (number.to_bytes(8) + block[8:])[: min(left, len(block))]
            yield piece
            left -= len(piece)
            number += 1

    @cached_property
    def digests(self) -> tuple[str, str]:
        """MD5 in base64 and SHA-256 in hexadecimal."""
        md5, sha256 = hashlib.md5(), hashlib.sha256()
        for piece in self.pieces():
            md5.update(piece)
            sha256.update(piece)
        return base64.b64encode(md5.digest()).decode(), sha256.hexdigest()

    @property
    def md5(self) -> str:
        return self.digests[0]

    @property
    def sha256(self) -> str:
        return self.digests[1]


def sha256(pieces: Iterator[bytes]) -> tuple[str, int]:
    """SHA-256 and number of bytes."""
    hash, size = hashlib.sha256(), 0
    for piece in pieces:
        hash.update(piece)
        size += len(piece)
    return hash.hexdigest(), size


def base64_md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


@dataclass(frozen=True)
class Spec:
    """A version to be logged."""

    entity: str
    project: str
    collection: str
    files: dict[str, Content]
    aliases: tuple[str, ...] = ()

    @cached_property
    def manifest(self) -> bytes:
        """As the SDK writes it."""
        contents = {path: {"digest": content.md5, "size": content.size} for path, content in self.files.items()}
        return json.dumps({
            "version": 1, "storagePolicy": "wandb-storage-policy-v1", "storagePolicyConfig": {"storageLayout": "V2"}, "contents": contents,
        }).encode()

    @cached_property
    def digest(self) -> str:
        """As the SDK computes it."""
        text = "wandb-artifact-manifest-v1\n"
        for path, content in sorted(self.files.items()):
            text += f"{path}:{content.md5}\n"
        return hashlib.md5(text.encode()).hexdigest()


@dataclass
class Publication:
    """One version on its way: which steps were acknowledged, so that a repetition goes on with the interrupted one."""

    spec: Spec
    client_id: str
    link_to: tuple[str, str, str] | None = None
    """Organization, registry and registry collection."""
    link_aliases: tuple[str, ...] = ()
    sent: list[str] | None = None
    """Paths to be sent; all by default. One path for each content is enough."""
    id: str | None = None
    upload_urls: dict[str, str | None] = field(default_factory=dict)
    """By path; none for what the collection holds already."""
    uploaded: set[str] = field(default_factory=set)
    manifest_url: str | None = None
    manifest_uploaded: bool = False
    commit_asked: bool = False
    committed: bool = False
    link_asked: bool = False
    link_index: int | None = None
    shelf: str | None = None
    """A collection of links in the project `SHELVES`, where it takes the alias `MOVING` from whoever was there before."""
    leaves: bool = False
    """Whether it is taken from there at last."""
    shelf_asked: bool = False
    shelf_index: int | None = None
    shelf_id: str = ""
    move_asked: bool = False
    moved: bool = False
    unlink_asked: bool = False
    unlinked: bool = False

    @property
    def step(self) -> str:
        """What comes next: for an interrupted one, what was interrupted."""
        if not self.manifest_uploaded:
            return "upload"
        if not self.committed:
            return "commit"
        if self.link_to and self.link_index is None:
            return "link"
        if self.shelf and self.shelf_index is None:
            return "shelve"
        if self.shelf and not self.moved:
            return "move an alias"
        return "unlink" if self.leaves and not self.unlinked else "nothing"

    def upload(self, client: Client, only: int | None = None) -> None:
        """Everything before the commit; with `only`, no more than so many of the files, and no manifest."""
        spec = self.spec
        if self.id is None:
            aliases = [{"artifactCollectionName": spec.collection, "alias": alias} for alias in ("latest", *spec.aliases)]
            made = client.graphql(CREATE, {"input": {
                "entityName": spec.entity, "projectName": spec.project, "artifactTypeName": "model", "artifactCollectionName": spec.collection,
                "digest": spec.digest, "digestAlgorithm": "MANIFEST_MD5", "aliases": aliases, "enableDigestDeduplication": True,
                "clientID": self.client_id, "sequenceClientID": f"sequence-{self.client_id}",
            }})["createArtifact"]["artifact"]
            assert made["state"] == "PENDING", f"{spec.collection}: new content, but {made}"
            self.id = made["id"]
        if not self.upload_urls:
            self.announce_manifest(client, "")
            sent = self.sent or list(spec.files)
            files = [{"artifactID": self.id, "name": path, "md5": spec.files[path].md5} for path in sent]
            answer = client.graphql(FILES, {"input": {"artifactFiles": files, "storageLayout": "V2"}})["createArtifactFiles"]
            nodes = [edge["node"] for edge in answer["files"]["edges"]]
            assert [node["name"] for node in nodes] == sent
            self.upload_urls = {node["name"]: node["uploadUrl"] for node in nodes}
        for path, url in list(self.upload_urls.items())[:only]:
            if path not in self.uploaded:
                if url:
                    content = spec.files[path]
                    client.put(url, content.size, content.pieces())
                self.uploaded.add(path)
        if only is not None:
            return
        if self.manifest_url is None:
            self.manifest_url = self.announce_manifest(client, base64_md5(spec.manifest))
        if not self.manifest_uploaded:
            client.put(self.manifest_url, len(spec.manifest), iter([spec.manifest]))
            self.manifest_uploaded = True

    def announce_manifest(self, client: Client, digest: str) -> str | None:
        answer = client.graphql(MANIFEST, {"input": {
            "artifactID": self.id, "name": "wandb_manifest.json", "digest": digest, "entityName": self.spec.entity,
            "projectName": self.spec.project, "runName": "", "type": "FULL",
        }})
        return answer["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"]

    def commit(self, client: Client) -> None:
        if not self.committed:
            self.commit_asked = True
            answer = client.graphql(COMMIT, {"artifactID": self.id})
            assert answer["commitArtifact"]["artifact"] == {"id": self.id, "digest": self.spec.digest}
            self.committed = True

    def link(self, client: Client) -> None:
        if self.link_to and self.link_index is None:
            organization, registry, collection = self.link_to
            aliases = [{"artifactCollectionName": collection, "alias": alias} for alias in self.link_aliases]
            self.link_asked = True
            answer = client.graphql(LINK, {"input": {
                "artifactID": self.id, "entityName": organization, "projectName": f"wandb-registry-{registry}",
                "artifactPortfolioName": collection, "aliases": aliases,
            }})
            self.link_index = answer["linkArtifact"]["versionIndex"]

    def visit(self, client: Client) -> None:
        """To its shelf, and away from it."""
        if self.shelf and self.shelf_index is None:
            self.shelf_asked = True
            answer = client.graphql(LINK, {"input": {
                "artifactID": self.id, "entityName": self.spec.entity, "projectName": SHELVES, "artifactPortfolioName": self.shelf, "aliases": [],
            }})["linkArtifact"]
            self.shelf_index, self.shelf_id = answer["versionIndex"], answer["artifactMembership"]["artifactCollection"]["id"]
        if self.shelf and not self.moved:
            self.move_asked = True
            client.graphql(MOVE, {"input": {"artifactID": self.id, "aliases": [{
                "entityName": self.spec.entity, "projectName": SHELVES, "artifactCollectionName": self.shelf, "alias": MOVING,
            }]}})
            self.moved = True
        if self.leaves and not self.unlinked:
            again, self.unlink_asked = self.unlink_asked, True
            try:
                client.graphql(UNLINK, {"input": {"artifactID": self.id, "artifactPortfolioID": self.shelf_id}})
            except Refused as refused:
                # It was done, and the answer was lost.
                if not (again and refused.status == 404):
                    raise
            self.unlinked = True

    def publish(self, client: Client) -> None:
        """All steps that aren't acknowledged yet."""
        self.upload(client)
        self.commit(client)
        self.link(client)
        self.visit(client)
