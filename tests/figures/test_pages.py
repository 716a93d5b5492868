"""Pages over 200 registries, 10,000 collections and 200,000 versions: how many statements, how much PostgreSQL, how much memory.

PostgreSQL's time is what its executor measures for the statements of a request; planning, which a server does a few times for each
statement and connection, is not in it.
"""

import json
import os
import statistics
import subprocess
import time

from conftest import psql
from processes import Server, binary
from wire import Client

TIMES = 15
# Each connection plans a statement five times before it keeps a plan, and a server has ten of them.
TIMES_ANSWERED = 300
SIZES = {"registries": 200, "collections": 10_000, "versions": 200_000}

COLLECTIONS = """query { registry(organization: "demo", name: "vision-000") { collections(first: 50) {
  nodes { name typeName tags latest { index aliases version { digest } } } } } }"""
VERSIONS = """query { registry(organization: "demo", name: "vision-000") { collection(name: "Model 00000") { links(first: 50) {
  nodes { index aliases createdAt version { digest metadata } } } } } }"""
SDK_VERSIONS = """query { project(entityName: "demo", name: "wandb-registry-vision-000") { artifactType(name: "model") {
  artifactCollection(name: "Model 00000") { artifacts(filters: "{\\"state\\":\\"COMMITTED\\"}", first: 50) { pageInfo { endCursor hasNextPage }
  edges { version node { id digest metadata tags { name } aliases { alias artifactCollection { name } } artifactSequence { name } } } } } } } }"""
EVERYWHERE = """query { organization(name: "demo") { orgEntity { artifactCollections(first: 50, collectionTypes: [PORTFOLIO]) {
  edges { node { id name tags { edges { node { name } } } project { name } } } } } } }"""
ADDRESS = """query { project(entityName: "demo", name: "wandb-registry-vision-000") { artifactCollectionMembership(name: "Model 00000:production") {
  versionIndex artifact { id digest state } } } }"""

# Name, document, a text that each row of the answer has and how often, most statements, most milliseconds of PostgreSQL.
PAGES = [
    ("a page of 50 collections of a registry", COLLECTIONS, '"typeName"', 50, 8, 50),
    ("a page of 50 versions of 10,019", VERSIONS, '"createdAt"', 50, 9, 50),
    ("a page of 50 versions, as the SDK asks", SDK_VERSIONS, '"metadata"', 50, 17, 50),
    ("a page of 50 collections of all registries", EVERYWHERE, '"id"', 50, 7, 50),
    ("an address with the right to it", ADDRESS, '"versionIndex"', 1, 2, 10),
]


def load(server: Server) -> str:
    """`regalia demo-data` into the server's database; returns what it wrote to standard error."""
    sizes = [f"--{name}={number}" for name, number in SIZES.items()]
    environment = {"PATH": os.environ["PATH"], "HOME": str(server.directory)}
    if server.database_url:
        environment["DATABASE_URL"] = server.database_url
    done = subprocess.run(
        [binary(), "demo-data", "--data-dir", server.directory / "data", *sizes], env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    assert "200000 versions" in done.stdout
    return done.stderr


def plans(log: str) -> list[tuple[str, float]]:
    """What auto_explain told in a part of the server's log: statements of ours by name, with milliseconds."""
    found = []
    for line in log.splitlines():
        message = json.loads(line).get("message", "")
        if message.startswith("duration: "):
            text = json.loads(message[message.index("{"):])["Query Text"]
            # What the chain's sealer does beside them belongs to no page.
            if text.startswith("-- ") and not text.startswith("-- chain::"):
                found.append((text.split()[1], float(message.split()[1])))
    return found


def log(server: Server) -> bytes:
    """The whole lines of the log; the sealer may be writing one more."""
    return (server.directory / "log").read_bytes().rpartition(b"\n")[0] + b"\n"


def test_pages_of_demo_data(server_on_database, figure):
    server = server_on_database
    began = time.monotonic()
    load(server)
    figure("200,000 versions loaded", time.monotonic() - began, "s", 600)
    key = server.admin("key", "create", "--user", "alice")["key"]

    with Client(server.url, key) as alice:
        for name, document, row, rows, _, _ in PAGES:
            seconds = []
            for _ in range(TIMES_ANSWERED):
                began = time.monotonic()
                answer = alice.graphql(document, {})
                seconds.append(time.monotonic() - began)
                assert json.dumps(answer).count(row) >= rows, name
            figure(f"{name}, answered", statistics.median(seconds) * 1000, "ms", 500)
    figure("memory after these pages", server.memory("VmRSS") / 1_000_000, "MB", 60)

    # The same under PostgreSQL's eyes: its settings are those of new connections.
    database = server.database_url.split("?")[0].rpartition("/")[2]
    settings = {"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0", "auto_explain.log_format": "json", "auto_explain.log_level": "notice"}
    for setting, value in settings.items():
        psql(server.database_url, f"ALTER DATABASE {database} SET {setting} = '{value}'")
    assert server.terminate() == 0
    server.start()
    with Client(server.url, key) as alice:
        for name, document, _, _, most, milliseconds in PAGES:
            taken = []
            for _ in range(TIMES):
                begin = len(log(server))
                alice.graphql(document, {})
                # The log's last line may be on its way.
                time.sleep(0.05)
                taken.append(plans(log(server)[begin:].decode()))
            names = {tuple(sorted(name for name, _ in each)) for each in taken[1:]}
            assert len(names) == 1, f"{name} takes now these statements, now those: {names}"
            figure(f"{name}, statements", len(taken[-1]), "", most)
            figure(f"{name}, PostgreSQL", statistics.median(sum(ms for _, ms in each) for each in taken[1:]), "ms", milliseconds)
