"""Backends to run the same tests against: local files, and a real S3 server."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from statebag.blobs import Backend, BlobStore, ExecutionBlobs, LocalBackend, S3Backend
from tests.seaweed import S3Server


@pytest.fixture(params=["local", "s3"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """An empty backend of each sort."""
    if request.param == "local":
        return LocalBackend(tmp_path / "store")
    server: S3Server = request.getfixturevalue("s3_environment")
    return S3Backend(server.bucket, f"test/{secrets.token_hex(8)}")


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    """A store on local files."""
    return BlobStore(LocalBackend(tmp_path / "store"))


@pytest.fixture
def blobs(store: BlobStore) -> ExecutionBlobs:
    """One execution of that store."""
    return store.execution("owner", "workflow", "execution")


@pytest.fixture
def cold(store: BlobStore) -> Callable[..., ExecutionBlobs]:
    """Makes views of the same objects with nothing cached, as another process has them."""

    def make(owner: str = "owner", workflow: str = "workflow", execution: str = "execution") -> ExecutionBlobs:
        return BlobStore(store.backend).execution(owner, workflow, execution)

    return make
