"""A provider of models on the loopback interface."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.nodes.loopback import Provider, serve


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """What the node types call as ``openai``."""
    with serve() as state:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{state.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-test")
        yield state


@pytest.fixture
def bedrock(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The same as ``bedrock``."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", provider.url)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-the-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
    return provider


@pytest.fixture
def google(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The same as ``google``, with a key."""
    monkeypatch.setenv("GOOGLE_API_KEY", "key-of-the-test")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", provider.url)
    return provider


@pytest.fixture
def anthropic(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The same as ``anthropic``."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-the-test")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", provider.url)
    return provider
