"""Temporal workflow definitions, one machine a file."""

from workflows._branch import BranchWorkflow
from workflows._chunk import ChunkWorkflow
from workflows._claim import IdempotencyClaim
from workflows._distributed import WorkflowDistributedOrchestrator
from workflows._orchestrator import WorkflowOrchestrator

__all__ = [
    "BranchWorkflow",
    "ChunkWorkflow",
    "IdempotencyClaim",
    "WorkflowDistributedOrchestrator",
    "WorkflowOrchestrator",
]
