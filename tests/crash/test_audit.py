"""The history is proved by `regalia audit`, whatever is done to the database behind the server's back, and its chain has neither a
gap nor a fork when the server that seals it is killed.

What must not live here: who may read which event (crates/testkit/tests/doors/audit.rs).
"""

import concurrent.futures
import glob
import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from processes import TOP, Server, binary
from wire import Client, Content, Publication, Spec

# The lock under which servers seal (crates/store/src/chain.rs).
LOCK = int.from_bytes(b"REGALIA", "big")
# As a person would type it, many at once.
MOVE = 'm%d: linkUpdate(input: { link: "%s", addAliases: ["%s"] }) { link { index } } '
AT = """query($time: DateTime!) { collection(path: "acme/wandb-registry-model/Line") { id
  aliasAt(name: "production", time: $time) { from until setBy link { index } } } }"""
HISTORY = """query($after: String) { collection(path: "acme/wandb-registry-model/Line") {
  aliasHistory(name: "production", first: 1000, after: $after) { nodes { from until setBy link { index } } pageInfo { endCursor hasNextPage } } } }"""
LINKS = """{ collection(path: "acme/wandb-registry-model/Line") { links(order: INDEX_ASCENDING) { nodes { id } } } }"""
RESTORE = """mutation($input: AliasRestoreInput!) { aliasRestore(input: $input) { period { from setBy link { index } } } }"""


def socket_directory(server: Server) -> str:
    return (server.directory / "data/postgres/data/postmaster.pid").read_text().splitlines()[4]


def program() -> str:
    found = shutil.which("psql") or next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"), reverse=True)), None)
    assert found, "psql is missing: sudo apt-get install -y postgresql-client"
    return found


def psql(server: Server, statement: str) -> str:
    """Somebody with all rights on the database."""
    command = [program(), "--no-psqlrc", "-qAt", "--set=ON_ERROR_STOP=1", "-h", socket_directory(server), "-U", "postgres", "-c", statement, "regalia"]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout.strip()


def audit(server: Server, *arguments, code: int = 0) -> str:
    """`regalia audit …` on the server's data directory; what it printed."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(server.directory)}
    done = subprocess.run(
        [binary(), "audit", *map(str, arguments)], env=environment | {"REGALIA_DATA_DIR": str(server.directory / "data")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=server.directory, timeout=120,
    )
    assert done.returncode == code, f"regalia audit {arguments} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def acme(text: str) -> str:
    """What is said of the organization; everything else must hold."""
    (line,) = [line for line in text.splitlines() if '"acme"' in line]
    assert all(other.startswith("ok ") for other in text.splitlines() if other != line), text
    return line


def publish(server: Server, key: str) -> list[str]:
    """Two versions, linked into one collection; the links' ids."""
    with Client(server.url, key) as alice:
        for number in range(2):
            spec = Spec("vision", "demo", "net", {"weights": Content(number, 100)})
            publication = Publication(spec, f"client{number}", link_to=("acme", "model", "Line"))
            publication.publish(alice)
        nodes = alice.graphql(LINKS, {})["collection"]["links"]["nodes"]
    assert len(nodes) == 2
    return [node["id"] for node in nodes]


def sealed(server: Server) -> None:
    """Waits until a server has sealed what there is: within a second, on a machine that has time."""
    deadline = time.monotonic() + 20
    while psql(server, "select count(*) from audit_events where position is null") != "0":
        assert time.monotonic() < deadline, "events weren't sealed"
        time.sleep(0.1)


def stuck(server: Server) -> None:
    """Waits until a server complains that a chain can't be sealed."""
    deadline = time.monotonic() + 60
    while "something stands in a chain behind its end" not in server.log():
        assert time.monotonic() < deadline, "the server says nothing"
        time.sleep(0.5)


def rehash(events: list[dict]) -> None:
    """What a forger would do: positions and hashes anew."""
    fields = "position id at organization actor request kind subject project collection before after".split()
    previous = bytes(32)
    for position, event in enumerate(events, 1):
        event["position"] = position
        values = [None if event[field] is None else str(event[field]).encode() for field in fields]
        previous = hashlib.sha256(previous + b"".join(b"-" if value is None else b"%d:%s" % (len(value), value) for value in values)).digest()
        event["hash"] = previous.hex()


