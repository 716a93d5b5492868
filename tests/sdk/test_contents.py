"""Whatever an artifact may hold arrives as it was: the newest SDK always, every version in the full run."""

import os
import random
import shutil

import pytest

from client import FULL, NEWEST, VERSIONS, tree

GIB = 1 << 30


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.fixture(scope="session")
def contents(scratch):
    """One directory for each kind of content."""
    top = scratch / "contents"
    write(top / "one" / "data.bin", os.urandom(100_000))
    for i in range(1000):
        write(top / "many" / f"part-{i:04}.txt", f"part {i}\n".encode())
    write(top / "empty" / "nothing.txt", b"")
    for name in (
        "with space.txt", "größe ñ.txt", "模型 重み.bin", "e\u0301 decomposed", "🐘.txt", "100% & #1?+;=.txt", "# 1?.txt", "'\"`$.txt",
    ):
        write(top / "names" / name, name.encode())
    write(top / "nested" / "a" / "b" / "c" / "deep.txt", b"deep")
    write(top / "nested" / "a" / "b" / "other file.txt", b"other")
    write(top / "nested" / "top.txt", b"top")
    # Two names, one content; and one name in two directories.
    write(top / "nested" / "a" / "top.txt", b"top")
    write(top / "reference" / "reference", b"kept where it is")
    return top


def check(sdk, tenant, source, published, kinds):
    outcome = sdk.run("consume_contents", tenant.bob, tenant.entity, "dataset", *kinds)
    directories = outcome.answer
    for kind in kinds:
        expected = tree(source / kind)
        assert tree(outcome.directory / directories[kind]) == expected, kind
        assert published[kind]["file_count"] == len(expected), kind
        assert published[kind]["size"] == sum(path.stat().st_size for path in (source / kind).rglob("*") if path.is_file()), kind
        assert published[kind]["version"] == "v0"


@pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])
def test_all_contents(version, sdks, tenants, contents):
    """Rules 11, 37 to 40, 44: one file, many, empty, odd names, nested, a `file://` reference; type `dataset`."""
    sdk, tenant = sdks[version], tenants(version)
    published = sdk.run("publish_contents", tenant.alice, tenant.entity, "dataset", str(contents)).answer
    assert sorted(published) == sorted(path.name for path in contents.iterdir())
    check(sdk, tenant, contents, published, sorted(published))


@pytest.mark.parametrize("version", VERSIONS if FULL else [NEWEST])
def test_ways_to_download(version, sdks, tenants, contents):
    """Rules 37, 41: whole, in ranges, a part, entry by entry with the key; each the same bytes."""
    sdk, tenant = sdks[version], tenants(version)
    source = contents / "names"
    sdk.run("publish_contents", tenant.alice, tenant.entity, "dataset", str(contents), "names").answer
    outcome = sdk.run("consume_ways", tenant.bob, tenant.entity, "dataset", "names", "g")
    got = {way: tree(outcome.directory / directory) for way, directory in outcome.answer.items()}
    whole = tree(source)
    assert got["whole"] == got["ranges"] == whole
    assert got["part"] == {name: digest for name, digest in whole.items() if name.startswith("g")} != {}
    assert got["entries"] == {name: digest for name, digest in whole.items() if "%" not in name}


if FULL:

    @pytest.fixture(scope="session")
    def two_gib(scratch):
        """A sparse file of 2 GiB, the size from which SDKs change their way of uploading and downloading."""
        top = scratch / "large"
        path = top / "large" / "model.bin"
        path.parent.mkdir(parents=True)
        # Marks all over it, so that a part in the wrong place changes the bytes.
        marks = random.Random(2)
        with path.open("wb") as file:
            file.truncate(2 * GIB)
            for offset in [0, 2 * GIB - 4096, *(marks.randrange(2 * GIB - 4096) for _ in range(200))]:
                file.seek(offset)
                file.write(marks.randbytes(4096))
        return top

    @pytest.mark.parametrize("version", VERSIONS)
    def test_two_gib(version, sdks, tenants, server, two_gib):
        """A file of 2 GiB, up and down, with the server below 100 MB."""
        sdk, tenant = sdks[version], tenants(version)
        server.reset_peak_memory()
        published = sdk.run("publish_contents", tenant.alice, tenant.entity, "dataset", str(two_gib), timeout=1200)
        assert published.answer["large"]["size"] == 2 * GIB
        consumed = sdk.run("consume_contents", tenant.bob, tenant.entity, "dataset", "large", timeout=1200)
        peak = server.peak_memory()
        assert tree(consumed.directory / consumed.answer["large"]) == tree(two_gib / "large")
        # Each side holds the file two or three times, staged, cached and downloaded.
        for outcome in (published, consumed):
            shutil.rmtree(outcome.directory.parent)
        up, down = published.seconds, consumed.seconds
        print(f"\n2 GiB with {version}: up {up:.0f} s, down {down:.0f} s, server peak {peak / 1e6:.0f} MB")
        assert peak < 100_000_000
