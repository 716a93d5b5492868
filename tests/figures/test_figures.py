"""The figures that are promised, of a release build: memory of the server process alone, and times.

MB is 1,000,000 bytes.
"""

import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from wire import Client, Content, Publication, Spec, sha256

MB = 1_000_000
ENTITY, PROJECT = "vision", "demo"
# As many uploads at once as the SDK sends by default.
AT_ONCE = 16


def publication(name: str, files: dict[str, Content], **fields) -> Publication:
    return Publication(Spec(ENTITY, PROJECT, name, files), str(uuid.uuid4()), **fields)


def test_idle_memory(server, figure):
    time.sleep(2)
    figure("idle memory after the start", server.memory("VmRSS") / MB, "MB", 40)
    keys = server.people()
    with Client(server.url, keys["alice"]) as alice:
        for number in range(10):
            made = publication("net", {"model.bin": Content(number, 100_000)}, link_to=("acme", "model", "Net"), link_aliases=(f"n{number}",))
            made.publish(alice)
    with Client(server.url, keys["bob"]) as bob:
        for number in range(10):
            place = bob.pull("acme", "wandb-registry-model", f"Net:n{number}")
            (edge,) = place["files"]["edges"]
            assert sha256(bob.get(edge["node"]["directUrl"]))[1] == 100_000
    time.sleep(5)
    figure("idle memory after ten versions published and pulled", server.memory("VmRSS") / MB, "MB", 40)


def test_large_file(server, figure):
    keys = server.people()
    large = Content(random.getrandbits(63), 2 * 1024 ** 3)
    made = publication("large", {"large.bin": large})
    with Client(server.url, keys["alice"]) as alice:
        made.upload(alice, only=0)
        server.reset_peak()
        began = time.monotonic()
        made.upload(alice)
        figure("2 GiB file up", time.monotonic() - began, "s")
        figure("2 GiB file up, peak memory", server.memory("VmHWM") / MB, "MB", 100)
        made.commit(alice)
        (edge,) = alice.pull(ENTITY, PROJECT, "large:latest")["files"]["edges"]
        server.reset_peak()
        began = time.monotonic()
        found = sha256(alice.get(edge["node"]["directUrl"]))
        figure("2 GiB file down", time.monotonic() - began, "s")
        figure("2 GiB file down, peak memory", server.memory("VmHWM") / MB, "MB", 100)
    assert found == (large.sha256, large.size)


def test_time_to_ready(server_on_database, figure):
    """The database is migrated by the fixture's start: what is measured are the starts after it."""
    server = server_on_database
    seconds = []
    for _ in range(10):
        assert server.terminate() == 0
        seconds.append(server.start())
    figure("ready on a migrated, running PostgreSQL, median of ten", sorted(seconds)[5], "s", 0.5)
    figure("ready on a migrated, running PostgreSQL, slowest of ten", max(seconds), "s", 0.5)


def test_small_files(server, figure):
    keys = server.people()
    files = {f"dir {number // 100}/file {number}.bin": Content(random.getrandbits(63), 1000 + number) for number in range(1000)}
    made = publication("small", files)
    for content in files.values():
        # Hashed beforehand: it is the client's part.
        assert content.md5
    clients = threading.local()

    def client() -> Client:
        if not hasattr(clients, "mine"):
            clients.mine = Client(server.url, keys["alice"])
            opened.append(clients.mine)
        return clients.mine

    def send(item: tuple[str, Content]) -> None:
        path, content = item
        client().put(made.upload_urls[path], content.size, content.pieces())
        made.uploaded.add(path)

    def fetch(edge: dict) -> bool:
        content = files[edge["node"]["name"]]
        return sha256(client().get(edge["node"]["directUrl"])) == (content.sha256, content.size)

    opened: list[Client] = []
    with Client(server.url, keys["alice"]) as alice, ThreadPoolExecutor(AT_ONCE) as threads:
        server.reset_peak()
        began = time.monotonic()
        made.upload(alice, only=0)
        list(threads.map(send, files.items()))
        made.publish(alice)
        figure(f"1,000 small files published, {AT_ONCE} at once", time.monotonic() - began, "s")
        began = time.monotonic()
        edges = alice.pull(ENTITY, PROJECT, "small:latest")["files"]["edges"]
        assert len(edges) == 1000 and all(threads.map(fetch, edges))
        figure(f"1,000 small files pulled, {AT_ONCE} at once", time.monotonic() - began, "s")
        began = time.monotonic()
        assert all(fetch(edge) for edge in edges)
        figure("1,000 small files pulled, one after another", time.monotonic() - began, "s")
        figure("1,000 small files, peak memory", server.memory("VmHWM") / MB, "MB")
    for each in opened:
        each.close()
