"""Strategies that convert: garbage is refused, unless a default is given for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from statebag.config.templates import text_of
from statebag.errors import NodeFailed
from statebag.nodes.strategies._kinds import is_number, kind_of, read_number
from statebag.nodes.strategies._params import ABSENT, Param, word
from statebag.nodes.strategies._strategy import Strategy, StrategyContext

__all__ = ["STRATEGIES"]

_TRUE: Final = frozenset({"true", "1", "yes", "on", "t", "y"})
_FALSE: Final = frozenset({"false", "0", "no", "off", "f", "n", ""})
_ISO: Final = frozenset({"ISO", "ISO8601"})


def _refuse(value: Any, wanted: str) -> NodeFailed:
    shown = f" ({value[:40]!r})" if isinstance(value, str) else ""
    return NodeFailed(f"{kind_of(value)}{shown} can't be made {wanted}. Correct the input, or give a `default`.")


def to_number(value: Any) -> int | float:
    """A number out of a number, a boolean, or a text that is one."""
    number = read_number(value) if isinstance(value, str) else value
    if isinstance(number, bool):
        return int(number)
    if not is_number(number):
        raise _refuse(value, "a number")
    return number


def _to_int(value: Any) -> int:
    return int(to_number(value))


def _to_float(value: Any) -> float:
    try:
        return float(to_number(value))
    except OverflowError:
        raise _refuse(value, "a float: it is too large") from None


def _to_bool(value: Any) -> bool:
    if not isinstance(value, str):
        return bool(value)
    text = value.strip().lower()
    if text not in _TRUE | _FALSE:
        raise _refuse(value, "a boolean")
    return text in _TRUE


def _read_date(value: Any, layout: str | None) -> datetime:
    try:
        if is_number(value):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            text = value.strip()
            return datetime.strptime(text, layout) if layout else datetime.fromisoformat(text)  # noqa: DTZ007 - as given
    except (ValueError, OverflowError, OSError):
        pass
    raise _refuse(value, f"a date as {layout}" if layout else "a date: it is not ISO 8601")


def _converting(
    convert: Callable[[Any], Any], of_null: Any
) -> Callable[[Any, Mapping[str, Any], StrategyContext], Any]:
    def apply(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
        return _or_default(lambda: convert(value), value, params["default"], of_null)

    return apply


def _or_default(convert: Callable[[], Any], value: Any, default: Any, of_null: Any) -> Any:
    if value is None:
        return of_null if default is ABSENT else default
    try:
        return convert()
    except NodeFailed:
        if default is ABSENT:
            raise
        return default


def _to_date(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    return _or_default(lambda: _read_date(value, params["format"]).isoformat(), value, params["default"], None)


def _format_date(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    layout: str = params["format"]

    def convert() -> str:
        moment = _read_date(value, None)
        return moment.isoformat() if layout.upper() in _ISO else moment.strftime(layout)

    return _or_default(convert, value, params["default"], None)


_TO: Final[Mapping[str, tuple[Callable[[Any], Any], Any]]] = {
    "string": (text_of, ""),
    "int": (_to_int, 0),
    "float": (_to_float, 0.0),
    "bool": (_to_bool, False),
    "date": (lambda value: _read_date(value, None).isoformat(), None),
}


def _coerce_type(value: Any, params: Mapping[str, Any], context: StrategyContext) -> Any:
    convert, of_null = _TO[params["type"]]
    return _or_default(lambda: convert(value), value, params["default"], of_null)


_DEFAULT: Final = {"default": Param(default=ABSENT)}

STRATEGIES: Final = (
    Strategy(name="to_int", apply=_converting(*_TO["int"]), params=_DEFAULT),
    Strategy(name="to_float", apply=_converting(*_TO["float"]), params=_DEFAULT),
    Strategy(name="to_bool", apply=_converting(*_TO["bool"]), params=_DEFAULT),
    Strategy(name="to_string", apply=_converting(*_TO["string"]), params=_DEFAULT),
    Strategy(name="to_date", apply=_to_date, params={**_DEFAULT, "format": Param(kind="text")}),
    Strategy(
        name="format_date",
        apply=_format_date,
        params={**_DEFAULT, "format": Param(kind="text", default="%Y-%m-%d %H:%M:%S")},
    ),
    Strategy(
        name="coerce_type",
        apply=_coerce_type,
        params={
            **_DEFAULT,
            "type": Param(
                kind="word",
                required=True,
                choices=word(
                    "string",
                    "int",
                    "float",
                    "bool",
                    "date",
                    integer="int",
                    number="float",
                    boolean="bool",
                    datetime="date",
                ),
            ),
        },
    ),
)
