"""The GraphQL documents of an installed SDK, read from its files: nothing of it is imported or run.

They stand in two places. `wandb-core` has whole texts. The Python half has strings, some of them put together from others: those
are followed as far as strings, imported names, `+`, `%`, `format`, `replace` and f-strings go, along every way through the `if`s
around them. What no reading can tell is returned too, so that nothing is lost silently.
"""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

BEGIN = re.compile(r"\s*(?:query|mutation|subscription)\b\s*(\w+)?\s*[({@]")
# What a template has where something is still to be put in.
TEMPLATE = re.compile(r"%s|\b_\w+_\b|\bID_(?:TYPE|VALUE)\b|\{\{|\{\}")
IN_CORE = re.compile(rb"\n?(?:query|mutation|subscription) [A-Za-z]\w* ?[({]")
TOKEN = re.compile(r'"""(?:.|\n)*?"""|"(?:[^"\\\n]|\\.)*"|[{}()]|fragment\b|[^\s{}()"]+')
# More ways through one function than this would be a mistake of ours.
WAYS = 4096


@dataclass
class Documents:
    """What one SDK can send."""

    texts: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    """Operations that are put together from what only a running program knows, as `file:operation`."""


def documents(venv: Path) -> Documents:
    [package] = venv.glob("lib/python3*/site-packages/wandb")
    found = Documents()
    reader = Reader(package, found)
    for path in sorted(package.rglob("*.py")):
        if "vendor" not in path.relative_to(package).parts and re.search(r"\b(query|mutation)\b", path.read_text()):
            reader.read(path)
    found.texts |= in_core((package / "bin/wandb-core").read_bytes())
    return found


def name(text: str) -> str:
    """The operation's name, or what it asks for when it has none."""
    match = BEGIN.match(text)
    return match[1] or "anonymous: " + " ".join(text.split())


# ---- wandb-core ----


def in_core(binary: bytes) -> set[str]:
    """Go keeps its strings end to end, so a document ends where its braces and those of its fragments do."""
    texts = set()
    for match in IN_CORE.finditer(binary):
        piece = binary[match.start() : match.start() + 40_000].decode("utf-8", "replace")
        if text := until_balanced(piece):
            texts.add(text)
    return texts


def until_balanced(piece: str) -> str | None:
    end, depth, started = None, 0, False
    for token in TOKEN.finditer(piece):
        word = token[0]
        if word in "{(":
            depth += 1
            started = started or word == "{"
        elif word in "})":
            depth -= 1
            if depth < 0:
                break
            if depth == 0 and word == "}":
                end = token.end()
                started = False
        elif end is not None and depth == 0 and not started:
            # After a definition there is a fragment of the same document, or something else.
            if word != "fragment":
                break
            started = True
    return piece[:end] if end else None


# ---- the Python half ----


class Unknown(Exception):
    """Not to be known without running it."""


class Reader:
    """Reads modules; those that others import from once only."""

    def __init__(self, package: Path, found: Documents):
        self.package, self.found = package, found
        self.modules: dict[Path, dict] = {}

    def read(self, path: Path) -> dict:
        """The strings that the module's names mean."""
        if path not in self.modules:
            self.modules[path] = names = {}
            scope = Scope(self, path, names)
            tree = ast.parse(path.read_text())
            # Twice, because a method may be called above its own definition.
            scope.block(tree.body)
            scope.block(tree.body)
        return self.modules[path]

    def imported(self, importer: Path, statement: ast.ImportFrom) -> dict:
        words = (statement.module or "").split(".")
        if statement.level:
            target = importer.parents[statement.level - 1].joinpath(*words)
        elif words[0] == "wandb":
            target = self.package.joinpath(*words[1:])
        else:
            return {}
        paths = [path for path in (target.with_suffix(".py"), target / "__init__.py") if path.is_file()]
        return self.read(paths[0]) if paths else {}


class Choices:
    """Ways through a function: what was chosen, once for each question, and which way is next."""

    def __init__(self):
        self.chosen: dict[str, list[int]] = {}

    def choose(self, question: str, of: int) -> int:
        return self.chosen.setdefault(question, [0, of])[0]

    def next(self) -> bool:
        while self.chosen:
            question, (choice, of) = self.chosen.popitem()
            if choice + 1 < of:
                self.chosen[question] = [choice + 1, of]
                return True
        return False


