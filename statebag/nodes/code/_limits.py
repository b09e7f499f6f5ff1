"""What the code of a node may use up."""

from __future__ import annotations

from dataclasses import dataclass

from statebag.config import Node

__all__ = ["CodeLimits"]


@dataclass(frozen=True, kw_only=True)
class CodeLimits:
    """Each of them ends the node with a code of its own when it is exceeded."""

    seconds: float = 10.0
    """Time from the code's first line to its last, sleeping included; ``timeout_seconds`` of the node replaces it."""
    memory_bytes: int = 64 * 1024 * 1024
    """Heap of the sandbox, with the state that was put into it."""
    recursion_depth: int = 1000
    """Calls inside of each other, as in Python."""
    host_calls: int = 10_000
    """How often code may ask for the time, sleep, or make an id from a name."""
    output_bytes: int = 1024 * 1024
    """JSON of the fields that were changed and of the result together."""
    printed_bytes: int = 64 * 1024
    """Text that is printed: it goes to the run's history."""
    code_bytes: int = 256 * 1024
    """The code itself."""

    def seconds_of(self, node: Node) -> float:
        """The node's own time, or the default.

        A node's time is that of its whole segment, too. Code ends a little before that: that it took too long is
        final, where a segment out of time would be tried again.
        """
        given = node.config.get("timeout_seconds")
        return float(given) - min(0.5, 0.1 * float(given)) if given else self.seconds
