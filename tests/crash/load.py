"""Clients that publish all the time, and a ledger of what they asked for and what was acknowledged.

What must not live here: what must be true afterwards (`verify`), and killing.
"""

import random
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from wire import Broken, Client, Content, Publication, Refused, Spec, sha256

ENTITY, PROJECT = "vision", "demo"
ORGANIZATION, REGISTRY = "acme", "model"
COMMON = "common"
COMMON_TASK = "Common Task"
WORKERS = 6
# How long a client repeats a request that was answered "try again" (503).
INSIST_FOR = 60.0


@dataclass
class Ledger:
    """What the clients know."""

    publications: list[Publication] = field(default_factory=list)
    """All of them, those of one worker in the order in which it made them."""
    interrupted: list[Publication] = field(default_factory=list)
    """Those whose client lost its connection: to be repeated."""
    urls: list[tuple[str, str, int]] = field(default_factory=list)
    """Download URLs handed out so far, with SHA-256 and size of what is behind them."""
    failures: list[str] = field(default_factory=list)
    """What no client should see, killed or not."""
    unavailable: int = 0
    """Answers that said "try again"."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def new(self, rng: random.Random, worker: int) -> Publication:
        """A version that nobody has logged yet: of the common collection, of the worker's own, or of a new one."""
        with self.lock:
            number = len(self.publications)
            kind = rng.choices(["common", "own", "new"], [3, 1, 2])[0]
            collection = {"common": COMMON, "own": f"own-{worker}", "new": f"new-{number}"}[kind]
            sizes = rng.choices([0, 1, 300, 20_000, 300_000, 3_000_000], [1, 2, 4, 4, 3, 1], k=rng.randint(0, 3))
            # The first file makes the version's content unlike any other's.
            files = {"model.bin": Content(rng.getrandbits(63), rng.randint(64, 40_000))}
            files |= {f"data/part {at} ä.bin": Content(rng.getrandbits(63), size) for at, size in enumerate(sizes)}
            made = Publication(Spec(ENTITY, PROJECT, collection, files, (f"worker-{worker}",)), str(uuid.UUID(int=rng.getrandbits(128))))
            if rng.random() < 0.7:
                made.link_to = (ORGANIZATION, REGISTRY, f"Task {number}" if kind == "new" else COMMON_TASK)
                made.link_aliases = (f"pin-{number}", f"worker-{worker}")
            if rng.random() < 0.6:
                made.shelf, made.leaves = f"Shelf {worker}", rng.random() < 0.6
            self.publications.append(made)
            return made


def insist(ledger: Ledger, step: Callable[[Client], None], client: Client) -> None:
    """Carries a step out, repeating what is answered "try again", as the SDK does."""
    deadline = time.monotonic() + INSIST_FOR
    while True:
        try:
            return step(client)
        except Refused as refused:
            if refused.status != 503 or time.monotonic() > deadline:
                raise
            ledger.unavailable += 1
            time.sleep(0.05)


class Watched(Client):
    """A client whose requests tell the load that they are being sent."""

    def __init__(self, url: str, key: str, load: "Load"):
        super().__init__(url, key)
        self.load = load

    def send(self, method, target, body=None, headers=None):
        kind = re.search(rb"(?:mutation|query) (\w+)", body)[1].decode() if method == "POST" else method
        begun = time.monotonic()
        with self.load.sending:
            self.load.sent = kind
            self.load.sending.notify_all()
        try:
            return super().send(method, target, body, headers)
        except Broken:
            self.load.broken.append((kind, begun, time.monotonic()))
            raise


class Load:
    """`WORKERS` clients that publish until they are told to stop or lose their connection."""

    def __init__(self, url: str, key: str, ledger: Ledger, rng: random.Random):
        self.url, self.key, self.ledger = url, key, ledger
        self.sending = threading.Condition()
        self.sent = ""
        self.broken: list[tuple[str, float, float]] = []
        """Requests without an answer: what, begun, ended."""
        self.stopping = threading.Event()
        seeds = [rng.getrandbits(63) for _ in range(WORKERS)]
        self.threads = [threading.Thread(target=self.work, args=(worker, random.Random(seed))) for worker, seed in enumerate(seeds)]
        for thread in self.threads:
            thread.start()

    def work(self, worker: int, rng: random.Random) -> None:
        with Watched(self.url, self.key, self) as client:
            while not self.stopping.is_set():
                publication = self.ledger.new(rng, worker)
                try:
                    insist(self.ledger, publication.publish, client)
                    if rng.random() < 0.3:
                        alias = f"worker-{worker}"
                        insist(self.ledger, lambda client: self.read_back(client, publication, alias), client)
                except Broken:
                    # One whose reading alone was broken off has nothing to repeat, and repeating nothing is harmless.
                    with self.ledger.lock:
                        self.ledger.interrupted.append(publication)
                    return
                except BaseException as error:
                    with self.ledger.lock:
                        self.ledger.failures.append(f"worker {worker}: {error!r}")
                    return

    def read_back(self, client: Client, publication: Publication, alias: str) -> None:
        """Who has published something finds it at once."""
        spec = publication.spec
        place = client.pull(spec.entity, spec.project, f"{spec.collection}:{alias}")
        assert place and place["artifact"]["id"] == publication.id, f"{spec.collection}:{alias} is {place}, not {publication.id}"
        for edge in place["files"]["edges"]:
            url, content = edge["node"]["directUrl"], spec.files[edge["node"]["name"]]
            assert sha256(client.get(url)) == (content.sha256, content.size)
            with self.ledger.lock:
                self.ledger.urls.append((url, content.sha256, content.size))

    def await_moment(self, rng: random.Random) -> str:
        """Waits for a random time, then until a request of a random kind is being sent, then for a moment more."""
        time.sleep(rng.uniform(0.5, 3.0))
        kind = rng.choice(["CreateArtifact", "CreateArtifactManifest", "CreateArtifactFiles", "PUT", "CommitArtifact", "CommitArtifact", "LinkArtifact", "AddAliases", "UnlinkArtifact"])
        moment = rng.uniform(0, 0.02)
        with self.sending:
            self.sent = ""
            seen = self.sending.wait_for(lambda: self.sent == kind, timeout=30)
        assert seen, f"no {kind} was sent for 30 s; failures: {self.ledger.failures}"
        time.sleep(moment)
        return f"{moment * 1000:.0f} ms after a {kind}"

    def stop(self) -> None:
        """Each worker ends what it has begun."""
        self.stopping.set()
        self.join()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(180)
            assert not thread.is_alive(), "a client still waits after 180 s"
