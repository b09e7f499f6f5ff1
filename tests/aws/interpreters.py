"""What runs Step Functions definitions on this machine, behind one interface, and where each differs from the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Execution", "Function", "Functions", "Interpreter", "Refused"]

Function = Callable[[Any, Any], Any]
"""A Lambda handler: event and context in, result out. An exception is the error of that class's name."""
Functions = Mapping[str, Function]
"""By the last part of the ARN that the definition calls."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How an execution ended, and what its history tells."""

    status: str
    """SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
    output: Any = None
    """Of an execution that has succeeded."""
    error: str | None = None
    cause: str | None = None
    trace: list[str]
    """Names of all states entered, nested ones and those of child executions included, in order of entry."""
    largest_bytes: int
    """Of all inputs and outputs of states in the history, as compact JSON."""
    history: list[dict[str, Any]]
    """Events as the interpreter gives them, those of child executions among them."""
    transitions: int
    """States entered, and states tried once more, which the service counts alike."""


class Interpreter(Protocol):
    """One that runs definitions with functions of this process."""

    @property
    def name(self) -> str:
        """As ``KNOWN_GAPS`` calls it."""
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """What points boto3, and with it the functions, at this interpreter's services, and nowhere else."""
        ...

    def client(self, service: str) -> Any:
        """A boto3 client of this interpreter's services (``dynamodb``, ``events``, ``s3``, ``sqs``, ``stepfunctions``)."""
        ...

    def run(
        self, definition: Mapping[str, Any], given: Any, functions: Functions, *, name: str, timeout: float = 60
    ) -> Execution:
        """Execute to the end. Waits and the time before retries take none.

        Args:
            definition: without ``${...}``; functions by ARN or by name.
            given: input of the execution.
            functions: called in this process, several at once where the definition does things in parallel.
            name: of the execution, unique for the interpreter.
            timeout: seconds after which the execution is stopped.

        Raises:
            Refused: the interpreter does not take the definition.
            TimeoutError: the execution has not ended in time.
        """
        ...


class Refused(Exception):
    """The definition is none to the interpreter."""
