"""Objects as files below one directory."""

# pathlib costs as much as the system calls of a small write.
# ruff: noqa: PTH100, PTH103, PTH105, PTH108, PTH106, PTH116, PTH120, PTH123

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import re
import stat
import time
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from statebag.blobs._backend import Listed, Version, changed, denied, not_found, unavailable
from statebag.blobs._codec import corrupt
from statebag.errors import StateBagError

__all__ = ["LocalBackend"]

_PLAIN_KEY = re.compile(r"(?:(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+(?:/|$))+(?<!/)")
_TEMPORARY = "~"
"""First character of unfinished files; no name that stands for a key contains it."""
_TRANSIENT = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN, errno.EBUSY, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
    | {errno.ESTALE, errno.ETIMEDOUT, errno.EINTR}
)
_ABSENT = (FileNotFoundError, NotADirectoryError)
_COPY_BYTES = 1024 * 1024


class LocalBackend:
    """Keeps each object in a file of its own, for one machine or a shared file system with hard links.

    A file appears under its name whole or not at all, whenever the process dies. What a
    killed process leaves behind has a name of its own kind, which :meth:`sweep` removes.

    Args:
        root: Directory of the store; made on the first write.
        fsync: Wait for the disk on each write. Without it a power cut, but no crash of the
            process, may lose the newest objects; reads notice that.
    """

    parallel = False

    def __init__(self, root: Path, *, fsync: bool = False) -> None:
        self._root = os.path.abspath(root)
        self._fsync = fsync
        self._sequence = itertools.count()
        self._mine = os.urandom(6).hex()

    @property
    def root(self) -> Path:
        """Directory of the store."""
        return Path(self._root)

    def location(self) -> str:
        """The directory as a ``file://`` address."""
        return Path(self._root).as_uri()

    def read(self, key: str, *, max_bytes: int | None = None) -> bytes:
        """Read the file, whose size is checked before."""
        try:
            with open(self._path(key), "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                if max_bytes is not None and size > max_bytes:
                    raise corrupt(key, f"{size} bytes are stored, at most {max_bytes} belong there")
                return file.readall()
        except (*_ABSENT, IsADirectoryError) as cause:
            raise not_found(self, key) from cause
        except OSError as cause:
            raise self._error(f"reading {key}", cause) from cause

    def read_range(self, key: str, start: int, length: int, *, version: Version | None = None) -> bytes:
        """Read a part of the file that is open: one that is put in its place meanwhile makes no difference."""
        try:
            with open(self._path(key), "rb", buffering=0) as file:
                if version is not None and _version_of(os.fstat(file.fileno())) != version:
                    raise changed(self, key)
                file.seek(start)
                parts: list[bytes] = []
                while length and (part := file.read(length)):
                    parts.append(part)
                    length -= len(part)
                if version is not None and _version_of(os.fstat(file.fileno())) != version:
                    raise changed(self, key)
                return b"".join(parts)
        except (*_ABSENT, IsADirectoryError) as cause:
            raise not_found(self, key) from cause
        except OSError as cause:
            raise self._error(f"reading {key}", cause) from cause

    def version(self, key: str) -> Version:
        """What the file's size, its time of writing and its number on the disk are."""
        try:
            status = os.stat(self._path(key))
        except _ABSENT as cause:
            raise not_found(self, key) from cause
        except OSError as cause:
            raise self._error(f"looking for {key}", cause) from cause
        if not stat.S_ISREG(status.st_mode):
            raise not_found(self, key)
        return _version_of(status)

    def size(self, key: str) -> int:
        """The file's size."""
        return self.version(key).size_bytes

    def replace(self, key: str, stream: BinaryIO) -> int:
        """Write beside the final name, then rename. Readers that have the old file open read it to its end."""
        path, temporary = self._path(key), self._temporary(key)
        directory = os.path.dirname(path)
        size = 0
        with self._writing(key):
            file = self._open_new(directory, temporary)
        try:
            with file:
                while part := stream.read(_COPY_BYTES):
                    size += len(part)
                    with self._writing(key):
                        _write_all(file, part)
                with self._writing(key):
                    if self._fsync:
                        os.fsync(file.fileno())
                    os.replace(temporary, path)
                    if self._fsync:
                        _sync_directory(directory)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        return size

    def write_if_absent(self, key: str, data: bytes) -> bool:
        """Write beside the final name, then link: the one step that the file system makes atomic and exclusive."""
        path, temporary = self._path(key), self._temporary(key)
        directory = os.path.dirname(path)
        try:
            self._write_new(directory, temporary, data)
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            finally:
                os.unlink(temporary)
            if self._fsync:
                _sync_directory(directory)
        except OSError as cause:
            raise self._error(f"writing {key}", cause) from cause
        return True

    def exists(self, key: str) -> bool:
        """Whether the key's file is there."""
        try:
            return stat.S_ISREG(os.stat(self._path(key)).st_mode)
        except _ABSENT:
            return False
        except OSError as cause:
            raise self._error(f"looking for {key}", cause) from cause

    def list(self, prefix: str) -> Iterator[Listed]:
        """Walk the directory that the prefix names. Files that vanish meanwhile are left out."""
        parent = prefix.rpartition("/")[0]
        start = self._path(parent) if parent else self._root
        for entry in self._walk(start):
            key = "/".join(map(unquote, entry.path[len(self._root) :].strip("/").split("/")))
            if key.startswith(prefix):
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield Listed(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def delete(self, key: str) -> None:
        """Remove the file, and the directories that this leaves empty."""
        path = self._path(key)
        try:
            os.unlink(path)
        except _ABSENT:
            return
        except OSError as cause:
            raise self._error(f"deleting {key}", cause) from cause
        directory = os.path.dirname(path)
        while directory != self._root:
            try:
                os.rmdir(directory)
            except OSError:
                # Not empty, or a writer was faster: it stays.
                return
            directory = os.path.dirname(directory)

    def sweep(self, *, older_than: timedelta = timedelta(hours=1)) -> int:
        """Remove unfinished files that killed processes left behind; how many there were."""
        before = time.time() - older_than.total_seconds()
        removed = 0
        for entry in self._walk(self._root, unfinished=True):
            try:
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    os.unlink(entry.path)
                    removed += 1
            except FileNotFoundError:
                continue
        return removed

    def _path(self, key: str) -> str:
        if _PLAIN_KEY.fullmatch(key):
            return f"{self._root}/{key}"
        parts = key.split("/")
        if "\0" in key or any(part in ("", ".", "..") for part in parts):
            raise denied(self, f"the key {key!r}", "a key has no empty part and no part of dots")
        return f"{self._root}/" + "/".join(quote(part, safe="").replace("~", "%7E") for part in parts)

    def _temporary(self, key: str) -> str:
        directory = os.path.dirname(self._path(key))
        return f"{directory}/{_TEMPORARY}{os.getpid()}-{self._mine}-{next(self._sequence)}"

    @contextlib.contextmanager
    def _writing(self, key: str) -> Generator[None]:
        try:
            yield
        except OSError as cause:
            raise self._error(f"writing {key}", cause) from cause

    def _open_new(self, directory: str, temporary: str) -> io.FileIO:
        # Directories are made only when one turns out to be missing, and again when a
        # delete in another process removed the empty one in between.
        for _ in range(100):
            try:
                return open(temporary, "xb", buffering=0)
            except FileNotFoundError:
                with contextlib.suppress(FileNotFoundError):
                    os.makedirs(directory, exist_ok=True)
        raise OSError(errno.EBUSY, "the directory is removed again and again", directory)

    def _write_new(self, directory: str, temporary: str, data: bytes) -> None:
        file = self._open_new(directory, temporary)
        try:
            with file:
                _write_all(file, data)
                if self._fsync:
                    os.fsync(file.fileno())
        except BaseException:
            os.unlink(temporary)
            raise

    def _walk(self, start: str, *, unfinished: bool = False) -> Iterator[os.DirEntry[str]]:
        pending = [start]
        while pending:
            try:
                with os.scandir(pending.pop()) as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except _ABSENT:
                continue
            except OSError as cause:
                raise self._error("listing", cause) from cause
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.name.startswith(_TEMPORARY) == unfinished:
                    yield entry

    def _error(self, doing: str, cause: OSError) -> StateBagError:
        return unavailable(self, doing, cause) if cause.errno in _TRANSIENT else denied(self, doing, cause)


def _version_of(status: os.stat_result) -> Version:
    return Version(status.st_size, f"{status.st_dev}-{status.st_ino}-{status.st_mtime_ns}")


def _write_all(file: io.FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
