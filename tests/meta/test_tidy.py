"""House rules that a machine can see: sizes of files and functions, and names of nothing but the project."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FILE_LINES_MAX = 500
TEST_LINES_MAX = 550
"""Of a file of tests, benches or tools."""
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_USUAL = 30
LONG_FUNCTIONS_SHARE_MAX = 0.1


def sources(pattern: str, *folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob(pattern))]
    return [path for path in found if "node_modules" not in path.parts]


PYTHON = sources("*.py", "python/fastpaca")
RUST = sources("*.rs", "rust/src")
BESIDE = [
    *sources("*.py", "tests", "benches", "examples", "tools"),
    *sources("*.rs", "rust/tests", "rust/benches", "fuzz/fuzz_targets"),
]


def python_functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            has_docs = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            docs = (first.end_lineno or first.lineno) - first.lineno + 1 if has_docs else 0
            yield f"{path.name}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1 - docs


def rust_functions(path: Path) -> Iterator[tuple[str, int]]:
    start: tuple[int, str, str] | None = None
    for number, line in enumerate(path.read_text().splitlines()):
        begins = re.match(r"^( *)(?:pub(?:\([a-z]+\))? )?(?:const )?fn (\w+)", line)
        if begins and start is None and not line.rstrip().endswith((";", "}")):
            start = (number, begins[1], begins[2])
        elif start is not None and line == start[1] + "}":
            yield f"{path.name}:{start[2]}", number - start[0] + 1
            start = None


def longer(paths: list[Path], lines_max: int) -> dict[str, int]:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in paths}
    return {name: size for name, size in sizes.items() if size > lines_max}


def test_files_stay_readable() -> None:
    assert len([*PYTHON, *RUST]) > 150
    assert len(BESIDE) > 150
    assert longer([*PYTHON, *RUST], FILE_LINES_MAX) == {}
    assert longer(BESIDE, TEST_LINES_MAX) == {}


def test_functions_stay_readable() -> None:
    functions = [f for path in PYTHON for f in python_functions(path)]
    functions += [f for path in RUST for f in rust_functions(path)]
    assert len(functions) > 300
    assert [f for f in functions if f[1] > FUNCTION_LINES_MAX] == []
    long = [f for f in functions if f[1] > FUNCTION_LINES_USUAL]
    assert len(long) <= LONG_FUNCTIONS_SHARE_MAX * len(functions), long


def test_only_the_binding_knows_python() -> None:
    binding = ROOT / "rust" / "src" / "python"
    knowing = [path for path in RUST if "pyo3" in path.read_text()]
    assert binding.with_suffix(".rs") in knowing
    assert [path for path in knowing if path != binding.with_suffix(".rs") and path.parent != binding] == []


def test_the_core_reads_no_clock_and_does_no_io() -> None:
    forbidden = re.compile(r"\bstd::(?:time|fs|net|io|env|process)\b|SystemTime|Instant::now|println!|eprintln!")
    assert [path.name for path in RUST if forbidden.search(path.read_text())] == []
