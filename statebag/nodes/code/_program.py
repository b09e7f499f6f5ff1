"""The code of a node, made ready for the sandbox."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from statebag.nodes.code._fields import fields_of
from statebag.nodes.code._rewrite import rewrite

__all__ = ["MODULES", "Program", "RefusedImport", "SyntaxProblem", "read_program"]

MODULES: Final = frozenset({"collections", "datetime", "json", "math", "random", "re", "time", "uuid"})
"""What code may import; anything else fails the node."""


@dataclass(frozen=True, kw_only=True)
class SyntaxProblem:
    """Why code can't be run at all."""

    line: int
    """1-based; 0 where it is not known."""
    message: str


@dataclass(frozen=True, kw_only=True)
class RefusedImport:
    """An import that the node fails of."""

    module: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Program:
    """Code that Python can read."""

    text: str
    """For the sandbox, line for line the code of the document."""
    helpers: frozenset[str]
    """Files of the room ``inside`` that it needs."""
    refused_import: RefusedImport | None
    """The first one that is not among :data:`MODULES`, executed or not."""
    reads: frozenset[str] | None
    """Fields of the state that it reads; None where that can't be told, or is all."""


@functools.lru_cache(maxsize=512)
def read_program(code: str) -> Program | SyntaxProblem:
    """Read code; what was read is kept, since a node runs often."""
    source = code.replace("\r\n", "\n").replace("\r", "\n")
    try:
        tree = ast.parse(source)
    except SyntaxError as wrong:
        return SyntaxProblem(line=wrong.lineno or 0, message=wrong.msg)
    except (RecursionError, MemoryError):
        return SyntaxProblem(line=0, message="it is nested too deep")
    except ValueError as wrong:
        return SyntaxProblem(line=0, message=str(wrong))
    text, helpers = rewrite(source, tree)
    return Program(text=text, helpers=helpers, refused_import=next(_refused_imports(tree), None), reads=fields_of(tree))


def _refused_imports(tree: ast.Module) -> Iterator[RefusedImport]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        yield from (RefusedImport(module=name, line=node.lineno) for name in names if name not in MODULES)
