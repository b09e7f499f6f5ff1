"""Texts that are sent into the sandbox and run there in front of the code of a node; nothing imports them.

They are written in the Python that the interpreter knows: without inheritance, generators, properties and ``del``, and
with ``from_timestamp`` and the like in place of what it lacks. Each keeps to names that begin with ``_statebag``.
"""

from __future__ import annotations

import functools
from importlib.resources import files

__all__ = ["text_of"]


@functools.cache
def text_of(name: str) -> str:
    """The text of one file, without what is only for those who read it here."""
    return files(__name__).joinpath(f"{name}.py").read_text(encoding="utf-8")
