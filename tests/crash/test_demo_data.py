"""`regalia demo-data` into the managed PostgreSQL of a running server: whole, or nothing, also when it is killed."""

import os
import subprocess

from processes import binary
from wire import Client

REGISTRIES = """query { organization(name: "demo") { registries(first: 10) { nodes { name collections(first: 300) { nodes { name latest { index } } } } } } }"""


def command(server, **sizes):
    arguments = [binary(), "demo-data", "--data-dir", server.directory / "data", *(f"--{name}={size}" for name, size in sizes.items())]
    environment = {"PATH": os.environ["PATH"], "HOME": str(server.directory)}
    return subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=server.directory)


def test_demo_data_is_loaded_whole_or_not_at_all(server):
    with Client(server.url, server.admin_key) as admin:
        killed = command(server, registries=5, collections=200, versions=20_000)
        for line in killed.stderr:
            if line.startswith("versions:"):
                break
        killed.kill()
        killed.communicate()
        registries = admin.graphql(REGISTRIES, {})["organization"]["registries"]["nodes"]
        assert len(registries) == 5 and not any(registry["collections"]["nodes"] for registry in registries)

        done = command(server, registries=3, collections=200, versions=400)
        said, progress = done.communicate(timeout=120)
        assert done.returncode == 0 and "versions: 400 of 400" in progress, progress
        assert 'organization "demo"' in said and "400 versions" in said
        registries = admin.graphql(REGISTRIES, {})["organization"]["registries"]["nodes"]
        lines = [line for registry in registries for line in registry["collections"]["nodes"]]
        assert len(lines) == 200 and sum(line["latest"]["index"] + 1 for line in lines) == 400

        again = command(server, registries=3, collections=200, versions=400)
        assert "There is demo data already" in again.communicate(timeout=60)[1] and again.returncode == 1
    assert server.terminate() == 0
    stopped = command(server)
    assert "No server is running" in stopped.communicate(timeout=60)[1] and stopped.returncode == 1
    server.start()
