"""Functions stay short and public names documented: bounds on every package, so that none of them slips."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("regard", "service/regard_service", "models/regard_models", "export/regard_export", "benchmarks", "deploy")
MAX_LINES, MAX_LINES_P95 = 50, 28
MIN_DOCUMENTED = 0.9

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(package: str) -> Iterator[tuple[Path, ast.Module]]:
    """The modules of a package but the generated ones."""
    for path in sorted((ROOT / package).rglob("*.py")):
        if not path.stem.endswith(("_pb2", "_pb2_grpc")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def public(node: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    """Public functions and classes, with the public methods of these."""
    for child in node.body:
        if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_") and not is_overload(child):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from public(child)


def is_overload(node: Function | ast.ClassDef) -> bool:
    """Whether it only declares a type: its docstring stands at the implementation."""
    return any(isinstance(decorator, ast.Name) and decorator.id == "overload" for decorator in node.decorator_list)


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_short(package: str) -> None:
    lengths = sorted(
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
        for path, module in modules(package)
        for node in ast.walk(module)
        if isinstance(node, Function)
    )
    assert [name for length, name in lengths if length > MAX_LINES] == []
    assert lengths[int(0.95 * len(lengths))][0] <= MAX_LINES_P95


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_documented(package: str) -> None:
    names = [
        (ast.get_docstring(node) is not None, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
        for path, module in modules(package)
        for node in public(module)
    ]
    missing = [name for is_documented, name in names if not is_documented]
    assert len(missing) <= (1 - MIN_DOCUMENTED) * len(names), missing
