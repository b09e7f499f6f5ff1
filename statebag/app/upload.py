"""``statebag upload``: put a file where runs find it."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import BinaryIO, cast

import click

from statebag.app.output import print_json, print_note
from statebag.app.settings import Settings
from statebag.blobs import open_store
from statebag.errors import StateBagError

__all__ = ["upload"]


@click.command()
@click.argument("path")
@click.option("--name", help="Name that maps read it by, such as 2026/orders.csv.  [default: that of PATH]")
@click.option("--owner", default="local", show_default=True, help="Whose runs may read it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else.")
def upload(path: str, *, name: str | None, owner: str, as_json: bool) -> int:
    """Put the file PATH ("-" for stdin) into the store, for maps to read items from.

    It goes into the store that STATEBAG_STORE names, in place of the owner's file of the same name. No server is asked.
    """
    if path == "-" and name is None:
        raise click.UsageError("a file from stdin has no name: give it one by --name.")
    settings = Settings.from_environment()
    files = open_store(settings.store, fsync=settings.store_fsync).files(owner)
    given = Path(path).name if name is None else name
    with contextlib.ExitStack() as stack:
        if path == "-":
            opened = cast("BinaryIO", sys.stdin.buffer)
        else:
            try:
                opened = stack.enter_context(Path(path).open("rb"))
            except (OSError, ValueError) as cause:
                raise _unreadable(path, cause) from cause
        size = files.put(given, cast("BinaryIO", _Source(opened, path)))
    if as_json:
        print_json({"file": given, "owner": owner, "size_bytes": size, "store": settings.store})
        return 0
    print_note(f'uploaded {path}: {size:,} bytes, as file "{given}" of {owner}')
    if "STATEBAG_STORE" not in os.environ:
        print_note(
            f"it is in {settings.store}, since STATEBAG_STORE is not set; set it to that where a run shall read the file."
        )
    return 0


class _Source:
    """A file from the command line, whose errors are told apart from those of the store."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except OSError as cause:
            raise _unreadable(self._path, cause) from cause

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int) -> int:
        return self._file.seek(offset)

    def tell(self) -> int:
        return self._file.tell()


def _unreadable(path: str, cause: Exception) -> StateBagError:
    reason = getattr(cause, "strerror", None) or cause
    return StateBagError(f"{path}: can't be read: {reason}. Check the path.", code="FILE_UNREADABLE")
