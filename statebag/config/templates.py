"""Templates: ``{{ path }}``, filters, ``{% if %}``, ``{% for %}``.

A text that is exactly one placeholder gives the value with its type; any other gives text, in which null and what is
missing are nothing, and lists, objects, numbers and booleans are JSON. Paths are written bare, or with ``$.``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final

from statebag.config._expression_terms import Budget
from statebag.config._names import Names, Source, names_of
from statebag.config._template_parser import TemplateError, parse_pieces
from statebag.config._template_pieces import OUTPUT_LIMIT, Output, Piece, Placeholder, Text, text_of
from statebag.config.expressions import EVALUATION_LIMIT, top_level_names
from statebag.config.paths import Parts, print_path
from statebag.errors import NodeFailed, Problem

__all__ = [
    "OUTPUT_LIMIT",
    "Template",
    "TemplateError",
    "check_templates",
    "has_template",
    "parse_template",
    "placeholders_in",
    "render",
    "render_text",
    "template_fields",
    "text_of",
]

_MAX_NESTING: Final = 200


@dataclass(frozen=True, kw_only=True)
class Template:
    """A parsed template."""

    text: str
    """As it was written."""
    pieces: tuple[Piece, ...]

    def render(self, names: Names, budget: Budget) -> Any:
        """The value of a lone placeholder, or else text."""
        if len(self.pieces) == 1 and isinstance(self.pieces[0], Placeholder):
            return self.pieces[0].value(names, budget)
        output = Output()
        for piece in self.pieces:
            piece.write(names, budget, output)
        return output.text()

    def references(self) -> Iterator[Parts]:
        """Paths that it reads."""
        for piece in self.pieces:
            yield from piece.references()


def has_template(text: str) -> bool:
    """Whether there is anything to render in ``text``."""
    return "{{" in text or "{%" in text


def parse_template(text: str) -> Template:
    """Read a template.

    Raises:
        TemplateError: a tag is unknown, unclosed or out of place.
    """
    if not has_template(text):
        return Template(text=text, pieces=(Text(text),) if text else ())
    return _parse(text)


@lru_cache(maxsize=1024)
def _parse(text: str) -> Template:
    return Template(text=text, pieces=parse_pieces(text))


def render(value: Any, lookup: Source | Names, *, limit: int = EVALUATION_LIMIT) -> Any:
    """Render the templates in a JSON value: in texts, in list items, in the values of objects.

    Args:
        value: The value; it is not changed.
        lookup: A scope, a mapping, or a function of the name that gives null or raises KeyError for what it has not
            (then ``__state_json`` has nothing to show).
        limit: Steps that all of it may take together.

    Raises:
        NodeFailed: ``EVALUATION_LIMIT``, when the steps are used up or the text grows over :data:`OUTPUT_LIMIT`.
        TemplateError: a template is malformed.
    """
    return _render(value, _names(lookup), Budget(limit), 0)


def render_text(text: str, lookup: Source | Names, *, limit: int = EVALUATION_LIMIT) -> str:
    """Render a template to text, also where it is a lone placeholder."""
    return text_of(parse_template(text).render(_names(lookup), Budget(limit)))


def template_fields(value: Any) -> frozenset[str] | None:
    """The top-level names that the templates in ``value`` read; null when one of them reads everything."""
    return top_level_names(parts for _, text in _texts(value, ()) for parts in parse_template(text).references())


def check_templates(value: Any, path: str) -> Iterator[Problem]:
    """A problem for each malformed template in ``value``, which lies at the JSON path ``path``."""
    for parts, text in _texts(value, ()):
        try:
            parse_template(text)
        except TemplateError as error:
            yield Problem(path=path + print_path(parts)[1:], code=error.code, message=error.message)


def placeholders_in(text: str) -> Iterator[str | Callable[[Names, int], Any]]:
    """The plain texts of a template, and between them a function (of names and a limit of steps) for each placeholder.

    Raises:
        TemplateError: the template is malformed, or has ``{% … %}``.
    """
    for piece in parse_template(text).pieces:
        if isinstance(piece, Text):
            yield piece.text
        elif isinstance(piece, Placeholder):
            yield partial(_value_of, piece)
        else:
            raise TemplateError(f"only placeholders can stand in {text[:80]!r}. Write it without `{{% … %}}`.")


def _value_of(placeholder: Placeholder, names: Names, limit: int) -> Any:
    return placeholder.value(names, Budget(limit))


def _names(lookup: Source | Names) -> Names:
    if callable(lookup) and not isinstance(lookup, Mapping):
        return names_of(dict[str, Any](), lookup)
    return names_of(lookup)


def _render(value: Any, names: Names, budget: Budget, depth: int) -> Any:
    if isinstance(value, str):
        return parse_template(value).render(names, budget) if has_template(value) else value
    if not isinstance(value, Mapping | list):
        return value
    if depth > _MAX_NESTING:
        raise NodeFailed(f"a value nested more than {_MAX_NESTING} deep can't be rendered. Flatten it.")
    if isinstance(value, list):
        return [_render(item, names, budget, depth + 1) for item in value]
    return {key: _render(item, names, budget, depth + 1) for key, item in value.items()}


def _texts(value: Any, parts: Parts) -> Iterator[tuple[Parts, str]]:
    pending: list[tuple[Any, Parts]] = [(value, parts)]
    while pending:
        found, place = pending.pop()
        if isinstance(found, str):
            if has_template(found):
                yield place, found
        elif isinstance(found, list):
            pending.extend((item, (*place, index)) for index, item in reversed(list(enumerate(found))))
        elif isinstance(found, Mapping):
            pending.extend((item, (*place, key)) for key, item in reversed(list(found.items())))
