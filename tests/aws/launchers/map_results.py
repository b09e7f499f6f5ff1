"""Result files of a distributed Map, as the service writes them. Runs in each interpreter's environment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def write_results(
    s3: Any, *, bucket: str, prefix: str, map_run_arn: str, children: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Write the manifest and one file a status.

    Args:
        s3: a boto3 client.
        bucket: where to.
        prefix: of the keys, with or without a slash at its end.
        map_run_arn: its last part becomes part of the keys.
        children: what the files list: ``Status``, ``Name``, ``Input``, and ``Output`` or ``Error`` and ``Cause``.

    Returns:
        What the state's result is then.
    """
    folder = f"{prefix.rstrip('/')}/{map_run_arn.rsplit(':', 1)[-1]}".lstrip("/")
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status, entries in files.items():
        listed = [child for child in children if child["Status"] == status]
        if listed:
            key, body = f"{folder}/{status}_0.json", json.dumps(listed).encode()
            s3.put_object(Bucket=bucket, Key=key, Body=body)
            entries.append({"Key": key, "Size": len(body)})
    manifest = {"DestinationBucket": bucket, "MapRunArn": map_run_arn, "ResultFiles": files}
    key = f"{folder}/manifest.json"
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(manifest).encode())
    return {"MapRunArn": map_run_arn, "ResultWriterDetails": {"Bucket": bucket, "Key": key}}
