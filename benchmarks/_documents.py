"""Documents and states of a given size. Their texts are random, so that compression gains little."""

from __future__ import annotations

import random
from typing import Any

__all__ = ["calling_document", "forking_document", "pure_document", "state_of"]

_SEED = 20


def calling_document(segments: int) -> dict[str, Any]:
    """A chain of model calls, a segment each: reads the answer before and writes one of 1 KB."""
    texts = random.Random(_SEED)
    nodes: list[dict[str, Any]] = [
        {
            "id": f"ask_{number}",
            "type": "llm_chat",
            "config": {
                "prompt": f"Go on from: {{{{ answer_{max(number - 1, 0)} }}}}",
                "mock_response": _text(texts, 1000),
                "output_key": f"answer_{number}",
            },
        }
        for number in range(segments)
    ]
    edges = [{"source": f"ask_{number - 1}", "target": f"ask_{number}"} for number in range(1, segments)]
    return {"nodes": nodes, "edges": edges, "max_loop_iterations": segments + 1}


def pure_document(segments: int) -> dict[str, Any]:
    """A chain of segments without outside calls, a field of 1 KB each, with a pause between any two."""
    texts = random.Random(_SEED)
    nodes: list[dict[str, Any]] = [
        {"id": f"set_{number}", "type": "operator", "config": {"sets": {f"answer_{number}": _text(texts, 1000)}}}
        for number in range(segments)
    ]
    edges = [
        {"source": f"set_{number - 1}", "target": f"set_{number}", "type": "hitp"} for number in range(1, segments)
    ]
    return {"nodes": nodes, "edges": edges, "max_loop_iterations": segments + 1}


def forking_document(branches: int) -> dict[str, Any]:
    """A node that forks into branches of one step each, which set a field of 1 KB, and a node where they join."""
    texts = random.Random(_SEED)
    steps: list[dict[str, Any]] = [
        {"id": f"set_{number}", "type": "operator", "config": {"sets": {f"answer_{number}": _text(texts, 1000)}}}
        for number in range(branches)
    ]
    ends: list[dict[str, Any]] = [{"id": "fork", "type": "operator"}, {"id": "join", "type": "operator"}]
    edges = [{"source": "fork", "target": step["id"]} for step in steps]
    edges += [{"source": step["id"], "target": "join"} for step in steps]
    return {"nodes": [*ends, *steps], "edges": edges}


def state_of(total_bytes: int, *, fields: int, answers: int) -> dict[str, str]:
    """``total_bytes`` in ``fields`` fields: ``answers`` of them are written by the run, the others only there."""
    texts = random.Random(_SEED + total_bytes)
    small = min(1000, total_bytes // fields)
    answered = min(answers, fields // 2)
    rest = fields - answered
    state = {f"answer_{number}": _text(texts, small) for number in range(answered)}
    large = (total_bytes - answered * small) // rest
    return state | {f"material_{number}": _text(texts, large) for number in range(rest)}


def _text(source: random.Random, length: int) -> str:
    return source.randbytes((length + 1) // 2).hex()[:length]
