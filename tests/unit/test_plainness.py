"""Code stays as plain as it is: a limit is what was reached, and only goes down.

The density of lines and the vagueness of names are counted over a whole folder. Forbidden
constructs are counted one by one.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VAGUE = frozenset(
    [
        *(
            "one",
            "found",
            "known",
            "given",
            "told",
            "made",
            "shown",
            "there",
            "what",
        ),
        *(
            "wanted",
            "meant",
            "wish",
            "kept",
            "who",
            "how",
            "ours",
            "theirs",
            "here",
        ),
        *(
            "more",
            "which",
            "it",
            "each",
            "thing",
            "things",
            "data",
            "value",
            "result",
        ),
        *("item", "obj", "x", "tmp", "info", "this", "that"),
    ]
)
GONE = frozenset({"wish", "meant", "anew"})
"""Names that say nothing and are gone from the code."""
PARTICIPLE = re.compile(
    r"(ed|told|said|kept|found|known|made|shown|sent|left|held|meant|heard|lost|taken)$"
)
GIVEN = {"connection_made", "connection_lost", "data_received"}
"""Names that asyncio gives."""
MOST_PARAMETERS = 6
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LOOKED_AT = {ast.Name, ast.IfExp, *COMPREHENSIONS, *FUNCTIONS}

LIMITS = {
    "bot": (3.5, 10, 14, 1, 1.5, 3),
    "adapters": (3.6, 12, 19, 3, 3.3, 3),
    "core": (3.5, 9.5, 19, 3, 1.6, 7),
    "tests/fakes": (3.8, 20, 32, 0.6, 4.5, 2),
    "tests/bench": (4.1, 7, 25, 1.6, 4, 0),
}
"""Expressions per line of code; conditional expressions and comprehensions per thousand lines;
vague names of locals and participles as names of functions, in per cent; functions with more than
six parameters."""


class Folder:
    """The figures of a folder's code, and where each forbidden construct stands."""

    def __init__(self, name: str) -> None:
        self.lines = 0
        self.kinds: Counter[type[ast.AST]] = Counter()
        self.names: list[str] = []
        self.functions: list[str] = []
        self.large = 0
        self.nested: list[str] = []
        self.crowded: list[str] = []
        self.gone: list[str] = []
        for path in sorted((ROOT / name).rglob("*.py")):
            # Migrations are history: they are not rewritten.
            if "versions" not in path.parts:
                self._read(path)

    def _read(self, path: Path) -> None:
        text = path.read_text()
        code: set[int] = set()
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.strip().startswith("#"):
                code.add(number)
        for node in _walk(ast.parse(text)):
            kind = type(node)
            self.kinds[kind] += 1
            if kind in LOOKED_AT:
                where = (
                    f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
                )
                self._look_at(node, where)
            if isinstance(node, ast.Expr) and _is_docstring(node):
                code -= set(range(node.lineno, (node.end_lineno or 0) + 1))
        self.lines += len(code)

    def _look_at(self, node: ast.AST, where: str) -> None:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            self.names.append(node.id)
            if node.id in GONE:
                self.gone.append(f"{where} {node.id}")
        elif isinstance(node, FUNCTIONS):
            self.functions.append(node.name)
            self.large += _count_parameters(node) > MOST_PARAMETERS
        elif isinstance(node, ast.IfExp):
            if (
                sum(isinstance(inner, ast.IfExp) for inner in ast.walk(node))
                > 1
            ):
                self.nested.append(where)
        elif isinstance(node, COMPREHENSIONS):
            has_condition = any(loop.ifs for loop in node.generators)
            if len(node.generators) > 1 and has_condition:
                self.crowded.append(where)

    def count(self, kinds: type[ast.AST] | tuple[type[ast.AST], ...]) -> int:
        """How many nodes are of a kind."""
        counts = self.kinds.items()
        return sum(count for kind, count in counts if issubclass(kind, kinds))


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node. ``ast.walk`` takes twice as long."""
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        yield node
        for name in node._fields:
            child = getattr(node, name, None)
            if isinstance(child, ast.AST):
                nodes.append(child)
            elif isinstance(child, list):
                nodes += [each for each in child if isinstance(each, ast.AST)]


def _is_docstring(node: ast.Expr) -> bool:
    is_constant = isinstance(node.value, ast.Constant)
    return is_constant and isinstance(getattr(node.value, "value", None), str)


def _count_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(argument.arg not in {"self", "cls"} for argument in every)


@cache
def folder_of(name: str) -> Folder:
    return Folder(name)


@pytest.mark.parametrize("name", LIMITS)
def test_figures_only_go_down(name: str) -> None:
    folder = folder_of(name)
    vague = [local for local in folder.names if local in VAGUE]
    participles = [
        each
        for each in folder.functions
        if PARTICIPLE.search(each) and each not in GIVEN
    ]
    figures = (
        folder.count(ast.expr) / folder.lines,
        1000 * folder.count(ast.IfExp) / folder.lines,
        1000 * folder.count(COMPREHENSIONS) / folder.lines,
        100 * len(vague) / len(folder.names),
        100 * len(participles) / len(folder.functions),
        folder.large,
    )
    for figure, limit in zip(figures, LIMITS[name], strict=True):
        assert figure <= limit, figures


@pytest.mark.parametrize("name", LIMITS)
def test_no_conditional_expression_holds_another(name: str) -> None:
    assert folder_of(name).nested == []


@pytest.mark.parametrize("name", LIMITS)
def test_no_comprehension_has_two_loops_and_a_condition(name: str) -> None:
    assert folder_of(name).crowded == []


@pytest.mark.parametrize("name", LIMITS)
def test_names_that_say_nothing_stay_gone(name: str) -> None:
    assert folder_of(name).gone == []