def swap(events: list[dict], at: int) -> None:
    """Two neighbors change places and positions; each keeps its own hash."""
    one, other = events[at:at + 2]
    one["position"], other["position"] = other["position"], one["position"]
    events[at:at + 2] = other, one


def ends(server: Server) -> dict[int, tuple[int, str]]:
    """Where each chain ends in the database: position and hash."""
    rows = psql(server, "select id, position, encode(hash, 'hex') from audit_chains").splitlines()
    return {int(id): (int(position), hash) for id, position, hash in (row.split("|") for row in rows)}


def checkpoints(file: Path) -> dict[int, tuple[int, str]]:
    """Where each chain ended when this was last written down."""
    lines = map(json.loads, file.read_text().splitlines())
    return {line["organization"] or 0: (line["position"], line["hash"]) for line in lines}


def test_an_event_is_sealed_within_a_second(server):
    keys = server.people()
    places = publish(server, keys["alice"])
    sealed(server)
    seconds = []
    with Client(server.url, keys["alice"]) as alice:
        for turn in range(5):
            alice.graphql("mutation { " + MOVE % (0, places[turn % 2], "production") + "}", {})
            sealed(server)
            # The last event of its chain, so its chain was sealed with it and not again.
            seconds.append(float(psql(
                server, "select extract(epoch from c.sealed_at - e.at) from audit_events e join audit_chains c on c.id = e.organization_id "
                "and c.position = e.position where e.kind = 'alias.set' order by e.id desc limit 1")))
    assert sorted(seconds)[2] <= 1, f"from each event to its sealing: {seconds} s"


