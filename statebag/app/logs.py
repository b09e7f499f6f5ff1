"""Where the log of a command goes: to stderr, in lines without tracebacks."""

from __future__ import annotations

import logging
import sys
import warnings

from temporalio import workflow
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

__all__ = ["set_up_logging"]

_WORKER_NOISE = ("temporalio.activity", "temporalio.worker", "temporalio.core")
"""What they warn of is told as the run's progress or its end."""


class _OneLine(logging.Formatter):
    """A record with the error's own text behind it."""

    def formatException(self, ei: object) -> str:  # noqa: N802 - the library's name
        error = ei[1] if isinstance(ei, tuple) else None
        return "" if error is None else f"{type(error).__name__}: {error}"


def set_up_logging(level: int) -> None:
    """Log to stderr from ``level`` up; the SDK's core, too, which would write on stdout otherwise."""
    handler = logging.StreamHandler(sys.stderr)
    long = level < logging.WARNING
    pattern = "%(asctime)s %(levelname)s %(name)s: %(message)s" if long else "%(asctime)s %(levelname)s %(message)s"
    handler.setFormatter(_OneLine(pattern, "%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if not long:
        workflow.logger.workflow_info_on_message = False
        for name in _WORKER_NOISE:
            logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=UserWarning, module="temporalio")
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    core = LoggingConfig(filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding)
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=core)), error_if_already_set=False)
