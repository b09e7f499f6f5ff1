"""The ladder: bring a bag under its policy's limits by moving values to the store, never by cutting them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from statebag.bag._bag import Bag
from statebag.bag._fields import FIELDS_KIND, UserFields
from statebag.bag._kernel import Kernel
from statebag.blobs import ExecutionBlobs, is_pointer
from statebag.canonical import size_of
from statebag.errors import BagTooLarge

__all__ = ["STEP_FUNCTIONS", "TEMPORAL", "OffloadPolicy", "offload"]

KIB = 1024
SHOWN_CHARACTERS = 1000
"""Of a stored error's message that stay inline, so that it can be read without the store."""


@dataclass(frozen=True, kw_only=True)
class OffloadPolicy:
    """Limits of the ladder, in bytes of canonical JSON. All are compared with a strict ``>``."""

    name: str
    field_limit: int
    """A user field above it becomes an object of its own."""
    user_limit: int | None
    """The user namespace above it loses its largest fields, then all, to the store.

    None spreads it over pages instead, for a bag that lives in the store itself.
    """
    kernel_limit: int
    """Pending branches, a failure, and what an old bag carries: each above it moves to the store."""
    listed_limit: int
    """Pointers to pending branches above it are a list of their own."""
    refuse: int
    """A bag above it, after all that, is refused."""
    history_tail: int
    """History entries that stay inline."""
    history_bytes: int
    """Bytes of history that stay inline."""
    warn: int | None = None
    """A bag above it is reported with a warning."""


STEP_FUNCTIONS = OffloadPolicy(
    name="step_functions",
    field_limit=30 * KIB,
    user_limit=100 * KIB,
    kernel_limit=16 * KIB,
    listed_limit=64 * KIB,
    warn=150 * KIB,
    refuse=200 * KIB,
    history_tail=50,
    history_bytes=40 * KIB,
)
"""The whole bag travels in the state document, which may have 256 KiB."""

TEMPORAL = OffloadPolicy(
    name="temporal",
    field_limit=2 * KIB,
    user_limit=None,
    kernel_limit=4 * KIB,
    listed_limit=64 * KIB,
    refuse=200 * KIB,
    history_tail=25,
    history_bytes=16 * KIB,
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
    user = bag.user.settle(field_limit=policy.field_limit, paged=policy.user_limit is None)
    bag = Bag(control=bag.control, kernel=_shrink_kernel(bag.kernel, policy, blobs), user=user)
    if policy.user_limit is not None:
        bag = _shrink_user(bag, policy.user_limit, blobs)
    body = bag.to_json()
    size = size_of(body)
    if size > policy.refuse and bag.user_pointer is None and policy.user_limit is not None:
        bag = replace(bag, user_pointer=blobs.put(bag.user.node, kind=FIELDS_KIND))
        body = bag.to_json()
        size = size_of(body)
    if size > policy.refuse:
        raise _too_large(body, size, policy)
    return bag, size


def _shrink_user(bag: Bag, limit: int, blobs: ExecutionBlobs) -> Bag:
    entries: dict[str, Any] = dict(bag.user.node["f"])
    total = size_of(entries)
    if total <= limit:
        return bag
    sizes = {name: size_of(entry) for name, entry in entries.items() if not is_pointer(entry)}
    for name in sorted(sizes, key=lambda n: (-sizes[n], n)):
        pointer = blobs.put(bag.user[name], kind="field").to_json()
        gain = sizes[name] - size_of(pointer)
        if gain <= 0:
            break
        entries[name] = pointer
        total -= gain
        if total <= limit:
            return replace(bag, user=bag.user.rebase(entries))
    user: UserFields = bag.user.rebase(entries)
    return replace(bag, user=user, user_pointer=blobs.put(user.node, kind=FIELDS_KIND))


def _shrink_kernel(kernel: Kernel, policy: OffloadPolicy, blobs: ExecutionBlobs) -> Kernel:
    """Move what is large of the kernel's own fields. All that is read often is small by the way it is made."""
    changes: dict[str, Any] = {}
    if kernel.pending_branches and size_of(kernel.pending_branches) > policy.kernel_limit:
        branches = _store_branches(kernel.pending_branches, blobs)
        if size_of(branches) > policy.listed_limit:
            branches = ({"listed": blobs.put(list(branches), kind="branches").to_json(), "total": len(branches)},)
        changes["pending_branches"] = branches
    stored = kernel.error and is_pointer(kernel.error.get("stored"))
    if kernel.error and not stored and size_of(kernel.error) > policy.kernel_limit:
        changes["error"] = {
            "code": kernel.error["code"],
            "message": f"{kernel.error['message'][:SHOWN_CHARACTERS]} … (all of it is behind `stored`)",
            "stored": blobs.put(kernel.error, kind="error").to_json(),
        }
    if kernel.carried and size_of(kernel.carried) > policy.kernel_limit:
        changes["carried"] = {
            name: blobs.put(value, kind="carried").to_json() if size_of(value) > policy.kernel_limit else value
            for name, value in kernel.carried.items()
        }
    return replace(kernel, **changes) if changes else kernel


def _store_branches(branches: tuple[Any, ...], blobs: ExecutionBlobs) -> tuple[Any, ...]:
    """The form that ``hydrate_branch`` reads; branches that have it already stay as they are."""
    return tuple(
        branch
        if is_pointer(branch.get("branch"))
        else {
            "branch_index": index,
            "branch_id": branch.get("branch_id"),
            "total_branches": len(branches),
            "branch": blobs.put(branch, kind="branch").to_json(),
        }
        for index, branch in enumerate(branches)
    )


def _too_large(body: Mapping[str, Any], size: int, policy: OffloadPolicy) -> BagTooLarge:
    sizes = {name: size_of(value) for name, value in body.items()}
    largest: list[dict[str, Any]] = [
        {"field": name, "size_bytes": sizes[name]} for name in sorted(sizes, key=lambda n: (-sizes[n], n))[:5]
    ]
    named = ", ".join(f"{entry['field']} ({entry['size_bytes']} bytes)" for entry in largest[:3])
    return BagTooLarge(
        f"bag of {body['execution_id'] or 'an unnamed execution'}: {size} bytes after offloading, "
        f"{policy.refuse} are allowed by the policy {policy.name}. Largest: {named}.",
        details={"size_bytes": size, "largest_fields": largest},
    )
