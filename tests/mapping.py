"""Documents with distributed maps, and what they leave behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from statebag.bag import Kernel, Place
from statebag.blobs import Pointer
from tests.rig import Document, Rig, chain, sets

__all__ = ["document_of", "kernel_of", "mapping", "parts_of"]


def mapping(*nodes: Mapping[str, Any], name: str = "m", edges: Sequence[Mapping[str, Any]] = (), **config: Any) -> Any:
    """A map over the field ``xs`` into ``out``, whose nodes follow one another."""
    body = chain(*nodes, edges=edges)
    given = {"distributed": True, "output_key": "out", **body, **config}
    if "item_reader" not in given and "items" not in given:
        given.setdefault("items_path", "xs")
    return {"id": name, "type": "for_each", "config": given}


def document_of(*nodes: Mapping[str, Any], **config: Any) -> Document:
    """A document with one map, and a node behind it."""
    return chain(mapping(*nodes, **config), sets("after", done=True))


def kernel_of(rig: Rig, output: Mapping[str, Any], execution_id: str | None = None) -> Kernel:
    """The kernel of a run's last bag, from its output or its failure's details."""
    place = Place(
        owner_id="acme",
        workflow_id="review",
        execution_id=execution_id or output["execution_id"],
        version=0,
        root=output["final_state_s3_path"],
    )
    return rig.plugin.engine.read_bag(place).kernel


def parts_of(rig: Rig, kernel: Kernel, execution_id: str) -> dict[str, list[Any]]:
    """All entries of the result manifest, by its parts."""
    blobs = rig.plugin.store.execution("acme", "review", execution_id)
    assert kernel.distributed_chunk_summary is not None
    manifest = blobs.get(Pointer.from_json(kernel.distributed_chunk_summary["result_manifest"]))
    return {
        name: [entry for page in pages for entry in blobs.get(Pointer.from_json(page))["entries"]]
        for name, pages in manifest["result_files"].items()
    }
