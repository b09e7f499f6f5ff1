"""Ask the person at the terminal, without blocking what runs meanwhile."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any

from statebag.app.output import print_error
from statebag.canonical import parse_json
from statebag.config import check_answer
from statebag.errors import InputRefused

__all__ = ["Lines", "ask_person"]

_CHUNK = 64 * 1024


class Lines:
    """Lines typed on stdin. Unlike a thread that reads, a wait for one can be given up."""

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._buffer = b""
        self._ended = False
        self._arrived = asyncio.Event()

    async def __aenter__(self) -> Lines:
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)

    async def next(self, prompt: str) -> str | None:
        """Print the prompt and wait for a line; None at the end of input."""
        sys.stderr.write(prompt)
        sys.stderr.flush()
        while b"\n" not in self._buffer and not self._ended:
            self._arrived.clear()
            await self._arrived.wait()
        if b"\n" not in self._buffer:
            return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace").strip()

    def _read(self) -> None:
        data = os.read(self._fd, _CHUNK)
        self._buffer += data
        if not data:
            self._ended = True
            asyncio.get_running_loop().remove_reader(self._fd)
        self._arrived.set()


async def ask_person(pause: Mapping[str, Any], lines: Lines, *, responder: str) -> dict[str, Any] | None:
    """Ask until there is an answer that the pause admits; None where nobody is there to ask."""
    sys.stderr.write(_question(pause))
    while True:
        choice = await lines.next("[a]pprove, [r]eject, or answer with a [v]alue: ")
        if choice is None:
            return None
        decision = {"a": "APPROVED", "r": "REJECTED", "v": "ANSWER"}.get(choice[:1].lower())
        if decision is None:
            continue
        answer: dict[str, Any] = {"pause_id": pause["pause_id"], "decision": decision, "responder": responder}
        if _asks_for_response(pause, decision):
            text = await lines.next(_response_prompt(pause))
            if text is None:
                return None
            answer["response"] = _read_choice(text, pause)
        try:
            check_answer(answer, pause)
        except InputRefused as refused:
            print_error(refused)
            continue
        return answer


def _read_response(text: str) -> Any:
    """JSON where the text is JSON, else the text itself."""
    try:
        return parse_json(text)
    except (ValueError, RecursionError):
        return text


def _question(pause: Mapping[str, Any]) -> str:
    lines = [f"pause {pause['pause_id']}: {pause.get('prompt') or 'the run waits for a person.'}"]
    lines += [f"  {number}. {option}" for number, option in enumerate(pause.get("options") or (), 1)]
    schema = pause.get("schema")
    if schema is not None:
        lines += [f"  the response is {_outline(schema)}"]
    return "\n".join(lines) + "\n"


def _outline(schema: Mapping[str, Any]) -> str:
    """A schema in a line: the fields of an object, else its type."""
    required = schema.get("required", ())
    fields = [
        f"{name}{'' if name in required else '?'}: {body.get('type', 'any') if isinstance(body, dict) else 'any'}"
        for name, body in schema.get("properties", {}).items()
    ]
    return f"JSON: {{{', '.join(fields)}}}" if fields else f"JSON of type {schema.get('type', 'any')}"


def _asks_for_response(pause: Mapping[str, Any], decision: str) -> bool:
    if decision == "REJECTED":
        return False
    return decision == "ANSWER" or bool(pause.get("options")) or pause.get("schema") is not None


def _response_prompt(pause: Mapping[str, Any]) -> str:
    return "option (number or text): " if pause.get("options") else "response (JSON or text): "


def _read_choice(text: str, pause: Mapping[str, Any]) -> Any:
    options = pause.get("options") or ()
    if not options:
        return _read_response(text)
    if text.isdecimal() and text not in options and 1 <= int(text) <= len(options):
        return options[int(text) - 1]
    return text
