"""Which addresses of images and videos a provider takes, and which of them the worker fetches for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from statebag.nodes.llm._config import Provider

__all__ = ["MediaKind", "is_fetched_by_worker", "refusal_of"]

MediaKind = Literal["image", "video"]

_TAKEN: Final[Mapping[Provider, Mapping[MediaKind, frozenset[str]]]] = {
    "openai": {"image": frozenset({"http", "https", "data"}), "video": frozenset()},
    "anthropic": {"image": frozenset({"https", "data"}), "video": frozenset()},
    "google": {"image": frozenset({"https", "gs", "data"}), "video": frozenset({"https", "gs", "data"})},
    "bedrock": {"image": frozenset({"s3", "data"}), "video": frozenset({"s3", "data"})},
}
"""Schemes that a provider fetches by itself, or takes inline."""
_FETCHED: Final = "s3"
"""The scheme that the worker fetches where a provider doesn't."""
_REMEDIES: Final[Mapping[str, str]] = {
    "http": "Give an https address, or a `data:` URL",
    "https": "Give an `s3://` address, or a `data:` URL",
    "gs": "Give a signed https address, or use the provider google",
}


def refusal_of(kind: MediaKind, scheme: str, provider: Provider) -> str | None:
    """Why such an address can't be shown to ``provider``, and what to do; None where it can."""
    taken = _TAKEN[provider][kind]
    if not taken:
        able = " or ".join(name for name in get_args(Provider) if _TAKEN[name][kind])
        return f"{provider} takes no {kind}s. Use the provider {able}"
    able_too = taken | {_FETCHED}
    if scheme in able_too:
        return None
    listed = ", ".join(f"`{name}:`" for name in sorted(able_too))
    remedy = _REMEDIES.get(scheme, f"Give one of {listed}")
    return f"{provider} takes {listed}, and this is `{scheme}:`. {remedy}"


def is_fetched_by_worker(kind: MediaKind, scheme: str, provider: Provider) -> bool:
    """Whether ``provider`` takes such an address only as the bytes that are there."""
    return scheme == _FETCHED and scheme not in _TAKEN[provider][kind]
