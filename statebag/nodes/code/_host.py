"""What the host does for code while it runs: tell the time, sleep, keep what is printed."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

from statebag.errors import NodeFailed
from statebag.nodes._base import NodeContext
from statebag.nodes.code._limits import CodeLimits

__all__ = ["Host", "name_uuid"]

_TICK = timedelta(microseconds=1)
_BEAT_SECONDS = 1.0


class Host:
    """Serves one run of code.

    The clock stands where the node started, moves on by what the code sleeps, and by a tick each time it is read: a
    repeated try sees the same times. Where code goes beyond a limit here, its process is killed, so that it can't
    catch that; ``failure`` says why.

    Args:
        context: Of the node.
        limits: Of the code.
        seconds: Time that the code has.
        pid: Of the process that it runs in.
        refuse: Makes the failure of a code and a message.
    """

    def __init__(
        self,
        context: NodeContext,
        limits: CodeLimits,
        *,
        seconds: float,
        pid: int | None,
        refuse: Callable[[str, str], NodeFailed],
    ) -> None:
        self.failure: BaseException | None = None
        self._beat = context.heartbeat
        self._limits = limits
        self._seconds = seconds
        self._pid = pid
        self._refuse = refuse
        self._now = context.now().astimezone(UTC)
        self._started = time.monotonic()
        self._printed: list[str] = []
        self._printed_bytes = 0

    @property
    def printed(self) -> str:
        """All that was printed so far."""
        return "".join(self._printed)

    def start(self) -> None:
        """The code's time begins."""
        self._started = time.monotonic()

    def check_time(self) -> None:
        """Raise where computing and sleeping together took too long."""
        if time.monotonic() - self._started > self._seconds:
            raise self.out_of_time()

    def out_of_time(self) -> NodeFailed:
        """The failure of code that took too long."""
        return self._refuse(
            "CODE_TIME_LIMIT",
            f"it took longer than its {self._seconds:g} s. Make it do less, or raise `timeout_seconds`.",
        )

    def print(self, stream: Literal["stdout", "stderr"], text: str) -> None:  # noqa: ARG002
        """Keep what is printed."""
        if self.failure is not None:
            return
        self._printed_bytes += len(text.encode("utf-8", "surrogatepass"))
        if self._printed_bytes > self._limits.printed_bytes:
            limit = f"{self._limits.printed_bytes:,} bytes"
            self._stop(
                self._refuse("CODE_OUTPUT_LIMIT", f"it prints more than {limit}. Print less, or put it into `state`.")
            )
            return
        self._printed.append(text)

    def call(self, *, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], is_async: bool, **_: Any) -> Any:  # noqa: ARG002
        """Answer a call of the operating system; all but clock and sleep is refused by the sandbox."""
        from pydantic_monty import NOT_HANDLED  # noqa: PLC0415

        match name, args:
            case (("time.sleep" | "system.sleep"), (seconds, *_)):
                return self._sleep(float(seconds))
            case "time.time", _:
                return self._read_clock().timestamp()
            case "date.today", _:
                return self._read_clock().date()
            case "datetime.now", (tzinfo() as zone, *_):
                return self._read_clock().astimezone(zone)
            case "datetime.now", _:
                return self._read_clock().replace(tzinfo=None)
            case _:
                return NOT_HANDLED

    def _read_clock(self) -> datetime:
        self._now += _TICK
        return self._now

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        if until - self._started > self._seconds:
            self._stop(self.out_of_time())
            return
        try:
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(left, _BEAT_SECONDS))
                self._beat(None)
        except BaseException as stopped:  # noqa: BLE001
            self._stop(stopped)
            return
        self._now += timedelta(seconds=seconds)

    def _stop(self, failure: BaseException) -> None:
        self.failure = failure
        if self._pid is not None:
            os.kill(self._pid, signal.SIGTERM)


def name_uuid(version: int, namespace: str, name: str) -> str:
    """The digits of ``uuid3`` or ``uuid5``, which need hashes that the sandbox does not have."""
    make = uuid.uuid3 if version == 3 else uuid.uuid5
    return make(uuid.UUID(namespace), name).hex
