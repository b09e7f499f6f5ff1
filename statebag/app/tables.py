"""Runs and histories as text for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from statebag.app.answers import describe_pause
from statebag.app.progress import describe_map

__all__ = ["print_table", "show_history", "show_runs", "show_status"]


def show_status(body: Mapping[str, Any]) -> None:
    """A run, a fact a line."""
    console = Console(highlight=False, soft_wrap=True)
    title = f"{body['execution_id']}  {body['status']}"
    console.print(title if "workflow_name" not in body else f"{title}  {body['workflow_name']}", markup=False)
    console.print(f"  started  {_moment(body['started_at'])}", markup=False)
    if body["closed_at"]:
        console.print(f"  ended    {_moment(body['closed_at'])}", markup=False)
    if body.get("current_state"):
        console.print(f"  at       {_where(body)}  {body['current_state']}", markup=False)
    if body.get("branches"):
        branches = body["branches"]
        text = f"{branches['done']} of {branches['total']} done, {branches['failed']} failed"
        console.print(f"  branches {text}", markup=False)
    if body.get("map"):
        console.print(f"  map      {body['map']['label']}: {describe_map(body['map'])}", markup=False)
    for pause in body.get("pending", ()):
        console.print(f"  waits    {describe_pause(pause)}, until {_moment(pause['expires_at'])}", markup=False)
    if "error" in body:
        console.print(f"  error    {body['error']['code']}: {body['error']['message']}", markup=False)
    if not body["worker_answers"]:
        console.print("  no worker answers: what only a worker knows is not shown", markup=False)


def show_runs(runs: Sequence[Mapping[str, Any]]) -> None:
    """Runs, a line each."""
    rows = [
        (
            run["execution_id"],
            run["status"],
            _moment(run["started_at"]),
            _moment(run["closed_at"]),
            run.get("workflow_name", ""),
        )
        for run in runs
    ]
    print_table(("id", "status", "started", "ended", "workflow"), rows)


def show_history(body: Mapping[str, Any]) -> None:
    """Entries, oldest first, then the states of the machine."""
    rows = [_entry_row(entry) for entry in body["entries"]]
    print_table(("time", "segment", "type", "status", "ms", "what"), rows)
    console = Console(highlight=False, soft_wrap=True)
    states = body["trace"]
    text = "no worker answers which states the machine was in" if states is None else " > ".join(states)
    console.print(f"\n{text}", markup=False)


def _entry_row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    steps = [
        step if isinstance(step, str) else step.get("node_id", step.get("id", "")) for step in entry.get("steps", ())
    ]
    known = {"log_id", "segment_id", "type", "status", "timestamp", "duration_ms", "steps"}
    rest = {name: value for name, value in entry.items() if name not in known}
    what = " ".join(filter(None, steps))
    if rest:
        what = f"{what} {json.dumps(rest, ensure_ascii=False)}".strip()
    values = (entry.get("segment_id"), entry.get("type"), entry.get("status"), entry.get("duration_ms"))
    return (_moment(entry.get("timestamp")), *("" if value is None else str(value) for value in values), what)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """On a terminal as wide as it is; elsewhere columns with all of their text."""
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        table = Table(*heads, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        console.print(line.rstrip(), soft_wrap=True)


def _where(body: Mapping[str, Any]) -> str:
    text = f"segment {body['segment'] + 1} of {body['total_segments']}" if body["total_segments"] else "start"
    return f"{text}: {body['label']}" if body.get("label") else text


def _moment(text: str | None) -> str:
    return "" if not text else f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}"
