"""A ledger outside of the engine, to which the items of a map are paid by a node that a package brought.

It knows each call, and applies a payment once, whatever how often it is told of it: by a key that stays the same.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.site import OWNER, WORKFLOW, Document, Site
from tests.mapping import document_of

__all__ = ["AT_A_TIME", "IN_FLIGHT", "Ledger", "Payments", "paying", "recorded", "state_of"]

AT_A_TIME = 4
"""Items of a chunk at the same time."""
IN_FLIGHT = 4
"""Chunks at the same time."""

NODES = """
import os, time
from pathlib import Path
from statebag.nodes import NodeOutput


class Pay:
    name = "pay"
    outside = True

    def check(self, node, path):
        return ()

    def reads(self, node):
        return frozenset({"item"})

    def run(self, node, scope, context):
        item, key = scope["item"], context.seed(node.id).hex()
        folder = Path(os.environ["LEDGER"]) / context.execution_id

        def note(what):
            line = f"{what} {item} {os.getpid()}\\n".encode()
            calls = os.open(folder / "calls", os.O_WRONLY | os.O_APPEND)
            assert os.write(calls, line) == len(line)
            os.close(calls)

        def wait(moment):
            told = False
            while (folder / f"hold.{moment}").exists() or (folder / f"hold.{moment}.{item}").exists():
                if not told:
                    note("held")
                told = True
                context.heartbeat(None)
                time.sleep(0.02)

        note("in")
        try:
            time.sleep(node.config["seconds"])
            wait("before")
            (folder / "applied" / f"{item}.{key}").touch()  # the same key once more changes nothing
            wait("after")
        finally:
            note("out")
        return NodeOutput(changes={"paid": item, "text": f"item {item} is paid"})
"""
ENTRY_POINTS = "[statebag.nodes]\npay = pay_nodes:Pay\n"


@dataclass(frozen=True, kw_only=True)
class Payments:
    """What the runs of a site pay, each in a ledger of its own."""

    folder: Path

    @staticmethod
    def below(folder: Path) -> Payments:
        """Make the package with the node, and a place for ledgers."""
        info = folder / "pay_nodes-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / "pay_nodes.py").write_text(NODES)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pay_nodes\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(ENTRY_POINTS)
        return Payments(folder=folder)

    @property
    def environment(self) -> dict[str, str]:
        """Of workers."""
        return {"PYTHONPATH": str(self.folder), "LEDGER": str(self.folder)}

    def ledger(self, execution_id: str) -> Ledger:
        """That of a run; make it before the run starts."""
        folder = self.folder / execution_id
        (folder / "applied").mkdir(parents=True)
        (folder / "calls").touch()
        return Ledger(folder=folder)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Calls of one run, and the payments that were applied."""

    folder: Path

    def calls(self) -> list[int]:
        """Items in the order of the calls, repeated ones included."""
        return [item for what, item, _ in self._lines() if what == "in"]

    def repeated(self) -> int:
        """Calls beyond the first one of each item."""
        calls = self.calls()
        return len(calls) - len(set(calls))

    def applied(self) -> Counter[int]:
        """How often each item was paid."""
        return Counter(int(entry.name.partition(".")[0]) for entry in (self.folder / "applied").iterdir())

    def under_way(self, process: int) -> set[int]:
        """Items whose call in that process has not ended."""
        mine = [(what, item) for what, item, pid in self._lines() if pid == process]
        return {item for what, item in mine if what == "in"} - {item for what, item in mine if what == "out"}

    def held(self, process: int) -> set[int]:
        """Items whose call in that process waits; not those that were too far on to be held."""
        told = {item for what, item, pid in self._lines() if pid == process and what == "held"}
        return told & self.under_way(process)

    def hold(self, moment: str, item: int | None = None) -> None:
        """Let calls, or that of one item, wait ``before`` or ``after`` the payment is applied."""
        (self.folder / f"hold.{moment}{'' if item is None else f'.{item}'}").touch()

    def release(self) -> None:
        """Let all go on."""
        for hold in self.folder.glob("hold.*"):
            hold.unlink()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait; the test's own time-out is the end of it."""
        while not true():
            await asyncio.sleep(0.02)

    def _lines(self) -> list[tuple[str, int, int]]:
        # A line that is just being written has no end yet.
        lines = (self.folder / "calls").read_text().splitlines(keepends=True)
        split = [line.split() for line in lines if line.endswith("\n")]
        return [(what, int(item), int(pid)) for what, item, pid in split]


def paying(items: int, *, chunk_size: int, seconds: float = 0.02, **config: Any) -> Document:
    """A document that pays the numbers below ``items`` in chunks."""
    given = {"seconds": seconds, "heartbeat_seconds": 2, "retry_config": {"base_delay": 0.1, "max_delay": 0.5}}
    pay = {"id": "p", "type": "pay", "config": given}
    options = {"chunk_size": chunk_size, "max_concurrency": IN_FLIGHT, "item_concurrency": AT_A_TIME, **config}
    return {**document_of(pay, **options), "initial_state": {"xs": list(range(items))}}


def recorded(site: Site, execution_id: str) -> set[int]:
    """Items whose result is in the store."""
    blobs = site.plugin.store.execution(OWNER, WORKFLOW, execution_id)
    found = (blobs.read_record(name) for name in blobs.list_records("steps/maps/"))
    return {int(record["key"].split("/")[1]) for record in found if record is not None}


def state_of(site: Site, result: Mapping[str, Any]) -> dict[str, Any]:
    """The user's variables at the end."""
    return site.plugin.engine.read_bag(site.place(result)).user.whole()
