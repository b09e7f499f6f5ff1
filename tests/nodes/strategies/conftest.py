from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from statebag.config.expressions import names_of
from statebag.nodes.strategies import STRATEGIES, StrategyContext

Apply = Callable[..., Any]


@pytest.fixture(scope="session")
def apply() -> Apply:
    """Apply a strategy by name, as a node without templates would."""

    def run(
        name: str,
        value: Any = None,
        params: Mapping[str, Any] | None = None,
        *,
        state: Mapping[str, Any] | None = None,
        given: bool = True,
    ) -> Any:
        context = StrategyContext(
            names=names_of(value if given else dict(state or {})),
            state=names_of(dict(state or {})),
            given=given,
            now=lambda: datetime(2024, 2, 29, 12, 30, 15, 250000, tzinfo=UTC),
            seed=lambda *parts: hashlib.sha256(repr(parts).encode()).digest(),
        )
        return STRATEGIES[name].run(value, params or {}, context)

    return run