def test_production_on_that_date_and_every_forgery_is_named(server):
    keys = server.people()
    places = publish(server, keys["alice"])
    with Client(server.url, keys["alice"]) as alice:
        # A thousand changes; the last of each batch is remembered with the time after it.
        remembered = []
        for batch in range(25):
            moves = "".join(MOVE % (n, places[(batch + n) % 2], "production") for n in range(40))
            alice.graphql(f"mutation {{ {moves} }}", {})
            remembered.append((psql(server, "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"), (batch + 39) % 2))
        for at, index in remembered:
            found = alice.graphql(AT, {"time": at})["collection"]
            assert found["aliasAt"]["link"]["index"] == index and found["aliasAt"]["setBy"] == "alice"
        periods, after = [], None
        while True:
            page = alice.graphql(HISTORY, {"after": after})["collection"]["aliasHistory"]
            periods += page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]
        assert len(periods) >= 976
        assert all(older["until"] == newer["from"] for newer, older in itertools.pairwise(periods))
        at, index = remembered[4]
        back = alice.graphql(RESTORE, {"input": {"collection": found["id"], "alias": "production", "at": at}})
        assert back["aliasRestore"]["period"]["link"]["index"] == index

    # As it is: it holds, and a stranger's program says so too.
    sealed(server)
    whole = audit(server, "verify")
    assert acme(whole).startswith('ok    the organization "acme"'), whole
    events = server.directory / "events.jsonl"
    events.write_text(audit(server, "export"))
    points = server.directory / "data/audit/checkpoints.jsonl"
    assert acme(audit(server, "verify", "--file", events)) and acme(audit(server, "verify", "--file", events, "--checkpoints", points))
    stranger = re.search(r"```python\n(.*?)```", (TOP / "docs/audit.md").read_text(), re.S)[1]
    (server.directory / "stranger.py").write_text(stranger)

    def strange(*arguments):
        return subprocess.run([sys.executable, server.directory / "stranger.py", *arguments], capture_output=True, text=True)

    said = strange(events, points)
    assert said.returncode == 0 and said.stdout.startswith("holds: "), said
    only = audit(server, "export", "--organization", "acme").splitlines()
    lines = events.read_text().splitlines()
    organization = json.loads(only[0])["organization"]
    assert only == [line for line in lines if json.loads(line)["organization"] == organization] and len(only) > 990
    assert audit(server, "export", "--organization", "nobody", code=1) == ""

    # The server stops, so that the last checkpoint is at the chain's end; the database is opened by the command itself.
    assert server.terminate() == 0
    last = [json.loads(line) for line in points.read_text().splitlines() if json.loads(line)["organization"] == organization][-1]
    assert (last["position"], last["hash"]) == (len(only), json.loads(only[-1])["hash"])
    whole = acme(audit(server, "verify"))
    assert whole.startswith("ok ") and " 0 checkpoints" not in whole, whole
    # Without the file it says so; with half a line, which a crash leaves, the others count.
    aside = points.rename(points.with_suffix(".aside"))
    assert f"There are no checkpoints in {points}" in audit(server, "verify")
    points.write_text(aside.read_text() + '{"organization"')
    assert acme(audit(server, "verify")) == whole
    said = strange(events, points)
    assert said.returncode == 0, said
    aside.rename(points)
    server.start()

    # The file, line by line: what a forger may do to it.
    def forged(change) -> str:
        some = [json.loads(line) for line in only]
        change(some)
        forged = server.directory / "forged.jsonl"
        forged.write_text("".join(json.dumps(event) + "\n" for event in some))
        said = strange(forged, points)
        assert said.returncode == 1 and f"chain {organization}: " in said.stderr, said
        return acme(audit(server, "verify", "--file", forged, "--checkpoints", points, code=1))

    assert "at position 500 isn't what was sealed there" in forged(lambda some: some[499].update(actor=1))
    assert "the event at position 500 was removed" in forged(lambda some: some.pop(499))
    assert "position 501 isn't the one that follows" in forged(lambda some: some.insert(501, some[500]))
    # Two events swapped: their lines alone, and with each other's positions.
    assert "the event at position 500 was removed" in forged(lambda some: some.insert(499, some.pop(500)))
    assert "at position 500 isn't what was sealed there" in forged(lambda some: swap(some, 499))
    assert f"the event at position {len(only)} was removed from the chain's end" in forged(lambda some: some.pop())
    others = server.directory / "others.jsonl"
    others.write_text("".join(line + "\n" for line in lines if line not in only))
    said = audit(server, "verify", "--file", others, "--checkpoints", points, code=1)
    assert f"BAD   the organization {organization}: the events at positions 1 to {len(only)} were removed" in said, said
    said = strange(others, points)
    assert said.returncode == 1 and f"chain {organization}: " in said.stderr, said
    audit(server, "verify", "--checkpoints", server.directory / "nowhere", code=1)

    # The database, by psql. Each time it is put back as it was.
    where = f"organization_id = {organization} and position"
    event = json.loads(only[699])
    psql(server, f"create table kept as select * from audit_events where {where} = 700")
    psql(server, f"update audit_events set actor_id = actor_id + 1 where {where} = 700")
    said = acme(audit(server, "verify", code=1))
    assert f"event {event['id']} (" in said and "at position 700 isn't what was sealed there" in said, said
    psql(server, f"delete from audit_events where {where} = 700")
    said = acme(audit(server, "verify", code=1))
    assert "the event at position 700 was removed" in said, said
    psql(server, "insert into audit_events overriding system value select * from kept")
    assert acme(audit(server, "verify")).startswith("ok ")

    # Two events in another order: 700 and 701 swap their positions, and get them back.
    swapped = "; ".join(f"update audit_events set position = {to} where {where} = {of}" for of, to in ((700, 999_999), (701, 700), (999_999, 701)))
    psql(server, swapped)
    said = acme(audit(server, "verify", code=1))
    assert "at position 700 isn't what was sealed there" in said, said
    psql(server, swapped)
    assert acme(audit(server, "verify")).startswith("ok ")

    # Where the chain ends, as it is kept beside the events.
    psql(server, f"create table kept_end as select * from audit_chains where id = {organization}")
    psql(server, f"update audit_chains set position = 700, hash = decode('{event['hash']}', 'hex') where id = {organization}")
    said = acme(audit(server, "verify", code=1))
    assert f"its end is kept as position 700, and by the checkpoints its events hold up to position {len(only)}" in said, said
    psql(server, f"delete from audit_chains where id = {organization}")
    said = acme(audit(server, "verify", code=1))
    assert f"its end isn't kept any more, and its events hold up to position {len(only)}" in said, said
    psql(server, "insert into audit_chains select * from kept_end")
    assert acme(audit(server, "verify")).startswith("ok ")

    # Put behind the chain: with a position, and without one while no server is there to seal it.
    psql(server, f"insert into audit_events (organization_id, request_id, kind, subject, position, hash) values ({organization}, gen_random_uuid(), "
         f"'team.created', 'Team:1', {len(only) + 1}, decode(repeat('00', 32), 'hex'))")
    said = acme(audit(server, "verify", code=1))
    assert f"was added behind the chain's end, at position {len(only) + 1}" in said, said
    # That chain waits, and the server says so; the others don't.
    psql(server, f"insert into audit_events (organization_id, request_id, kind, subject) values ({organization}, gen_random_uuid(), 'team.created', 'Team:1')")
    stuck(server)
    psql(server, f"delete from audit_events where organization_id = {organization} and position is null")
    psql(server, "insert into audit_events (request_id, kind, subject) values (gen_random_uuid(), 'user.created', 'User:0')")
    sealed(server)
    psql(server, "delete from audit_events where subject = 'Team:1'")
    last_event = psql(server, f"delete from audit_events where {where} = {len(only)} returning id")
    said = acme(audit(server, "verify", code=1))
    assert last_event and f"the event at position {len(only)} was removed from the chain's end" in said, said

    # All of it anew, with somebody else as the one who did something, and its end too. The chain holds; the checkpoints know
    # better.
    some = [json.loads(line) for line in only]
    some[300]["actor"] = 1
    rehash(some)
    psql(server, f"delete from audit_events where organization_id = {organization}")
    columns = {
        "id": "bigint", "at": "timestamptz", "organization": "bigint", "actor": "bigint", "request": "uuid", "kind": "text", "subject": "text",
        "project": "bigint", "collection": "bigint", "before": "text", "after": "text", "position": "bigint", "hash": "text",
    }
    forged = server.directory / "rows.json"
    forged.write_text(json.dumps(some))
    forged.chmod(0o644)
    as_rows = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    psql(server, "insert into audit_events (id, at, organization_id, actor_id, request_id, kind, subject, project_id, collection_id, before, after, position, hash) "
         'overriding system value select id, at, organization, actor, request, kind, subject, project, collection, "before"::jsonb, "after"::jsonb, position, '
         f"decode(hash, 'hex') from json_to_recordset(pg_read_file('{forged}')::json) as row ({as_rows})")
    psql(server, f"update audit_chains set position = {len(some)}, hash = decode('{some[-1]['hash']}', 'hex') where id = {organization}")
    (server.directory / "none").write_text("")
    assert acme(audit(server, "verify", "--checkpoints", server.directory / "none")).startswith("ok "), "no checkpoints, no proof"
    said = acme(audit(server, "verify", code=1))
    assert "the chain was rewritten at or before position" in said and "has another hash there" in said, said


