"""How long a node waits after a provider's refusal: what the provider says, in whatever form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from statebag.errors import NodeFailed, ProviderUnavailable
from statebag.nodes import NodeOutput

Run = Callable[..., NodeOutput]


def waited(run: Run, **config: Any) -> float | None:
    with pytest.raises(ProviderUnavailable) as failure:
        run(prompt="x", **config)
    return failure.value.details.get("retry_after_seconds")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "17"}, 17.0),
        ({"Retry_After": "2.5"}, 2.5),
        ({"retry_after_ms": "1500", "Retry_After": "2"}, 1.5),
        ({"x_ratelimit_reset_requests": "1s"}, 1.0),
        ({"x_ratelimit_reset_tokens": "6m0s"}, 360.0),
        ({"x_ratelimit_reset_tokens": "1h2m3.5s"}, 3723.5),
        ({"x_ratelimit_reset_tokens": "750ms"}, 0.75),
        ({"x_ratelimit_reset_requests": "2m59.56s"}, 179.56),
        ({"x_ratelimit_reset_tokens": "12"}, 12.0),
        ({"x_ratelimit_reset_requests": "1s", "x_ratelimit_reset_tokens": "6m0s"}, 360.0),
        (
            {
                "x_ratelimit_reset_requests": "1s",
                "x_ratelimit_remaining_requests": "0",
                "x_ratelimit_reset_tokens": "6m0s",
                "x_ratelimit_remaining_tokens": "90",
            },
            1.0,
        ),
        ({"Retry_After": "3", "x_ratelimit_reset_tokens": "6m0s"}, 3.0),
        ({"x_ratelimit_reset_tokens": "soon"}, None),
        ({"x_ratelimit_reset_tokens": "-1"}, None),
        ({"Retry_After": "later"}, None),
        ({}, None),
    ],
)
def test_headers_of_openai_and_servers_like_it(
    provider: Any, run: Run, headers: dict[str, str], seconds: float | None
) -> None:
    provider.refuses(429, "slow down", code="rate_limit_exceeded", **headers)
    assert waited(run) == (None if seconds is None else pytest.approx(seconds))


def test_limits_of_a_server_that_is_broken_say_nothing(provider: Any, run: Run) -> None:
    provider.refuses(500, "broken", x_ratelimit_reset_tokens="6m0s")
    assert waited(run) is None


def test_date_that_is_over_means_at_once(provider: Any, run: Run) -> None:
    provider.refuses(
        429, "slow down", Retry_After=format_datetime(datetime.now(UTC) - timedelta(minutes=1), usegmt=True)
    )
    assert waited(run) == 0


def google_refusal(*details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED", "details": list(details)}}


@pytest.mark.parametrize(("delay", "seconds"), [("14s", 14.0), ("0.5s", 0.5), ("41.627s", 41.627), ("x", None)])
def test_retry_info_in_the_body_of_google(google: Any, run: Run, delay: str, seconds: float | None) -> None:
    google.status = 429
    google.body = google_refusal({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    assert waited(run, provider="google", model=None) == seconds
    assert len(google.asked) == 1


def test_daily_quota_of_google_is_final(google: Any, run: Run) -> None:
    google.status = 429
    violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}
    google.body = google_refusal({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]})
    with pytest.raises(NodeFailed, match="quota is used up"):
        run(prompt="x", provider="google", model=None)


def anthropic_refuses(anthropic: Any, **headers: str) -> None:
    anthropic.refuses(429, "slow down", **headers)
    anthropic.body = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}


def test_retry_after_of_anthropic(anthropic: Any, run: Run) -> None:
    anthropic_refuses(anthropic, retry_after="33")
    assert waited(run, provider="anthropic", model="claude-haiku-4-5") == 33
    assert len(anthropic.asked) == 1


def test_reset_time_of_the_limit_that_is_used_up_at_anthropic(anthropic: Any, run: Run) -> None:
    now = datetime.now(UTC)
    anthropic_refuses(
        anthropic,
        anthropic_ratelimit_requests_reset=(now + timedelta(hours=1)).isoformat(),
        anthropic_ratelimit_requests_remaining="5",
        anthropic_ratelimit_input_tokens_reset=(now + timedelta(seconds=50)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        anthropic_ratelimit_input_tokens_remaining="0",
    )
    seconds = waited(run, provider="anthropic", model="claude-haiku-4-5")
    assert seconds is not None
    assert 30 < seconds <= 50


def test_retry_after_of_bedrock(bedrock: Any, run: Run) -> None:
    bedrock.refuses(429, "too many", x_amzn_errortype="ThrottlingException", Retry_After="7")
    assert waited(run, provider="bedrock", model="amazon.nova-lite-v1:0") == 7