class Scope:
    """A module's, class's or function's statements, in their order."""

    def __init__(self, reader: Reader, path: Path, names: dict, choices: Choices | None = None):
        self.reader, self.path, self.names = reader, path, names
        self.choices = choices or Choices()
        self.returned: set[str] = set()

    def block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.ImportFrom():
                known = self.reader.imported(self.path, node)
                for alias in node.names:
                    if alias.name == "*":
                        self.names.update(known)
                    for suffix in ("", "()"):
                        if alias.name + suffix in known:
                            self.names[(alias.asname or alias.name) + suffix] = known[alias.name + suffix]
            case ast.ClassDef():
                inner = Scope(self.reader, self.path, dict(self.names))
                inner.block(node.body)
                # `Run.FRAGMENT`, and below, in the class itself, `self.FRAGMENT`.
                own = {key: value for key, value in inner.names.items() if self.names.get(key) != value}
                self.names.update({f"{node.name}.{key}": value for key, value in own.items()})
                # So that the second reading knows each method.
                self.names.update({key: value for key, value in own.items() if key.endswith("()")})
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.function(node)
            case ast.If() if sets_text(node):
                self.collect(node.test)
                self.block([node.body, node.orelse][self.choices.choose(ast.dump(node.test), 2)])
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                self.assign(target, value)
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value):
                self.assign(target, value)
            case ast.AugAssign(target=ast.Name(id=target), op=ast.Add() as op, value=value):
                self.assign(target, ast.BinOp(ast.Name(target), op, value))
            case ast.Return(value=ast.expr() as value):
                self.collect(value)
                try:
                    self.returned.add(self.value(value))
                except Unknown:
                    pass
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.stmt):
                        self.statement(child)
                    elif isinstance(child, ast.ExceptHandler | ast.match_case):
                        self.block(child.body)
                    else:
                        self.collect(child)

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        choices, returned = Choices(), set()
        for _ in range(WAYS):
            inner = Scope(self.reader, self.path, dict(self.names), choices)
            inner.block(node.body)
            returned |= inner.returned
            if not choices.next():
                break
        else:
            raise AssertionError(f"{self.path}: more ways through {node.name} than {WAYS}")
        if returned:
            self.names[f"{node.name}()"] = sorted(returned)

    def assign(self, target: str, value: ast.expr) -> None:
        self.collect(value)
        try:
            self.names[target] = self.value(value)
        except Unknown:
            self.names.pop(target, None)

    def collect(self, node: ast.AST) -> None:
        """Notes the largest strings in an expression that are documents."""
        if isinstance(node, ast.expr):
            try:
                value = self.value(node)
            except Unknown:
                if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Call) and (begin := leftmost(node)):
                    self.reader.found.unread.add(f"{self.path.relative_to(self.reader.package)}:{name(begin)}")
                    return
            else:
                if BEGIN.match(value) and not TEMPLATE.search(value):
                    self.reader.found.texts.add(value)
                return
        for child in ast.iter_child_nodes(node):
            self.collect(child)

    def value(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=str() as text):
                return text
            case ast.Name(id=key) | ast.Attribute(value=ast.Name(id="self" | "cls"), attr=key) if key in self.names:
                return self.names[key]
            case ast.Attribute(value=ast.Name(id=owner), attr=key) if f"{owner}.{key}" in self.names:
                return self.names[f"{owner}.{key}"]
            case ast.JoinedStr(values=parts):
                return "".join(self.value(part.value if isinstance(part, ast.FormattedValue) else part) for part in parts)
            case ast.IfExp(test=test, body=one, orelse=other):
                return self.value([one, other][self.choices.choose(ast.dump(test), 2)])
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.value(left) + self.value(right)
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                parts = right.elts if isinstance(right, ast.Tuple) else [right]
                return self.value(left) % tuple(self.value(part) for part in parts)
            case ast.Call(func=ast.Attribute(value=of, attr="format" | "replace" | "strip" as method), args=args, keywords=named):
                keywords = {str(keyword.arg): self.value(keyword.value) for keyword in named}
                return getattr(self.value(of), method)(*map(self.value, args), **keywords)
            case ast.Call(func=ast.Name(id="gql" | "gql_compat" | "dedent"), args=[first, *_]):
                return self.value(first)
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(value=ast.Name(id="self" | "cls"), attr=called)):
                if results := self.names.get(f"{called}()"):
                    return results[self.choices.choose(ast.dump(node), len(results))]
        raise Unknown


def sets_text(node: ast.If) -> bool:
    """Whether it makes a difference to strings which way is taken."""
    assigned = (n.value for n in ast.walk(node) if isinstance(n, ast.Assign | ast.AugAssign) and n.value)
    return any(
        isinstance(n, ast.Constant) and isinstance(n.value, str) and re.search(r"[\s$:{]", n.value)
        or isinstance(n, ast.Attribute) and n.attr in ("format", "replace")
        or isinstance(n, ast.Name) and n.id.isupper()
        for value in assigned
        for n in ast.walk(value)
    )


def leftmost(node: ast.expr) -> str | None:
    """The document's beginning, if the string begins with one."""
    while True:
        match node:
            case ast.Constant(value=str() as text):
                return text if BEGIN.match(text) else None
            case ast.JoinedStr(values=[first, *_]):
                node = first
            case ast.BinOp(left=left):
                node = left
            case ast.Call(func=ast.Attribute(value=of)):
                node = of
            case _:
                return None
