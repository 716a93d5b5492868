"""What the first start prints works as it stands."""

from server import Account


def test_pasted_lines(newest, server):
    """The lines from `import os` to the next empty one, pasted into Python's own prompt, log a version that can be pulled."""
    lines = server.printed().splitlines()
    first = lines.index("import os")
    block = lines[first : lines.index("", first)]
    outcome = newest.paste("\n".join(block) + "\n")
    assert outcome.returncode == 0, outcome.evidence
    assert "Traceback" not in outcome.stderr and "Error" not in outcome.stderr, outcome.evidence

    admin = Account("admin", server.keys[0])
    consumed = newest.run("consume_source", admin, "admin/hello/my-model:v0")
    written = (outcome.directory / "my_model.txt").read_bytes()
    assert written
    assert (consumed.directory / consumed.answer["directory"] / "my_model.txt").read_bytes() == written
