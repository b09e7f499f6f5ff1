"""The ladder: bring a bag under its policy's limits by moving values to the store, never by cutting them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from statebag.bag._bag import Bag
from statebag.blobs import ExecutionBlobs, is_pointer
from statebag.canonical import canonical_bytes, size_of
from statebag.errors import BagTooLarge

__all__ = ["STEP_FUNCTIONS", "TEMPORAL", "OffloadPolicy", "offload"]

KIB = 1024


@dataclass(frozen=True, kw_only=True)
class OffloadPolicy:
    """Limits of the ladder, in bytes of canonical JSON. All are compared with a strict ``>``."""

    name: str
    field_limit: int
    """A user field above it becomes an object of its own."""
    user_limit: int
    """The user namespace above it loses its largest fields, then all, to the store."""
    refuse: int
    """A bag above it, after all that, is refused."""
    history_tail: int
    """History entries that stay inline."""
    paged: bool
    """Keep the user map as pages (for a bag that itself lives in the store)."""
    warn: int | None = None
    """A bag above it is reported with a warning."""


STEP_FUNCTIONS = OffloadPolicy(
    name="step_functions",
    field_limit=30 * KIB,
    user_limit=100 * KIB,
    warn=150 * KIB,
    refuse=200 * KIB,
    history_tail=50,
    paged=False,
)
"""The whole bag travels in the state document, which may have 256 KiB."""

TEMPORAL = OffloadPolicy(
    name="temporal",
    field_limit=1 * KIB,
    user_limit=16 * KIB,
    refuse=200 * KIB,
    history_tail=25,
    paged=True,
)
"""The bag is one object in the store and history carries a pointer to it: small objects, cheap changes."""


def offload(bag: Bag, policy: OffloadPolicy, blobs: ExecutionBlobs) -> tuple[Bag, int]:
    """Settle the bag and bring it under the policy's limits.

    Returns:
        The bag, ready for :meth:`Bag.to_json`, and its size in bytes.

    Raises:
        BagTooLarge: nothing is left to move; ``details`` has the size and the largest fields.
        OffloadFailed: the store did not take a value; the bag handed in is still good.
    """
    bag = replace(bag, user=bag.user.settle(field_limit=policy.field_limit, paged=policy.paged), user_pointer=None)
    if not policy.paged:
        bag = _shrink_user(bag, policy, blobs)
    size = size_of(bag.to_json())
    if size > policy.refuse and bag.user_pointer is None and not policy.paged:
        bag = replace(bag, user_pointer=blobs.put(bag.user.node["f"], kind="user"))
        size = size_of(bag.to_json())
    if size > policy.refuse:
        raise _too_large(bag, size, policy)
    return bag, size


def _shrink_user(bag: Bag, policy: OffloadPolicy, blobs: ExecutionBlobs) -> Bag:
    entries = dict(bag.user.node["f"])
    total = size_of(entries)
    if total <= policy.user_limit:
        return bag
    sizes = {name: size_of(entry) for name, entry in entries.items() if not is_pointer(entry)}
    for name in sorted(sizes, key=lambda n: (-sizes[n], n)):
        pointer = blobs.put(bag.user[name], kind="field").to_json()
        gain = sizes[name] - size_of(pointer)
        if gain <= 0:
            break
        entries[name] = pointer
        total -= gain
        if total <= policy.user_limit:
            return replace(bag, user=bag.user.rebase(entries))
    return replace(bag, user=bag.user.rebase(entries), user_pointer=blobs.put(entries, kind="user"))


def _too_large(bag: Bag, size: int, policy: OffloadPolicy) -> BagTooLarge:
    fields: dict[str, int] = {name: len(canonical_bytes(value)) for name, value in bag.to_json().items()}
    largest: list[dict[str, Any]] = [
        {"field": name, "size_bytes": fields[name]} for name in sorted(fields, key=lambda n: (-fields[n], n))[:5]
    ]
    named = ", ".join(f"{entry['field']} ({entry['size_bytes']} bytes)" for entry in largest[:3])
    return BagTooLarge(
        f"bag of {bag.control.execution_id or 'an unnamed execution'}: {size} bytes after offloading, "
        f"{policy.refuse} are allowed by the policy {policy.name}. Largest: {named}.",
        details={"size_bytes": size, "largest_fields": largest},
    )