def test_an_event_that_a_sealer_would_have_sealed_is_named(server):
    server.people()
    sealed(server)
    # While somebody keeps the servers from sealing, an event comes in whose time has long passed.
    lock = ["-c", f"select pg_advisory_lock({LOCK}), pg_sleep(20)", "regalia"]
    holder = subprocess.Popen([program(), "-h", socket_directory(server), "-U", "postgres", *lock], stdout=subprocess.DEVNULL, cwd="/")
    time.sleep(1)
    psql(server, "insert into audit_events (at, organization_id, request_id, kind, subject) "
         "select now() - interval '1 hour', id, gen_random_uuid(), 'team.created', 'Team:1' from entities where name = 'acme'")
    said = acme(audit(server, "verify", code=1).rsplit("\n1 events aren't sealed yet", 1)[0])
    assert "(team.created of Team:1, " in said and "was added behind the chain: it isn't sealed" in said, said
    assert "or it was written just before a server was killed" in said, said
    # While events go on being sealed, another is the first each time, and none of them is accused.
    columns = "at, organization_id, request_id, kind, subject"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        verified = pool.submit(audit, server, "verify")
        while not verified.done():
            psql(server, f"with gone as (delete from audit_events where subject = 'Team:1' returning {columns}) "
                 f"insert into audit_events ({columns}) select {columns} from gone")
            time.sleep(0.3)
        assert "\n1 events aren't sealed yet" in verified.result()
    assert holder.wait(60) == 0
    sealed(server)
    assert acme(audit(server, "verify")).startswith("ok "), "sealed by now: it stands at the end, with its old time"
    # No transaction takes a day.
    psql(server, "insert into audit_events (at, organization_id, request_id, kind, subject) "
         "select now() - interval '25 hours', id, gen_random_uuid(), 'team.created', 'Team:2' from entities where name = 'acme'")
    sealed(server)
    said = audit(server, "verify", code=1)
    assert "(team.created of Team:2, " in said and "says that it is over a day older than what was sealed before it" in said, said
    # A chain of an organization that never was.
    psql(server, "insert into audit_events (organization_id, request_id, kind, subject) values (999999, gen_random_uuid(), 'team.created', 'Team:3')")
    sealed(server)
    said = audit(server, "verify", code=1)
    assert "BAD   the organization 999999: no event tells that this organization was made" in said, said


