"""SIGTERM under load: what is under way is finished, then PostgreSQL is stopped, and the status is 0."""

import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from load import ENTITY, PROJECT, Ledger, Load, insist
from processes import working_in
from verify import Verifier
from wire import Client, Content, Publication, Spec, sha256

# A request that was sent so long before the signal has reached the server; one sent later may meet a closing connection.
ARRIVED = 0.25


class Slow(threading.Thread):
    """A request that takes its time, on a connection of its own."""

    def __init__(self, client: Client, request: Callable[[Client, threading.Event], None]):
        super().__init__()
        self.client, self.request = client, request
        self.under_way = threading.Event()
        self.outcome: BaseException | str = "never began"
        self.ended = 0.0
        self.start()

    def run(self) -> None:
        with self.client:
            try:
                self.request(self.client, self.under_way)
                self.outcome = "done"
            except BaseException as error:
                self.outcome = error
            self.ended = time.monotonic()


def slowly(pieces: Iterator[bytes], seconds: float, under_way: threading.Event) -> Iterator[bytes]:
    """The same bytes in pieces of 64 KiB, of which the first few are enough to be under way."""
    for number, piece in enumerate(piece[at:at + 65536] for piece in pieces for at in range(0, len(piece), 65536)):
        yield piece
        if number == 2:
            under_way.set()
        time.sleep(seconds)


def test_sigterm_under_load(server):
    rng = random.Random()
    keys = server.people()
    ledger = Ledger()

    def publication(name: str, files: dict[str, Content]) -> Publication:
        made = Publication(Spec(ENTITY, PROJECT, name, files), name)
        ledger.publications.append(made)
        return made

    # More than the sockets' buffers hold, so that the server can't have sent it all at once.
    large = Content(rng.getrandbits(63), 32 * 1024 * 1024)
    stored = publication("stored", {"large.bin": large})
    uploaded = publication("uploaded", {"slow.bin": Content(rng.getrandbits(63), 3 * 1024 * 1024)})
    # Many paths of the same bytes: a commit that takes a while.
    same = Content(rng.getrandbits(63), 1000)
    wide = Publication(Spec(ENTITY, PROJECT, "wide", {str(number): same for number in range(20_000)}), "wide", sent=["0"])
    with Client(server.url, keys["alice"]) as alice:
        stored.publish(alice)
        (edge,) = alice.pull(ENTITY, PROJECT, "stored:latest")["files"]["edges"]
        uploaded.upload(alice, only=0)
        wide.upload(alice)

    def download(client: Client, under_way: threading.Event) -> None:
        assert sha256(slowly(client.get(edge["node"]["directUrl"]), 0.005, under_way)) == (large.sha256, large.size)

    def upload(client: Client, under_way: threading.Event) -> None:
        content = uploaded.spec.files["slow.bin"]
        client.put(uploaded.upload_urls["slow.bin"], content.size, slowly(content.pieces(), 0.08, under_way))
        uploaded.uploaded.add("slow.bin")

    def commit(client: Client, under_way: threading.Event) -> None:
        threading.Timer(ARRIVED, under_way.set).start()
        wide.commit(client)

    load = Load(server.url, keys["alice"], ledger, rng)
    slow = []
    try:
        time.sleep(1)
        slow = [Slow(Client(server.url, keys["alice"]), request) for request in (download, upload, commit)]
        for thread in slow:
            assert thread.under_way.wait(60)
        signalled = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert any(thread.is_alive() for thread in slow[:2]), "the slow requests were too fast to show anything"
        assert server.running()
        with socket.socket() as late, pytest.raises(ConnectionRefusedError):
            late.connect(("127.0.0.1", server.port))
        status = server.process.wait(60)
        ended = time.monotonic()
    finally:
        load.stop()
        for thread in slow:
            thread.join(60)
    assert status == 0
    assert [thread.outcome for thread in slow] == ["done"] * 3
    assert not working_in(server.directory)
    assert "database system is shut down" in server.postgres_log().splitlines()[-1]
    broken = [(kind, signalled - begun) for kind, begun, _ in load.broken if begun < signalled - ARRIVED]
    assert not broken, f"requests under way were broken off: {broken}"
    assert ended - max(thread.ended for thread in slow) < 5, "the server went on long after the last request"
    print(f"\nSIGTERM: {len(load.broken)} clients lost their connection between two requests, the last slow request took "
          f"{max(thread.ended for thread in slow) - signalled:.1f} s more, the server ended {ended - signalled:.1f} s after the signal")

    server.start()
    verifier = Verifier(server.url, keys, ledger)
    verifier.check()
    with Client(server.url, keys["alice"]) as alice:
        for interrupted in [uploaded, *ledger.interrupted]:
            insist(ledger, interrupted.publish, alice)
        found = alice.pull(ENTITY, PROJECT, "wide:latest")
        assert (found["artifact"]["id"], found["files"]["totalCount"]) == (wide.id, 20_000)
    verifier.check(everything=True)
