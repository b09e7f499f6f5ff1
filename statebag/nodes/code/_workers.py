"""The processes in which code runs."""

from __future__ import annotations

import atexit
import functools
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from statebag.errors import NodeFailed

if TYPE_CHECKING:
    from pydantic_monty import Monty

__all__ = ["Workers", "workers"]

_MOST = 8
"""Processes at once, of about 9 MB each; more code than that waits. They are started as they are needed."""
_GRACE_SECONDS = 0.25
"""How long after its time code that is deep in one operation is left before its process is killed."""


class Workers:
    """A pool of sandbox processes, started when code first runs. Threads may share it.

    A child that was forked before that starts its own. One that was forked later can't: the threads behind the pool
    are not in it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: Monty | None = None
        self._forked = False
        self._used = False
        os.register_at_fork(after_in_child=self._note_fork)

    def pool(self) -> Monty:
        """The running pool.

        Raises:
            NodeFailed: ``CODE_SANDBOX_FAILED``: the sandbox can't be started.
        """
        with self._lock:
            if self._forked:
                raise NodeFailed(
                    "the sandbox for `code` can't be started: this process was forked from one that had used it. "
                    "Start processes anew, as the method `spawn` of multiprocessing does, or fork them earlier.",
                    code="CODE_SANDBOX_FAILED",
                )
            if self._pool is None:
                self._pool = _start()
                self._used = True
                atexit.register(self.close)
            return self._pool

    def close(self) -> None:
        """End the processes; the next code starts others."""
        with self._lock:
            if self._pool is not None and not self._forked:
                self._pool.__exit__(None, None, None)
                self._pool = None

    def _note_fork(self) -> None:
        self._lock = threading.Lock()
        self._forked = self._used


@functools.cache
def workers() -> Workers:
    """The one pool of this process."""
    return Workers()


def _start() -> Monty:
    try:
        from pydantic_monty import Monty  # noqa: PLC0415

        pool = Monty(binary_path=_binary(), max_processes=_MOST, feed_duration_limit_grace=_GRACE_SECONDS)
        return pool.__enter__()
    except (ImportError, OSError, RuntimeError) as failure:
        raise NodeFailed(
            f"the sandbox for `code` can't be started: {failure}. Install the package `pydantic-monty` with its "
            "command `monty`, or name the command in the environment variable MONTY_BIN.",
            code="CODE_SANDBOX_FAILED",
        ) from failure


def _binary() -> Path | None:
    """The command where packages were installed into a folder of their own, as for a Lambda function."""
    beside = Path(__file__).parents[3] / "bin" / "monty"
    return beside if "MONTY_BIN" not in os.environ and beside.is_file() else None
