"""Where a chunk of a legacy machine stands: one small object each, so that no chunk touches another's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from asl_compat.lambdas._answer import require
from asl_compat.lambdas._surroundings import Surroundings, place_of
from statebag.canonical import canonical_bytes, parse_json

__all__ = ["load_latest", "save_latest"]


def load_latest(around: Surroundings, bag: Mapping[str, Any], chunk: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was saved of the chunk last; None where nothing was.

    Args:
        around: Has the bucket.
        bag: The place of the bag that the chunks belong to.
        chunk: Of the list of chunks.
    """
    try:
        found = around.s3.get_object(Bucket=around.name("bucket"), Key=_key(around, bag, chunk))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
            return None
        raise
    return parse_json(found["Body"].read())


def save_latest(
    around: Surroundings, bag: Mapping[str, Any], chunk: Mapping[str, Any], state: Mapping[str, Any]
) -> None:
    """Save where the chunk stands, in place of what was saved before; arguments as of :func:`load_latest`."""
    around.s3.put_object(
        Bucket=around.name("bucket"),
        Key=_key(around, bag, chunk),
        Body=canonical_bytes(dict(state)),
        ContentType="application/json",
    )


def _key(around: Surroundings, bag: Mapping[str, Any], chunk: Mapping[str, Any]) -> str:
    place, unit = place_of(bag), require(chunk, "unit")["unit"]
    prefix = around.blobs(place.owner_id, place.workflow_id, place.execution_id).prefix
    return f"{prefix}latest-states/{place.root['sha256'][:32]}-{unit:08d}.json"
