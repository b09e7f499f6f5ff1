"""``statebag run``: start a run or join it, watch it to its end, answer its pauses."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from statebag.app.attend import attend
from statebag.app.display import Display, choose_display
from statebag.app.failures import typed_rpc_errors
from statebag.app.inputs import RunRequest
from statebag.app.outcome import Outcome, outcome_of
from statebag.app.output import error_body
from statebag.app.place import Place, open_place
from statebag.app.settings import Settings
from statebag.app.start import Handle, start_run
from statebag.errors import StateBagError
from statebag.nodes import NodeRegistry

__all__ = ["Detached", "run", "stop_signals", "watch"]

_CANCEL_SECONDS = 5.0


class Detached(Exception):
    """The person at the terminal has stopped watching a run that goes on."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(execution_id)
        self.execution_id = execution_id


async def run(request: RunRequest, settings: Settings, registry: NodeRegistry, *, auto_approve: bool) -> Outcome:
    """Run to the end.

    Args:
        request: What to run.
        settings: Of the worker in this process, where there is one, and of the store.
        registry: The node types.
        auto_approve: Answer each pause with an approval.

    Raises:
        StateBagError: the run could not be started or watched.
        Detached: Ctrl-C, with a server that goes on without us.
    """
    async with stop_signals() as stop, open_place(settings, registry) as place:
        started = await start_run(place.client, request, place.plugin.store, task_queue=settings.task_queue)
        said = f"run {request.execution_id}{' goes on or is over: joined' if started.joined else ' started'}"
        outcome = await watch(started.handle, place, stop, said=said, auto_approve=auto_approve)
        return {**outcome, "machine": started.machine}


async def watch(handle: Handle, place: Place, stop: asyncio.Event, *, said: str, auto_approve: bool) -> Outcome:
    """Show a run until it ends.

    Args:
        handle: The run.
        place: Where it is.
        stop: Ends the watching; with a server of our own, the run too.
        said: The first line.
        auto_approve: Answer each pause with an approval.

    Raises:
        StateBagError: the run could not be watched.
        Detached: ``stop`` was set, with a server that goes on without us.
    """
    display = choose_display()
    try:
        display.note(said)
        return await _watch(handle, place, display, stop, auto_approve=auto_approve)
    finally:
        display.close()


async def _watch(handle: Handle, place: Place, display: Display, stop: asyncio.Event, *, auto_approve: bool) -> Outcome:
    ending = asyncio.create_task(
        outcome_of(place.client, handle, place.plugin.engine, ensure_worker=place.ensure_worker)
    )
    address = place.address if place.embedded else None
    watching = asyncio.create_task(
        attend(handle, display, auto_approve=auto_approve, address=address, ensure_worker=place.ensure_worker)
    )
    stopping = asyncio.create_task(stop.wait())
    tasks = (ending, watching, stopping)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done() and watching.done():
            # Only an answer that can't be made ends it, or a server that is gone.
            error = watching.exception()
            if not place.embedded or not isinstance(error, StateBagError):
                watching.result()
            else:
                return {**await _cancel(handle, ending), "status": "FAILED", "error": error_body(error)}
        if not ending.done():
            if not place.embedded:
                raise Detached(handle.id)
            display.note("stopping: the run is canceled")
            return await _cancel(handle, ending)
        return ending.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _cancel(handle: Handle, ending: asyncio.Task[Outcome]) -> Outcome:
    with typed_rpc_errors(handle.id):
        await handle.cancel()
    done, _ = await asyncio.wait({ending}, timeout=_CANCEL_SECONDS)
    if done:
        return ending.result()
    text = f"the run did not end within {_CANCEL_SECONDS:.0f} s of being canceled; its server is stopped."
    return {"status": "CANCELED", "execution_id": handle.id, "error": {"code": "RUN_CANCELED", "message": text}}


@asynccontextmanager
async def stop_signals() -> AsyncGenerator[asyncio.Event]:
    """An event for SIGINT and SIGTERM, in place of what they do otherwise."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
