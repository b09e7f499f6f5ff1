"""Stores for the tests of maps."""

from __future__ import annotations

from pathlib import Path

import pytest

from statebag.blobs import BlobStore, ExecutionBlobs, LocalBackend


@pytest.fixture
def blobs(tmp_path: Path) -> ExecutionBlobs:
    return BlobStore(LocalBackend(tmp_path)).execution("owner", "workflow", "run")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> ExecutionBlobs:
    """One store for all examples of a law."""
    return BlobStore(LocalBackend(tmp_path_factory.mktemp("store"))).execution("owner", "workflow", "run")


@pytest.fixture
def lean(tmp_path: Path) -> ExecutionBlobs:
    """A store that keeps nothing in memory."""
    return BlobStore(LocalBackend(tmp_path / "lean"), cache_bytes=0).execution("owner", "workflow", "run")
