"""Code stays as plain as it has become: a limit is what was reached, and only goes down.

How dense lines and how vague names are is counted over a whole folder. What no code should hold
is counted one by one.
"""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

import pytest

ROOT = Path(__file__).parents[2]
VAGUE = frozenset(
    [
        *("one", "found", "known", "given", "told", "made", "shown", "there", "what"),
        *("wanted", "meant", "wish", "kept", "who", "how", "ours", "theirs", "here"),
        *("more", "which", "it", "each", "thing", "things", "data", "value", "result"),
        *("item", "obj", "x", "tmp", "info", "this", "that"),
    ]
)
GONE = frozenset({"wish", "meant", "anew"})
"""Names of nothing in particular that no code holds any more."""
PARTICIPLE = re.compile(
    r"(ed|told|said|kept|found|known|made|shown|sent|left|held|meant|heard|lost|taken)$"
)
MOST_PARAMETERS = 6
COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef

FOLDERS = ("bot", "adapters", "core", "tests/fakes", "tests/bench")
LIMITS = {
    "bot": (4.0, 11, 16, 2, 4, 3),
    "adapters": (4.1, 24, 26, 16, 11, 4),
    "core": (4.1, 16, 24, 6, 4, 8),
    "tests/fakes": (4.3, 22, 34, 4, 9, 2),
    "tests/bench": (4.5, 7, 26, 4, 10, 0),
}
"""Expressions per line of code; conditional expressions and comprehensions per thousand lines;
vague names of locals and participles as names of functions, in per cent; functions with more than
six parameters."""


class Folder:
    """All code of a folder but its migrations, which are history and never rewritten."""

    def __init__(self, name: str) -> None:
        self.nodes: list[tuple[str, ast.AST]] = []
        self.lines = 0
        for path in sorted((ROOT / name).rglob("*.py")):
            if "versions" in path.parts:
                continue
            text = path.read_text()
            nodes = list(ast.walk(ast.parse(text)))
            where = str(path.relative_to(ROOT))
            self.nodes += [(where, node) for node in nodes]
            self.lines += _lines_of_code(text, nodes)

    def count(self, kind: Any) -> int:
        """How many nodes are of a kind."""
        return sum(isinstance(node, kind) for _, node in self.nodes)

    def locals(self) -> list[tuple[str, ast.Name]]:
        """Every name that is bound, with its module."""
        names = [
            (where, node) for where, node in self.nodes if isinstance(node, ast.Name)
        ]
        return [
            (where, name) for where, name in names if isinstance(name.ctx, ast.Store)
        ]

    def functions(self) -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        """Every function, with its module."""
        return [
            (where, node) for where, node in self.nodes if isinstance(node, FUNCTIONS)
        ]


@cache
def folder_of(name: str) -> Folder:
    return Folder(name)


def _lines_of_code(text: str, nodes: list[ast.AST]) -> int:
    """Count lines that are neither empty nor a comment nor inside a docstring."""
    code: set[int] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.strip().startswith("#"):
            code.add(number)
    for node in nodes:
        if _is_docstring(node):
            code -= set(range(node.lineno, (node.end_lineno or 0) + 1))
    return len(code)


def _is_docstring(node: ast.AST) -> TypeGuard[ast.Expr]:
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(argument.arg not in {"self", "cls"} for argument in every)


@pytest.mark.parametrize("name", FOLDERS)
def test_figures_only_go_down(name: str) -> None:
    folder = folder_of(name)
    names = [local.id for _, local in folder.locals()]
    functions = folder.functions()
    vague = sum(local in VAGUE for local in names)
    participles = [
        function for _, function in functions if PARTICIPLE.search(function.name)
    ]
    large = [
        function for _, function in functions if _parameters(function) > MOST_PARAMETERS
    ]
    figures = (
        folder.count(ast.expr) / folder.lines,
        1000 * folder.count(ast.IfExp) / folder.lines,
        1000 * folder.count(COMPREHENSIONS) / folder.lines,
        100 * vague / len(names),
        100 * len(participles) / len(functions),
        len(large),
    )
    for figure, limit in zip(figures, LIMITS[name], strict=True):
        assert figure <= limit, figures


@pytest.mark.parametrize("name", FOLDERS)
def test_no_conditional_expression_holds_another(name: str) -> None:
    nested = [
        f"{where}:{outer.lineno}"
        for where, outer in folder_of(name).nodes
        if isinstance(outer, ast.IfExp) and _holds_another(outer)
    ]
    assert nested == []


def _holds_another(outer: ast.IfExp) -> bool:
    inner = [node for node in ast.walk(outer) if isinstance(node, ast.IfExp)]
    return len(inner) > 1


@pytest.mark.parametrize("name", FOLDERS)
def test_no_comprehension_has_two_loops_and_a_condition(name: str) -> None:
    crowded = [
        f"{where}:{node.lineno}"
        for where, node in folder_of(name).nodes
        if isinstance(node, COMPREHENSIONS) and _is_crowded(node)
    ]
    assert crowded == []


def _is_crowded(
    node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
) -> bool:
    has_condition = any(loop.ifs for loop in node.generators)
    return len(node.generators) > 1 and has_condition


@pytest.mark.parametrize("name", FOLDERS)
def test_names_that_say_nothing_stay_gone(name: str) -> None:
    back = [
        f"{where}:{local.lineno} {local.id}"
        for where, local in folder_of(name).locals()
        if local.id in GONE
    ]
    assert back == []
