"""A stack beside MiniStack with a clock that tests set, for handlers that are called one by one."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from asl_compat.lambdas import resume_handler
from asl_compat.lambdas._people import ask
from asl_compat.lambdas._surroundings import Surroundings
from tests.aws.on_aws import Stack

__all__ = ["NOW", "OWNER", "Site", "new_arn", "on_site", "put_question", "resume"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBERS = itertools.count()
OWNER = "acme"


@dataclass(kw_only=True)
class Site:
    """A stack, and a clock that tests set."""

    stack: Stack
    around: Surroundings
    now: datetime = NOW

    def events(self) -> list[dict[str, Any]]:
        """What was put on the bus since the last time."""
        return [event["detail"] for event in self.stack.tap.take()]


@contextmanager
def on_site(stack: Stack) -> Iterator[Site]:
    """The handlers' surroundings in that stack; nothing is on the bus."""
    with mock.patch.dict(os.environ, {**stack.interpreter.environment, **stack.names}):
        clock: list[Site] = []
        around = Surroundings.from_environment(dict(os.environ), now=lambda: clock[0].now)
        clock.append(Site(stack=stack, around=around))
        stack.tap.take()
        yield clock[0]


def new_arn() -> str:
    """Of an execution that no other test has."""
    return f"arn:aws:states:us-east-1:123456789012:execution:m:e{next(NUMBERS)}"


def put_question(site: Site, arn: str, *, token: str = "t1", pause_id: str = "1-2", **spec: Any) -> None:
    """Ask as the functions do."""
    ask(
        site.around,
        token=token,
        execution_id=arn,
        owner_id=OWNER,
        workflow_id="w",
        execution_name=arn.rpartition(":")[2],
        pause_id=pause_id,
        segment=1,
        spec={"prompt": "ok?", **spec},
    )


def resume(site: Site, body: Any, *, owner: str | None = OWNER, **more: Any) -> tuple[int, dict[str, Any]]:
    """Status and body of the response to ``POST /resume``."""
    claims = {"sub": owner} if owner else {}
    event = {
        "body": body if isinstance(body, str) else json.dumps(body),
        "requestContext": {"authorizer": {"jwt": {"claims": claims}}},
        **more,
    }
    response = resume_handler.handle(event, site.around)
    return response["statusCode"], json.loads(response["body"])
