"""An execution input to try a deployed machine with: it needs no network, no key and no person."""

from __future__ import annotations

from typing import Any

__all__ = ["test_input"]


def test_input() -> dict[str, Any]:
    """``test_input.json``. It has no idempotency key, so that it can be used again and again."""
    return {
        "workflowId": "try-out",
        "ownerId": "try-out",
        "MOCK_MODE": "true",
        "workflow_config": {
            "workflow_name": "Try out",
            "nodes": [
                {"id": "order", "type": "operator", "config": {"sets": {"greeting": "Good morning, {{customer}}."}}},
                {
                    "id": "write",
                    "type": "llm_chat",
                    "config": {"prompt": "Answer: {{greeting}}", "output_key": "answer"},
                },
                {"id": "each", "type": "for_each", "config": _EACH},
                {"id": "done", "type": "operator", "config": {"sets": {"done": True}}},
            ],
            "edges": [
                {"source": "order", "target": "write"},
                {"source": "write", "target": "each"},
                {"source": "each", "target": "done"},
            ],
        },
        "initial_state": {"customer": "Feinkost Adler", "articles": ["olives", "capers", "anchovies"]},
    }


_EACH: dict[str, Any] = {
    "distributed": True,
    "items_path": "articles",
    "output_key": "labels",
    "nodes": [{"id": "label", "type": "operator", "config": {"sets": {"label": "Article: {{item}}"}}}],
    "edges": [],
}
