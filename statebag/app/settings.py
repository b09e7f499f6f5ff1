"""Settings of the worker and the command, from ``STATEBAG_*`` environment variables.

Where Temporal is comes from Temporal's own variables and file (``TEMPORAL_ADDRESS``,
``temporal.toml``, …), read by its own library.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from statebag.errors import InputRefused, Problem
from statebag.nodes.http import parse_allow_list
from statebag.nodes.llm import parse_media_allow
from statebag.nodes.sql import is_connection_name, parse_flag, parse_writable

__all__ = ["Settings", "data_folder", "default_store_url"]

_PREFIX = "STATEBAG_"
_CONNECTION_PREFIX = "STATEBAG_DB_"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")


def data_folder() -> Path:
    """A folder of the user's own, the same wherever a command is started."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return (Path(base) / "statebag").absolute()


def default_store_url() -> str:
    """Where values are kept when no store is named."""
    return (data_folder() / "store").as_uri()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that can be set."""

    store: str = field(default_factory=default_store_url)
    """``file:///folder`` or ``s3://bucket/prefix``."""
    store_fsync: bool = False
    """Flush each local write to the disk: a power cut then loses nothing, at some milliseconds a write."""
    cache_mb: int = 64
    """Memory of the store's cache, MiB."""
    task_queue: str = "statebag"
    max_concurrent_activities: int = 100
    """Segments that call the outside world at the same time."""
    max_concurrent_local_activities: int = 100
    max_concurrent_workflow_tasks: int = 100
    max_cached_workflows: int = 1000
    """Runs kept in memory between their steps. Keep it above the number of runs that are busy at the same time: one that
    is dropped in the middle of a step stands still for 10 seconds, and is then taken up again."""
    graceful_shutdown_seconds: int = 30
    """Time that running activities get to finish after the worker is told to stop."""
    log_level: str = "INFO"
    api_allow: str = ""
    """Hosts, ``host:port``, ``*.domain`` and networks that ``api_call`` may reach though they are not public. Read by the
    node itself at each call; here only so that a wrong one is told when a worker starts. The same holds for those below.
    """
    db_allow_urls: bool = False
    """Whether a document may bring the URL of its database; else it names a ``STATEBAG_DB_<NAME>``."""
    db_allow_write: str = "false"
    """``true``, or names of the database connections that ``db_query`` may write to."""
    media_allow: str = ""
    """``s3://bucket/prefix`` below which documents may have images and videos fetched for a model."""
    codec_token: str = field(default="", repr=False)
    """What requests to ``statebag codec`` have to bear; nothing where it is empty."""

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the variables.

        Raises:
            InputRefused: ``SETTING_INVALID`` problems, one for each variable that can't be used.
        """
        problems: list[Problem] = []
        values: dict[str, str | int | bool] = {}
        known = {f"{_PREFIX}{name.upper()}": name for name in Settings.__dataclass_fields__}
        for variable, text in sorted(environment.items()):
            if not variable.startswith(_PREFIX):
                continue
            if variable not in known:
                if not _names_a_database(variable):
                    problems.append(_problem(variable, f"does not exist. There is {', '.join(sorted(known))}."))
                continue
            name = known[variable]
            try:
                values[name] = _read(name, text)
            except ValueError as wrong:
                shown = "not shown, and" if name == "codec_token" else f"{text!r}, which"
                problems.append(_problem(variable, f"is {shown} is not {wrong}."))
        if problems:
            raise InputRefused(problems, what="environment")
        return Settings(**values)  # pyright: ignore[reportArgumentType] - read by the field's own type


def _names_a_database(variable: str) -> bool:
    # Its value is not kept here, since it may hold a password.
    return variable.startswith(_CONNECTION_PREFIX) and is_connection_name(variable.removeprefix(_CONNECTION_PREFIX))


def _read(name: str, text: str) -> str | int | bool:
    if name == "store_fsync":
        if text.lower() not in ("true", "false"):
            raise ValueError("true or false")
        return text.lower() == "true"
    if name == "db_allow_urls":
        return parse_flag(text)
    if name in _CHECKS:
        _CHECKS[name](text)
        return text
    if name == "store":
        if "://" not in text or text.split("://", 1)[0] not in ("file", "s3"):
            raise ValueError("a URL such as file:///folder or s3://bucket/prefix")
        return text
    if name == "log_level":
        if text.upper() not in logging.getLevelNamesMapping():
            raise ValueError("a level such as DEBUG, INFO or WARNING")
        return text.upper()
    if name == "task_queue":
        if not text.strip():
            raise ValueError("a name")
        return text
    least = 0 if name == "graceful_shutdown_seconds" else 1
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise ValueError(f"a whole number from {least}")
    return int(text)


def _check_token(text: str) -> None:
    if not _TOKEN.fullmatch(text):
        raise ValueError("16 or more letters, digits or `-._~+/=`, such as `openssl rand -hex 32` gives")


_CHECKS: Mapping[str, Callable[[str], object]] = {
    "api_allow": parse_allow_list,
    "db_allow_write": parse_writable,
    "media_allow": parse_media_allow,
    "codec_token": _check_token,
}
"""What raises a ValueError for a text that can't be used."""


def _problem(variable: str, message: str) -> Problem:
    return Problem(path=f"${variable}", code="SETTING_INVALID", message=f"{variable} {message}")
