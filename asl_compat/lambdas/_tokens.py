"""The tokens of pauses that wait for people, in a table: each answered once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asl_compat.lambdas._conditions import write_if
from asl_compat.lambdas._surroundings import Surroundings
from statebag.canonical import canonical_bytes, parse_json
from statebag.machine import HITP_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

__all__ = ["DELIVERY_SECONDS", "Tokens", "WaitingPause"]

DELIVERY_SECONDS = 60
"""An answer that is on its way for longer has died with its function, which has half of it."""

_KEPT_SECONDS = 7 * 86_400
"""Beyond the pause's own time: an answer that comes late is told so."""


@dataclass(frozen=True, kw_only=True)
class WaitingPause:
    """A pause, and the token that its answer goes to."""

    owner_id: str
    workflow_id: str
    execution_id: str
    """The execution's ARN."""
    execution_name: str
    pause_id: str
    token: str
    segment: int
    spec: Mapping[str, Any]
    """What is asked: ``prompt``, ``options``, ``schema``, ``timeout_seconds``."""
    opened_at: float
    """Epoch seconds."""
    status: str = "WAITING"
    taken_at: float | None = None
    """Since when an answer is on its way; None where none is."""

    @property
    def conversation_id(self) -> str:
        """Names the pause among all of its owner's."""
        return f"{self.execution_name}#{self.pause_id}"

    @property
    def expires_at(self) -> float:
        """Epoch seconds."""
        return self.opened_at + float(self.spec.get("timeout_seconds", HITP_TIMEOUT_SECONDS))

    def waits(self, now: float) -> bool:
        """Whether it takes an answer, also where the function that had one has died with it."""
        return self.status == "WAITING" or (self.taken_at is not None and self.taken_at < now - DELIVERY_SECONDS)


class Tokens:
    """The table.

    Args:
        around: Names it.
    """

    def __init__(self, around: Surroundings) -> None:
        self._table = around.name("task_tokens_table")
        self._dynamodb = around.dynamodb
        self._now = around.now

    def keep(self, pause: WaitingPause) -> bool:
        """Keep a pause; one that is asked again, since its task was tried again, gets the new token.

        An answer to the token before was for a task that is over: it can't have reached the run.

        Returns:
            Whether it waits now: not, where this token was answered already.
        """
        item: dict[str, AttributeValueTypeDef] = {
            "ownerId": {"S": pause.owner_id},
            "conversation_id": {"S": pause.conversation_id},
            "workflowId": {"S": pause.workflow_id},
            "execution_id": {"S": pause.execution_id},
            "execution_name": {"S": pause.execution_name},
            "pause_id": {"S": pause.pause_id},
            "taskToken": {"S": pause.token},
            "segment": {"N": str(pause.segment)},
            "spec": {"S": canonical_bytes(dict(pause.spec)).decode()},
            "status": {"S": "WAITING"},
            "createdAt": {"N": str(pause.opened_at)},
            "expires_at": {"N": str(pause.expires_at)},
            "ttl": {"N": str(int(pause.expires_at) + _KEPT_SECONDS)},
        }
        kept = write_if(
            lambda: self._dynamodb.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(conversation_id) OR #status = :waiting OR taskToken <> :token",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":waiting": {"S": "WAITING"}, ":token": {"S": pause.token}},
            )
        )
        return kept is not None

    def of_execution(self, owner_id: str, execution_id: str) -> list[WaitingPause]:
        """All pauses of an execution, answered ones too, oldest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName="ExecutionIdIndex",
            KeyConditionExpression="ownerId = :owner AND execution_id = :execution",
            ExpressionAttributeValues={":owner": {"S": owner_id}, ":execution": {"S": execution_id}},
        )
        return _pauses_in(pages)

    def of_conversation(self, owner_id: str, conversation_id: str) -> list[WaitingPause]:
        """The pause that an owner's notice names, if it is there."""
        # The index is what functions may query; an owner has few pauses, since those of ended executions are deleted.
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName="ExecutionIdIndex",
            KeyConditionExpression="ownerId = :owner",
            FilterExpression="conversation_id = :conversation",
            ExpressionAttributeValues={":owner": {"S": owner_id}, ":conversation": {"S": conversation_id}},
        )
        return _pauses_in(pages)

    def take(self, pause: WaitingPause) -> WaitingPause | None:
        """Claim a pause for an answer; of two, one gets it.

        Returns:
            The pause as it is now: an index may tell a token late. None where it does not wait.
        """
        now = self._now().timestamp()
        return self._change(
            pause,
            "SET #status = :answered, takenAt = :now",
            "#status = :waiting OR takenAt < :dead",
            {
                ":answered": {"S": "ANSWERED"},
                ":waiting": {"S": "WAITING"},
                ":now": {"N": str(now)},
                ":dead": {"N": str(now - DELIVERY_SECONDS)},
            },
        )

    def settle(self, pause: WaitingPause) -> None:
        """Nobody else can answer a pause that was taken: its answer is delivered."""
        self._change(pause, "REMOVE takenAt", *self._ours(pause))

    def give_back(self, pause: WaitingPause) -> None:
        """Let a pause wait again whose answer could not be delivered, unless it has got another token since."""
        condition, values = self._ours(pause)
        update = "SET #status = :waiting REMOVE takenAt"
        self._change(pause, update, condition, {**values, ":waiting": {"S": "WAITING"}})

    def forget(self, pause: WaitingPause) -> None:
        """Delete a pause whose execution is over."""
        key: dict[str, AttributeValueTypeDef] = {
            "ownerId": {"S": pause.owner_id},
            "conversation_id": {"S": pause.conversation_id},
        }
        self._dynamodb.delete_item(TableName=self._table, Key=key)

    @staticmethod
    def _ours(pause: WaitingPause) -> tuple[str, dict[str, AttributeValueTypeDef]]:
        """That a pause is as it was when it was taken."""
        values: dict[str, AttributeValueTypeDef] = {
            ":answered": {"S": "ANSWERED"},
            ":token": {"S": pause.token},
            ":taken": {"N": str(pause.taken_at)},
        }
        return "#status = :answered AND taskToken = :token AND takenAt = :taken", values

    def _change(
        self, pause: WaitingPause, update: str, condition: str, values: Mapping[str, AttributeValueTypeDef]
    ) -> WaitingPause | None:
        found = write_if(
            lambda: self._dynamodb.update_item(
                TableName=self._table,
                Key={"ownerId": {"S": pause.owner_id}, "conversation_id": {"S": pause.conversation_id}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        )
        return None if found is None else _pause_of(found["Attributes"])


def _pauses_in(pages: Iterable[Mapping[str, Any]]) -> list[WaitingPause]:
    found = [_pause_of(item) for page in pages for item in page["Items"]]
    return sorted(found, key=lambda pause: (pause.opened_at, pause.pause_id))


def _pause_of(item: Mapping[str, Any]) -> WaitingPause:
    texts = {name: item[name]["S"] for name in ("ownerId", "workflowId", "execution_id", "execution_name", "pause_id")}
    return WaitingPause(
        owner_id=texts["ownerId"],
        workflow_id=texts["workflowId"],
        execution_id=texts["execution_id"],
        execution_name=texts["execution_name"],
        pause_id=texts["pause_id"],
        token=item["taskToken"]["S"],
        segment=int(item["segment"]["N"]),
        spec=parse_json(item["spec"]["S"]),
        opened_at=float(item["createdAt"]["N"]),
        status=item["status"]["S"],
        taken_at=float(item["takenAt"]["N"]) if "takenAt" in item else None,
    )
