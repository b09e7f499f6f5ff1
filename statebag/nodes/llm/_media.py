"""Images and videos that a model is shown: which ones a node names."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urlsplit

from statebag.config.paths import MISSING, ExpressionError, parse_path, walk
from statebag.config.templates import check_templates, has_template, render, template_fields
from statebag.errors import NodeFailed, Problem
from statebag.nodes.llm._config import Provider
from statebag.nodes.llm._names import VisibleNames
from statebag.nodes.llm._taken import MediaKind, refusal_of

__all__ = [
    "MAX_INLINE_BYTES",
    "MAX_MEDIA",
    "Media",
    "check_media",
    "media_fields",
    "names_media",
    "read_media",
    "refused",
]

MAX_MEDIA: Final = 100
"""Images and videos of one call; about what providers take."""
MAX_INLINE_BYTES: Final = 20_000_000
"""Bytes of all media of one call that go inline, together; what the largest providers take in one request."""

_KEYS: Final[dict[MediaKind, str]] = {"image": "image_inputs", "video": "video_inputs"}
_USUAL_TYPES: Final[Mapping[MediaKind, str]] = {"image": "image/jpeg", "video": "video/mp4"}
_ADDRESS = re.compile(r"(?P<scheme>data(?=:)|[a-z][a-z0-9+.-]*(?=://))", re.IGNORECASE)
_DATA = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Media:
    """One image or video."""

    kind: MediaKind
    url: str
    """An address, or a ``data:`` URL."""
    media_type: str
    """Such as ``image/png``; of an address without a known ending the usual one of its kind."""
    content: bytes | None = field(default=None, repr=False)
    """The bytes, which go inline; None where the provider fetches the address."""

    @property
    def scheme(self) -> str:
        """Such as ``https``, in lower case."""
        return self.url.partition(":")[0].lower()


def read_media(
    node_id: str, config: Mapping[str, Any], names: VisibleNames, provider: Provider | None
) -> tuple[Media, ...]:
    """The media that ``image_inputs`` and ``video_inputs`` name, in this order.

    An input is a template or the name of a state field; either gives an address, a list of them, or null for none.

    Args:
        node_id: For messages.
        config: The node's config.
        names: What templates and field names stand for.
        provider: Who is to take them; None where nobody is, as in mock mode.

    Raises:
        NodeFailed: ``VISION_NO_MEDIA``, ``VISION_MEDIA_REFUSED``.
    """
    found: list[Media] = []
    inline = 0
    for kind, key in _KEYS.items():
        for place, given in _items(config.get(key), key):
            for url in _urls(node_id, place, _resolve(node_id, place, given, names)):
                media = _media(node_id, place, kind, url, provider)
                found.append(media)
                inline += len(media.content or b"")
    if not found:
        raise NodeFailed(
            f"Node {node_id!r}: there is no image and no video once the templates are filled in. "
            "Check that the fields which `image_inputs` and `video_inputs` name are in the state.",
            code="VISION_NO_MEDIA",
        )
    if len(found) > MAX_MEDIA:
        raise refused(node_id, f"{len(found)} images and videos are more than the {MAX_MEDIA} of one call. Split them")
    if inline > MAX_INLINE_BYTES:
        raise refused(
            node_id,
            f"the `data:` URLs have {inline} bytes together, and a call takes {MAX_INLINE_BYTES}. "
            "Give addresses instead, or split them",
        )
    return tuple(found)


def names_media(config: Mapping[str, Any]) -> bool:
    """Whether a node that may show images and videos does: it has inputs, and ``vision_enabled`` is not false."""
    return config.get("vision_enabled") is not False and any(_items(config.get(key), key) for key in _KEYS.values())


def check_media(config: Mapping[str, Any], base: str, *, needed: bool) -> Iterator[Problem]:
    """Everything wrong with the inputs of ``config``, whose JSON path is ``base``, as far as it shows before a run.

    Args:
        config: The node's config.
        base: Its JSON path.
        needed: Whether there must be an input; where not, ``vision_enabled`` may be false.
    """
    given = {key: items for key in _KEYS.values() if (items := _items(config.get(key), key))}
    yield from _check_switch(config.get("vision_enabled"), [*given], base, needed=needed)
    if needed and not given:
        message = "`image_inputs`: there is neither an image nor a video. Give `image_inputs` or `video_inputs`."
        yield Problem(path=f"{base}.image_inputs", code="FIELD_MISSING", message=message)
    for items in given.values() if needed or names_media(config) else ():
        for place, text in items:
            yield from _check_input(f"{base}.{place}", place, text)


def media_fields(config: Mapping[str, Any]) -> frozenset[str] | None:
    """User fields that the inputs of ``config`` read; None for all of them."""
    fields: set[str] = set()
    for key in _KEYS.values():
        for _, text in _items(config.get(key), key):
            if has_template(text):
                read = template_fields(text)
                if read is None:
                    return None
                fields |= read
            elif not _ADDRESS.match(text.strip()):
                fields |= {text, str(parse_path(text)[0])}
    return frozenset(fields)


def _check_switch(enabled: Any, given: Sequence[str], base: str, *, needed: bool) -> Iterator[Problem]:
    """What is wrong with ``vision_enabled`` beside the inputs ``given``."""
    switch = f"{base}.vision_enabled"
    if not isinstance(enabled, bool | None):
        yield Problem(path=switch, code="FIELD_TYPE", message="`vision_enabled`: must be true or false.")
    elif enabled is False and needed:
        message = "`vision_enabled`: has no effect: this node type always shows its inputs. Remove it."
        yield Problem(path=switch, code="FIELD_UNKNOWN", message=message)
    elif enabled is False:
        for key in given:
            message = f"`{key}`: has no effect, since `vision_enabled` is false. Remove one of the two."
            yield Problem(path=f"{base}.{key}", code="FIELD_UNKNOWN", message=message)
    elif enabled and not given and not needed:
        message = "`vision_enabled`: has no effect: there are neither `image_inputs` nor `video_inputs`. Give some."
        yield Problem(path=switch, code="FIELD_UNKNOWN", message=message)


def _check_input(path: str, place: str, text: Any) -> Iterator[Problem]:
    if not isinstance(text, str) or not text.strip():
        message = f"`{place}`: must be text: an address, a template, or the name of a field."
        yield Problem(path=path, code="FIELD_TYPE", message=message)
    elif has_template(text):
        yield from check_templates(text, path)
    elif not _ADDRESS.match(text.strip()):
        try:
            named = parse_path(text) != ()
        except ExpressionError as error:
            yield Problem(path=path, code="FIELD_VALUE", message=f"`{place}`: {error.message}")
        else:
            if not named:
                message = f"`{place}`: is the whole state. Name a field of it."
                yield Problem(path=path, code="FIELD_VALUE", message=message)


def _items(value: Any, key: str) -> list[tuple[str, Any]]:
    """Place and value of each input; a lone one counts as a list of one."""
    if value is None or value in ("", []):
        return []
    if isinstance(value, list):
        return [(f"{key}[{index}]", item) for index, item in enumerate(cast("list[Any]", value))]
    return [(key, value)]


def _resolve(node_id: str, place: str, given: str, names: VisibleNames) -> Any:
    if has_template(given):
        return render(given, names)
    if _ADDRESS.match(given.strip()):
        return given
    for parts in ((given,), parse_path(given)):
        try:
            value = walk(names[str(parts[0])], parts[1:])
        except KeyError:
            continue
        if value is not MISSING:
            return value
    raise refused(
        node_id, f"`{place}` is {given!r}, which is no field of the state and no address. Name a field, or give one"
    )


def _urls(node_id: str, place: str, value: Any) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            if not isinstance(item, str) or not item.strip():
                raise refused(node_id, f"item {index} of `{place}` is {_shown(item)}. Each must be an address")
            yield item.strip()
    elif isinstance(value, str):
        yield from [value.strip()] if value.strip() else []
    else:
        raise refused(node_id, f"`{place}` is {_shown(value)}. It must be an address, or a list of them")


def _media(node_id: str, place: str, kind: MediaKind, url: str, provider: Provider | None) -> Media:
    address = _ADDRESS.match(url)
    if address is None:
        raise refused(node_id, f"`{place}` is {_shown(url)}, which is no address. Begin it with `https://` or `data:`")
    scheme = address["scheme"].lower()
    if provider is not None and (refusal := refusal_of(kind, scheme, provider)):
        raise refused(node_id, f"`{place}`: {refusal}")
    if scheme == "data":
        return _inline(node_id, place, kind, url)
    guessed = mimetypes.guess_type(urlsplit(url).path, strict=False)[0] or ""
    media_type = guessed if guessed.startswith(f"{kind}/") else _USUAL_TYPES[kind]
    return Media(kind=kind, url=url, media_type=media_type)


def _inline(node_id: str, place: str, kind: MediaKind, url: str) -> Media:
    head = _DATA.match(url)
    if head is None or not head["type"].lower().startswith(f"{kind}/"):
        raise refused(node_id, f"`{place}` begins {url[:40]!r}. It must begin `data:{kind}/…;base64,`")
    try:
        content = base64.b64decode(url.partition(",")[2], validate=True)
    except binascii.Error as cause:
        raise refused(node_id, f"`{place}` is not base64 ({cause}). Encode the bytes again") from cause
    if not content:
        raise refused(node_id, f"`{place}` has no bytes. Encode the file itself")
    return Media(kind=kind, url=url, media_type=head["type"].lower(), content=content)


def refused(node_id: str, message: str) -> NodeFailed:
    """The error for media that can't be shown; ``message`` has no full stop."""
    return NodeFailed(f"Node {node_id!r}: {message}.", code="VISION_MEDIA_REFUSED")


def _shown(value: Any) -> str:
    return repr(value[:60]) if isinstance(value, str) else f"a {type(value).__name__}"
