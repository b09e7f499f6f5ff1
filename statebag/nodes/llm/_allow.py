"""What a worker's configuration allows to fetch from S3 and show to a model."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from statebag.nodes._environment import read_variable

__all__ = ["MEDIA_ALLOW_VARIABLE", "MediaAllow", "has_dots", "parse_media_allow", "read_media_allow"]

MEDIA_ALLOW_VARIABLE: Final = "STATEBAG_MEDIA_ALLOW"
_ENTRY: Final = re.compile(r"s3://(?P<bucket>[\w.-]{3,255})(?:/(?P<prefix>[^*]*))?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class MediaAllow:
    """Objects of S3 that a document may have fetched."""

    prefixes: tuple[tuple[str, str], ...] = ()
    """Bucket, and what a key in it is or is below of; empty for all of the bucket."""

    def covers(self, bucket: str, key: str) -> bool:
        """Whether an object is listed, or below something that is.

        A prefix ends where a folder does: ``a/b`` covers ``a/b`` and ``a/b/c``, but not ``a/bc``. No key with ``.``
        or ``..`` as a folder is covered: some servers resolve them.
        """
        if has_dots(key):
            return False
        return any(
            bucket == listed and (prefix in ("", key) or key.startswith(f"{prefix.removesuffix('/')}/"))
            for listed, prefix in self.prefixes
        )


def has_dots(key: str) -> bool:
    """Whether a folder of ``key`` is ``.`` or ``..``."""
    return not {".", ".."}.isdisjoint(key.split("/"))


def parse_media_allow(text: str) -> MediaAllow:
    """Read ``s3://bucket`` and ``s3://bucket/prefix``, with commas between them.

    Raises:
        ValueError: an entry is neither; the message is what it should be.
    """
    prefixes: list[tuple[str, str]] = []
    for entry in filter(None, map(str.strip, text.split(","))):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise ValueError(f"a list of s3://bucket/prefix, without `*`: see {entry!r}")
        prefixes.append((match["bucket"], match["prefix"] or ""))
    return MediaAllow(prefixes=tuple(prefixes))


def read_media_allow(environment: Mapping[str, str] = os.environ) -> MediaAllow:
    """The list in ``STATEBAG_MEDIA_ALLOW``.

    Raises:
        InputRefused: ``SETTING_INVALID``.
    """
    return read_variable(MEDIA_ALLOW_VARIABLE, parse_media_allow, environment)
