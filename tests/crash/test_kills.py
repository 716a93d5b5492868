"""`kill -9` of the server, of its PostgreSQL and of both, while clients publish.

After the restart every acknowledged version downloads with the right bytes, every acknowledged link and alias stands,
nothing half-made is visible, and whoever repeats an interrupted request gets one version (rules 26 to 31, 40).

REGALIA_TEST_KILLS: rounds of each kind, 1 by default. REGALIA_TEST_SEED: the seed of a run to be repeated.
"""

import os
import random
import signal
import time
from collections import Counter

import pytest

from load import COMMON, ENTITY, PROJECT, Ledger, Load, insist
from processes import Server
from verify import Verifier
from wire import Client, Content, Publication, Spec

ROUNDS = int(os.environ.get("REGALIA_TEST_KILLS", "1"))
SEED = int(os.environ.get("REGALIA_TEST_SEED") or random.SystemRandom().getrandbits(32))


def kill_server(server: Server, rng: random.Random) -> None:
    server.kill()


def kill_postgres(server: Server, rng: random.Random) -> None:
    """The server has lost its database, so it must end by itself, and not as if all were well."""
    os.kill(server.postmaster(), signal.SIGKILL)
    status = server.process.wait(60)
    assert status > 0, f"its PostgreSQL was killed, and the server ended with {status}"
    assert "PostgreSQL has ended" in server.log()


def kill_both(server: Server, rng: random.Random) -> None:
    pids = [server.postmaster(), server.process.pid]
    rng.shuffle(pids)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    server.process.wait()


def kill_backend(server: Server, rng: random.Random) -> None:
    """PostgreSQL ends all connections and recovers; the server stays, and says "try again" until then."""
    os.kill(rng.choice(server.backends()), signal.SIGKILL)
    time.sleep(rng.uniform(0.5, 1.5))
    server.await_ready()


def park(ledger: Ledger, client: Client, rng: random.Random, number: int) -> list[Publication]:
    """Two versions that are begun and left alone: of one everything is uploaded, of the other one file of two."""
    parked = []
    for only, collection in ((None, COMMON), (1, f"parked-{number}")):
        files = {"a.bin": Content(rng.getrandbits(63), 50_000), "b.bin": Content(rng.getrandbits(63), 70_000)}
        publication = Publication(Spec(ENTITY, PROJECT, collection, files, (f"parked-{number}",)), f"parked-{number}-{collection}")
        with ledger.lock:
            ledger.publications.append(publication)
        publication.upload(client, only)
        parked.append(publication)
    return parked


@pytest.mark.parametrize("kill", [kill_server, kill_postgres, kill_both, kill_backend])
def test_kill(server, kill):
    print(f"\n{kill.__name__}: REGALIA_TEST_SEED={SEED} REGALIA_TEST_KILLS={ROUNDS}")
    rng = random.Random(f"{SEED} {kill.__name__}")
    keys = server.people()
    ledger = Ledger()
    verifier = Verifier(server.url, keys, ledger)
    for number in range(ROUNDS):
        with Client(server.url, keys["alice"]) as client:
            parked = park(ledger, client, rng, number)
        begun = len(ledger.publications)
        load = Load(server.url, keys["alice"], ledger, rng)
        try:
            moment = load.await_moment(rng)
            kill(server, rng)
        finally:
            # Whatever happened: no client goes on when this is left.
            load.stop()
        assert not ledger.failures, ledger.failures
        if kill is kill_backend:
            assert not load.broken and not ledger.interrupted, f"the server broke connections off: {load.broken}"
        else:
            assert ledger.interrupted, "nothing was under way"
            time.sleep(rng.choice([0, 0, rng.uniform(0, 1)]))
            server.start()
        verifier.check()

        interrupted = Counter(publication.step for publication in ledger.interrupted)
        # The same clients go on with the request that was interrupted, by the URLs and ids that they have.
        with Client(server.url, keys["alice"]) as client:
            for publication in parked:
                # Acknowledged, but its sender may not know: the same bytes again are fine until the commit (rule 40).
                content = publication.spec.files["a.bin"]
                client.put(publication.upload_urls["a.bin"], content.size, content.pieces())
            for publication in [*parked, *ledger.interrupted]:
                insist(ledger, publication.publish, client)
        ledger.interrupted.clear()
        verifier.check(everything=number == ROUNDS - 1)
        made = ledger.publications[begun:]
        print(
            f"round {number}: {moment}; {sum(p.committed for p in made)} versions and {sum(p.link_index is not None for p in made)} links; "
            f"interrupted and repeated: {dict(interrupted)}; told to try again so far: {ledger.unavailable}"
        )
