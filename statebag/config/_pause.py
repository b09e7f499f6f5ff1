"""The ``metadata`` of a hitp edge: what is asked of a person."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from statebag.config._model import PauseSpec
from statebag.config._reading import child_path, name_near, read_fields, report_unknown
from statebag.config.reserved import RESERVED_KEYS
from statebag.config.schemas import check_schema
from statebag.errors import Problem

__all__ = ["PAUSE_FIELDS", "read_pause"]

_NAME = "the id of a node"


class _Pause(BaseModel):
    model_config = ConfigDict(strict=True)

    prompt: str | None = Field(None, description="text to show to the person")
    timeout_seconds: float | None = Field(
        None, gt=0, le=31_536_000, description="a number of seconds above 0, up to a year"
    )
    options: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None, description="a list of the texts that an answer may be"
    )
    schema_: dict[str, Any] | None = Field(None, alias="schema", description="a JSON Schema object")
    output_key: str | None = Field(None, min_length=1, description="the name of a user field")
    on_reject: str | None = Field(None, description=_NAME)
    on_timeout: str | None = Field(None, description=_NAME)


PAUSE_FIELDS = frozenset(info.alias or name for name, info in _Pause.model_fields.items())
"""Names that have a meaning in a hitp edge's ``metadata``."""


def read_pause(metadata: Any, path: str, node_ids: Collection[str]) -> tuple[PauseSpec, list[Problem]]:
    """Read the pause of the hitp edge at ``path``; null metadata asks with the defaults."""
    if metadata is None:
        return PauseSpec(), []
    path = child_path(path, "metadata")
    given, findings = read_fields(_Pause, metadata, path)
    findings += report_unknown(metadata, PAUSE_FIELDS, path, quiet=("label", "style", "animated"))
    if "schema" in given:
        findings += check_schema(given["schema"], child_path(path, "schema"))
    for key in ("on_reject", "on_timeout"):
        target = given.get(key)
        if target is not None and target not in node_ids:
            message = f"`{key}` names no node: {target!r}.{name_near(target, node_ids)} Give it the id of a node."
            findings.append(Problem(path=child_path(path, key), code="FIELD_VALUE", message=message))
    if given.get("output_key") in RESERVED_KEYS:
        message = f"`{given.pop('output_key')}` is reserved. The answer is kept in `last_hitp_response` only."
        findings.append(Problem(path=child_path(path, "output_key"), code="RESERVED_KEY", message=message))
    return PauseSpec.from_json(given), findings
