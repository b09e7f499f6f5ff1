"""The bag: three disjoint namespaces, as one immutable value with one JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from statebag.bag._control import CONTROL_FIELDS, Control
from statebag.bag._fields import UserFields
from statebag.bag._kernel import KERNEL_FIELDS, Kernel
from statebag.bag._pages import Node
from statebag.blobs import ExecutionBlobs, Pointer, escape, is_pointer, unescape
from statebag.errors import StateBagError

__all__ = ["ROOT_FIELDS", "Bag"]

ROOT_FIELDS = CONTROL_FIELDS | KERNEL_FIELDS | {"current_state", "current_state_pages", "state_s3_path"}
"""All names that the sealed form may have."""


@dataclass(frozen=True, kw_only=True)
class Bag:
    """The whole state of a run.

    The JSON form is flat: control and kernel fields under their catalogue names,
    the user's variables below ``current_state`` (or behind it, as a pointer or as
    pages), so that a variable can never be taken for a field of the engine.
    """

    control: Control
    kernel: Kernel
    user: UserFields
    user_pointer: Pointer | None = None
    """Set when the settled user map itself lives in the store."""

    def to_json(self) -> dict[str, Any]:
        """The sealed form. The bag must be settled: :func:`statebag.bag.offload` does it."""
        body = {**self.control.to_json(), **self.kernel.to_json()}
        node = self.user.node
        if self.user_pointer is not None:
            body["current_state"] = self.user_pointer.to_json()
            body["state_s3_path"] = self.user_pointer.key
        elif "p" in node:
            body["current_state_pages"] = node
        else:
            # A variable may be called `$ptr`: the map must not be taken for a pointer then.
            body["current_state"] = escape(node["f"])
        return body

    @staticmethod
    def from_json(body: Any, blobs: ExecutionBlobs) -> Bag:
        """Read a sealed bag. The user's variables stay where they are until asked for.

        Raises:
            StateBagError: ``BAG_MALFORMED``.
            PointerRefused, PointerNotFound, PointerCorrupt, StoreUnavailable: the user map can't be read.
        """
        if not isinstance(body, Mapping):
            raise _malformed(f"state_data is a {type(body).__name__}, not an object")
        unknown = sorted(str(name) for name in body.keys() - ROOT_FIELDS)
        if unknown:
            named = ", ".join(unknown[:5]) + (" …" if len(unknown) > 5 else "")
            raise _malformed(f"state_data has fields that no bag has: {named}")
        control = Control.from_json(body)
        node, pointer = _read_user(body, blobs)
        user = UserFields(blobs, node)
        return Bag(control=control, kernel=Kernel.from_json(body), user=user, user_pointer=pointer)


def _read_user(body: Mapping[str, Any], blobs: ExecutionBlobs) -> tuple[Node, Pointer | None]:
    if "current_state_pages" in body:
        node = body["current_state_pages"]
        if not (isinstance(node, dict) and node.keys() == {"n", "p"} and isinstance(node["p"], dict)):
            raise _malformed("state_data.current_state_pages is no page")
        return node, None
    state = body.get("current_state", {})
    if is_pointer(state):
        pointer = Pointer.from_json(state)
        return blobs.get(pointer), pointer
    if isinstance(state, dict):
        return {"f": unescape(state)}, None
    raise _malformed(f"state_data.current_state is a {type(state).__name__}, not an object or a pointer")


def _malformed(what: str) -> StateBagError:
    return StateBagError(f"{what}. Pass on what the last action returned, unchanged.", code="BAG_MALFORMED")
