"""Temporal workflow definitions, one machine a file."""

from workflows._claim import IdempotencyClaim
from workflows._orchestrator import WorkflowOrchestrator

__all__ = ["IdempotencyClaim", "WorkflowOrchestrator"]
