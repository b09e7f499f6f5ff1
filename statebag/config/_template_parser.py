"""From template text to pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from statebag.config._expression_parser import Parser
from statebag.config._expression_terms import Constant, ListOf, Reference, Term
from statebag.config._template_pieces import FILTERS, Conditional, Filter, Loop, Piece, Placeholder, Text, WholeJson
from statebag.config.paths import ExpressionError
from statebag.errors import StateBagError

__all__ = ["TemplateError", "parse_pieces"]

_MAX_BLOCKS: Final = 30
_CLOSING: Final = {"{{": "}}", "{%": "%}"}
_WORDS: Final = ("if", "elif", "else", "endif", "for", "endfor")
_WHOLE: Final = "__state_json"


class TemplateError(StateBagError):
    """A template is malformed."""

    default_code = "TEMPLATE_SYNTAX"


@dataclass(frozen=True, kw_only=True)
class _Tag:
    opening: str
    """Empty for plain text."""
    body: str
    position: int


def parse_pieces(source: str) -> tuple[Piece, ...]:
    """Cut a template into pieces.

    Raises:
        TemplateError: a tag is unknown, unclosed or out of place; the message names the place and the remedy.
    """
    reader = _Reader(source)
    pieces = reader.block(closed_by=(), depth=0)
    return tuple(pieces)


def _refuse(source: str, position: int, what: str) -> TemplateError:
    line = source.count("\n", 0, position) + 1
    near = source[position : position + 40]
    return TemplateError(f"template line {line}, at {near!r}: {what}", details={"position": position})


def _cut(source: str) -> Iterator[_Tag]:
    position = 0
    while position < len(source):
        starts = [found for opening in _CLOSING if (found := source.find(opening, position)) >= 0]
        start = min(starts, default=len(source))
        if start > position:
            yield _Tag(opening="", body=source[position:start], position=position)
        if start == len(source):
            return
        opening = source[start : start + 2]
        end = _find_closing(source, start, _CLOSING[opening])
        yield _Tag(opening=opening, body=source[start + 2 : end], position=start)
        position = end + 2


def _find_closing(source: str, start: int, closing: str) -> int:
    position = start + 2
    quote = ""
    while position < len(source):
        character = source[position]
        if quote:
            if character == "\\":
                position += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif source.startswith(closing, position):
            return position
        position += 1
    opening = source[start : start + 2]
    raise _refuse(
        source,
        start,
        f"`{opening}` is not closed. Add `{closing}`, or write a literal `{opening}` as {{{{ '{opening}' }}}}.",
    )


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tags = tuple(_cut(source))
        self._next = 0
        self.ended_by = ""
        """Word of the tag that closed the last block."""
        self.closing = Parser("")
        """The rest of that tag."""
        self.closing_tag: _Tag | None = None

    def block(self, *, closed_by: tuple[str, ...], depth: int) -> list[Piece]:
        """Pieces up to a tag of ``closed_by``, or to the end."""
        pieces: list[Piece] = []
        opened = self._tags[self._next - 1] if self._next else None
        while self._next < len(self._tags):
            tag = self._tags[self._next]
            self._next += 1
            if not tag.opening:
                pieces.append(Text(tag.body))
                continue
            try:
                if tag.opening == "{%":
                    self._need_known_word(tag)
                parser = Parser(tag.body, bare=True)
                if tag.opening == "{{":
                    pieces.append(_read_placeholder(parser))
                    continue
                word = parser.advance().text
                if word in closed_by:
                    self.ended_by, self.closing, self.closing_tag = word, parser, tag
                    return pieces
                pieces.append(self._statement(word, parser, tag, depth))
            except ExpressionError as cause:
                raise _refuse(self._source, tag.position, cause.message) from cause
        if closed_by and opened is not None:
            raise _refuse(self._source, opened.position, f"the block is not closed. Add `{{% {closed_by[-1]} %}}`.")
        return pieces

    def _statement(self, word: str, parser: Parser, tag: _Tag, depth: int) -> Piece:
        if depth >= _MAX_BLOCKS:
            raise _refuse(self._source, tag.position, f"blocks are nested more than {_MAX_BLOCKS} deep. Flatten them.")
        if word == "if":
            return self._conditional(parser, depth)
        if word == "for":
            return self._loop(parser, depth)
        raise _refuse(self._source, tag.position, f"`{word}` without a block to belong to. Remove it.")

    def _need_known_word(self, tag: _Tag) -> None:
        word = next(iter(tag.body.split(None, 1)), "")
        if word not in _WORDS:
            raise _refuse(
                self._source,
                tag.position,
                f"unknown tag `{word}`. Known are {', '.join(_WORDS)}; write a literal `{{%` as {{{{ '{{%' }}}}.",
            )

    def _conditional(self, parser: Parser, depth: int) -> Conditional:
        branches: list[tuple[Term | None, tuple[Piece, ...]]] = []
        condition: Term | None = parser.expression()
        parser.expect_end()
        while True:
            closed_by = ("endif",) if condition is None else ("elif", "else", "endif")
            branches.append((condition, tuple(self.block(closed_by=closed_by, depth=depth + 1))))
            ended_by, closing = self.ended_by, self.closing
            condition = closing.expression() if ended_by == "elif" else None
            closing.expect_end()
            if ended_by == "endif":
                return Conditional(tuple(branches))

    def _loop(self, parser: Parser, depth: int) -> Loop:
        name = parser.advance()
        if name.kind != "word" or not parser.take_word("in"):
            raise parser.refuse("the loop is unreadable", "write `for item in path`")
        items = parser.primary()
        parser.expect_end()
        if not isinstance(items, Reference):
            raise parser.refuse("a loop runs over a path", "write `for item in path`")
        body = self.block(closed_by=("endfor",), depth=depth + 1)
        self.closing.expect_end()
        return Loop(name.text, items, tuple(body))


def _read_placeholder(parser: Parser) -> Placeholder:
    term = parser.primary()
    filters: list[Filter] = []
    while parser.take("|"):
        filters.append(_read_filter(parser))
    if not isinstance(term, Reference | Constant) or parser.token.kind != "end":
        raise parser.refuse("only a path or a literal can be inserted", "write `{{ path }}`, or `{{ path | filter }}`")
    if isinstance(term, Reference) and term.parts == (_WHOLE,):
        return Placeholder(WholeJson(), tuple(filters))
    return Placeholder(term, tuple(filters))


def _read_filter(parser: Parser) -> Filter:
    name = parser.token
    if name.text in FILTERS and name.kind == "word":
        parser.advance()
        return Filter(name.text)
    if not parser.take_word("default"):
        raise parser.refuse(f"unknown filter `{name.text}`", f"known are default, {', '.join(FILTERS)}")
    parser.expect("(", "write `default('text')`")
    term = parser.primary()
    parser.expect(")", "write `default('text')`")
    return Filter("default", _literal(term, parser))


def _literal(term: Term, parser: Parser) -> object:
    if isinstance(term, Constant):
        return term.value
    if isinstance(term, ListOf):
        return [_literal(item, parser) for item in term.items]
    raise parser.refuse("a default must be a literal", "write a quoted text, a number, true, false, null or a list")
