"""The ``statebag`` command: what can be typed, and how each ends. The work is in the modules beside."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from temporalio.client import Client

from statebag.app.answers import send_answer
from statebag.app.asl import asl
from statebag.app.attend import person
from statebag.app.bench import bench
from statebag.app.check import check
from statebag.app.codec import codec
from statebag.app.connect import connect
from statebag.app.dev import dev as serve_dev
from statebag.app.flowchart import draw_plan
from statebag.app.inputs import read_request, read_response
from statebag.app.logs import set_up_logging
from statebag.app.output import (
    exit_status_of,
    failure_body,
    print_error,
    print_json,
    print_note,
    print_text,
    print_warnings,
)
from statebag.app.plan import read_plan, show_plan
from statebag.app.plugin import StateBagPlugin
from statebag.app.redrive import redrive
from statebag.app.run import Detached
from statebag.app.run import run as run_to_end
from statebag.app.runs import history_of, list_runs, status_of
from statebag.app.settings import Settings
from statebag.app.tables import show_history, show_runs, show_status
from statebag.app.upload import upload
from statebag.app.verdict import tell_detached, tell_outcome
from statebag.config import check_answer
from statebag.errors import StateBagError
from statebag.nodes import load_registry

__all__ = ["cli", "main", "run_command"]

T = TypeVar("T")

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="statebag", prog_name="statebag")
def cli() -> None:
    """Run long, partly human workflows described in JSON, durably on Temporal.

    The server is the one that TEMPORAL_ADDRESS or a profile of temporal.toml names. Settings of the worker and
    the store are STATEBAG_* variables.
    """


@cli.command()
@click.argument("file")
@click.option("--input", "given", metavar="JSON|@FILE", help="The variables that the run starts with, one object.")
@click.option("--mock", is_flag=True, help="Answer model calls and other outside calls locally, always the same way.")
@click.option("--auto-approve", is_flag=True, help="Approve whatever a person is asked.")
@_json
@click.option(
    "--id",
    "execution_id",
    metavar="ID",
    help="The run's id. With the same input it leads to the same run; with another it is refused.",
)
@click.option("--owner", default="local", show_default=True, help="Whom the run belongs to.")
def run(
    file: str, given: str | None, *, mock: bool, auto_approve: bool, as_json: bool, execution_id: str | None, owner: str
) -> int:
    """Run the workflow document FILE ("-" for stdin) to its end.

    Uses the Temporal server that the environment names, and a worker in this process where no other polls. Where
    none is named, a server runs as long as this command does.

    The exit status is 0 for a run that SUCCEEDED, 2 for a document or an input that was refused, else 1.
    """
    settings, registry = Settings.from_environment(), load_registry()
    set_up_logging(max(logging.WARNING, _level(settings)))
    request = read_request(file, given, registry=registry, mock=mock, owner_id=owner, execution_id=execution_id)
    print_warnings(request.warnings)
    try:
        outcome = asyncio.run(run_to_end(request, settings, registry, auto_approve=auto_approve))
    except Detached as left:
        return tell_detached(left, as_json=as_json)
    except StateBagError as error:
        error.details.setdefault("execution_id", request.execution_id)
        raise
    return tell_outcome(outcome, as_json=as_json)


@cli.command()
@click.argument("file")
@_json
@click.option("--mermaid", is_flag=True, help="Print a Mermaid flowchart on stdout, nothing else.")
def plan(file: str, *, as_json: bool, mermaid: bool) -> int:
    """Show the segments of the document FILE ("-" for stdin).

    Nothing is run, and no server is asked. The exit status is 2 for a document that was refused.
    """
    if as_json and mermaid:
        raise click.UsageError("--json and --mermaid exclude each other: give one of the two.")
    loaded, found = read_plan(file, load_registry())
    print_warnings(loaded.warnings)
    if as_json:
        print_json(found.to_json())
    elif mermaid:
        print_text(draw_plan(found))
    else:
        show_plan(found, loaded.document.workflow_name)
    return 0


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), default=7233, show_default=True, help="Of the server.")
@click.option("--ui-port", type=click.IntRange(1, 65535), help="Of its web page.  [default: 1000 above --port]")
@click.option("--db", type=click.Path(path_type=Path), help="File that keeps the runs.  [default: in your data folder]")
def dev(port: int, ui_port: int | None, db: Path | None) -> int:
    """Start a server, its web page and a worker, until Ctrl-C.

    Runs are kept in a file, and go on when it is started again.
    """
    settings = Settings.from_environment()
    set_up_logging(_level(settings))
    asyncio.run(serve_dev(settings, port=port, ui_port=ui_port, database=db))
    return 0


@cli.command()
@click.argument("execution_id", metavar="ID")
@_json
def status(execution_id: str, *, as_json: bool) -> int:
    """Show a run: where it is, and what it waits for."""
    body = _with_client(lambda client, _: status_of(client, execution_id))
    print_json(body) if as_json else show_status(body)
    return 0


@cli.command("list")
@click.option("--status", metavar="STATUS", help="RUNNING, SUCCEEDED, FAILED, CANCELED, TERMINATED or TIMED_OUT.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@_json
def list_(status: str | None, limit: int, *, as_json: bool) -> int:
    """Show the newest runs."""
    wanted = status.upper() if status is not None else None
    found = _with_client(lambda client, _: list_runs(client, status=wanted, limit=limit))
    print_json({"runs": found}) if as_json else show_runs(found)
    return 0


@cli.command()
@click.argument("execution_id", metavar="ID")
@_json
def history(execution_id: str, *, as_json: bool) -> int:
    """Show what a run has done, oldest first."""
    body = _with_client(lambda client, plugin: history_of(client, execution_id, plugin.engine))
    print_json(body) if as_json else show_history(body)
    return 0


@cli.command()
@click.argument("execution_id", metavar="ID")
@click.option("--pause", "pause_id", help="Which pause; needed where the run waits at several.")
@click.option("--decision", default="APPROVED", show_default=True, help="APPROVED, REJECTED, or ANSWER.")
@click.option("--response", metavar="JSON|@FILE|TEXT", help="What is answered, where the pause asks for it.")
@click.option("--by", "responder", help="Who answers.  [default: you]")
@click.option(
    "--wait", type=click.FloatRange(min=0), default=600.0, show_default=True, help="Seconds to wait for a worker."
)
@_json
def respond(
    execution_id: str,
    *,
    pause_id: str | None,
    decision: str,
    response: str | None,
    responder: str | None,
    wait: float,
    as_json: bool,
) -> int:
    """Answer a pause of a run.

    Where no worker runs, the answer is sent again until one takes it, so that it is not lost.
    """
    answer: dict[str, Any] = {"decision": decision.upper(), "responder": person() if responder is None else responder}
    answer |= {"pause_id": pause_id} if pause_id is not None else {}
    answer |= {"response": read_response(response)} if response is not None else {}
    if "response" in answer or answer["decision"] != "ANSWER":
        check_answer(answer, {})

    async def send(client: Client, _: StateBagPlugin) -> dict[str, Any]:
        handle = client.get_workflow_handle(execution_id)
        return await send_answer(
            handle, answer, wait_seconds=wait, on_wait=lambda: print_note("no worker answers yet; still trying")
        )

    taken = _with_client(send)
    if as_json:
        print_json({"execution_id": execution_id, **taken})
    else:
        print_note(f"pause {taken['pause_id']} of {execution_id}: {taken['decision']}")
    return 0


cli.add_command(asl)
cli.add_command(check)
cli.add_command(bench)
cli.add_command(upload)
cli.add_command(codec)
cli.add_command(redrive)


def _with_client(work: Callable[[Client, StateBagPlugin], Coroutine[Any, Any, T]]) -> T:
    """Do something with the server that the environment names."""

    async def do() -> T:
        settings = Settings.from_environment()
        set_up_logging(logging.ERROR)
        plugin = StateBagPlugin(settings)
        return await work(await connect(plugin), plugin)

    return asyncio.run(do())


def _level(settings: Settings) -> int:
    return logging.getLevelNamesMapping()[settings.log_level]


def main() -> NoReturn:
    """Entry of the command.

    Leaves without the interpreter's own clean-up: the SDK's threads may still call into Python, which then
    aborts, and a node's thread that a cancelled run has left behind would keep the process alive.
    """
    status = run_command()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def run_command() -> int:
    """Do what ``sys.argv`` says; every end has an exit status, and every error a code and no traceback."""
    as_json = "--json" in sys.argv[1:]
    try:
        return cli.main(standalone_mode=False, prog_name="statebag") or 0
    except click.exceptions.Exit as left:
        return left.exit_code
    except click.UsageError as wrong:
        if wrong.ctx is not None:
            print_note(wrong.ctx.get_usage())
        error = StateBagError(wrong.format_message(), code="USAGE")
    except (click.Abort, KeyboardInterrupt):
        error = StateBagError("interrupted.", code="RUN_CANCELED")
    except StateBagError as refused:
        error = refused
    except BrokenPipeError:
        # Nobody reads our output any more: keep the interpreter from complaining of it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if as_json:
        print_json(failure_body(error))
    print_error(error)
    return exit_status_of(error)