def test_kill_9_of_a_sealing_server_leaves_neither_gap_nor_fork(server):
    keys = server.people()
    places = publish(server, keys["alice"])
    directory = server.directory / "second"
    directory.mkdir()
    second = Server(directory, f"postgres:///regalia?host={socket_directory(server)}&user=postgres")
    second.admin_key = server.admin_key
    stop, errors = threading.Event(), []

    def write(number: int) -> None:
        try:
            with Client(server.url, keys["alice"]) as alice:
                for turn in itertools.count():
                    if stop.is_set():
                        return
                    alice.graphql("mutation { " + MOVE % (0, places[turn % 2], f"a{number}") + "}", {})
        except Exception as error:  # The main thread tells.
            errors.append(error)

    writers = [threading.Thread(target=write, args=[number]) for number in range(4)]
    try:
        for writer in writers:
            writer.start()
        for _ in range(int(os.environ.get("REGALIA_TEST_KILLS", "1")) + 1):
            second.start()
            time.sleep(1.5)
            second.kill()
            time.sleep(0.5)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
        second.clear()
    assert not errors, errors
    sealed(server)
    said = audit(server, "verify")
    assert acme(said).startswith("ok ")
    # Both have written checkpoints, each at once when it started; those of either agree.
    theirs = second.directory / "data/audit/checkpoints.jsonl"
    assert theirs.exists() and checkpoints(theirs).keys() == ends(server).keys()
    assert acme(audit(server, "verify", "--checkpoints", theirs)).startswith("ok ")
    # And the one with the database, in the middle of it.
    with Client(server.url, keys["alice"]) as alice:
        alice.graphql("mutation { " + "".join(MOVE % (n, places[n % 2], f"b{n % 3}") for n in range(40)) + "}", {})
    server.kill()
    server.clear()
    # As if it had had no time to write down what it sealed: that is written when it starts again, of each chain.
    points = server.directory / "data/audit/checkpoints.jsonl"
    points.write_text(points.read_text().splitlines(keepends=True)[0])
    server.start()
    sealed(server)
    total = int(psql(server, "select count(*) from audit_events"))
    reports = json.loads(audit(server, "verify", "--json"))
    assert reports["ok"] and reports["unsealed"] == 0 and sum(chain["events"] for chain in reports["chains"]) == total
    last = ends(server)
    assert server.terminate() == 0
    assert len(last) > 1 and checkpoints(points) == last
