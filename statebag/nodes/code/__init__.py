"""Code of a document, run in a sandbox: an interpreter of its own in a process of its own, without files and network."""

from statebag.nodes.code._limits import CodeLimits
from statebag.nodes.code._program import MODULES, Program, SyntaxProblem, read_program
from statebag.nodes.code._sandbox import Outcome, parse_in_sandbox, run_program
from statebag.nodes.code._workers import Workers, workers

__all__ = [
    "MODULES",
    "CodeLimits",
    "Outcome",
    "Program",
    "SyntaxProblem",
    "Workers",
    "parse_in_sandbox",
    "read_program",
    "run_program",
    "workers",
]
