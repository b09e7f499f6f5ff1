from typing import Any

import pytest

from statebag.errors import InputRefused

PAUSE = {"prompt": "ok?", "output_key": "answer", "on_reject": "n4", "on_timeout": "n5", "timeout_seconds": 60}


def detour(chain: Any, pause: dict[str, Any]) -> dict[str, Any]:
    """Four segments with a pause before the second, and two more nodes that only a pause leads to."""
    document = chain({}, {}, {}, {}, pauses={1: pause})
    document["nodes"] += [{"id": name, "type": "web"} for name in ("n4", "n5") if name in pause.values()]
    return document


def pause(run: Any, chain: Any, spec: dict[str, Any] | None = None) -> None:
    run.init({"messages": [{"role": "system", "content": "s"}]}, document=detour(chain, spec or PAUSE))
    run.sync("PAUSED_FOR_HITP", 1)


ABSENT = object()


@pytest.mark.parametrize("response", [False, 0, "", None, [], {}, "yes", 1.5, {"a": [None]}, ABSENT])
def test_any_answer_is_kept_and_the_next_segment_is_the_one_after_the_pause(
    response: Any, run: Any, chain: Any
) -> None:
    pause(run, chain)
    callback = {"token_id": "t", "decision": "ANSWER", "responder": "ann", "responded_at": "now"}
    given = {} if response is ABSENT else {"user_response": response}
    answer = run.act("merge_callback", callback_result=callback | given)
    assert answer["next_action"] == "CONTINUE"
    assert (run.state["segment_to_run"], run.state["loop_counter"]) == (1, 1)
    user = run.user
    kept = user.pop("last_hitp_response")
    value = {} if response is ABSENT else {"value": response}
    assert kept == {"decision": "ANSWER", "token_id": "t", "responder": "ann", "responded_at": "now"} | value
    assert ("answer" in user) == (response is not ABSENT)
    if response is not ABSENT:
        assert user["answer"] == response
    said = [{"role": "user", "content": response}] if response == "yes" else []
    assert user["messages"] == [{"role": "system", "content": "s"}, *said]


def test_a_variable_called_messages_that_is_no_list_is_left_alone(run: Any, chain: Any) -> None:
    run.init({"messages": "mine"}, document=detour(chain, {}))
    run.sync("PAUSED_FOR_HITP", 1)
    run.act("merge_callback", callback_result={"decision": "APPROVED", "user_response": "yes"})
    assert run.user["messages"] == "mine"
    assert run.user["last_hitp_response"]["value"] == "yes"


@pytest.mark.parametrize(
    ("callback", "segment", "code"),
    [
        ({"decision": "REJECTED", "user_response": "no"}, 4, "HITP_REJECTED"),
        ({"decision": "TIMEOUT"}, 5, "HITP_TIMEOUT"),
        ({"Error": "States.Timeout", "Cause": ""}, 5, "HITP_TIMEOUT"),
    ],
)
def test_a_rejection_and_a_time_out_go_where_the_pause_says_or_fail(
    callback: dict[str, Any], segment: int, code: str, run: Any, chain: Any
) -> None:
    pause(run, chain)
    run.act("merge_callback", callback_result=callback)
    assert (run.answer["next_action"], run.state["segment_to_run"]) == ("CONTINUE", segment)
    assert "error" not in run.state


@pytest.mark.parametrize(("decision", "code"), [("REJECTED", "HITP_REJECTED"), ("TIMEOUT", "HITP_TIMEOUT")])
def test_without_a_route_they_fail_the_run(decision: str, code: str, run: Any, chain: Any) -> None:
    pause(run, chain, {"prompt": "ok?", "timeout_seconds": 90})
    run.act("merge_callback", callback_result={"decision": decision, "responder": "ann"})
    assert run.answer["next_action"] == "FAILED"
    assert run.state["error"]["code"] == code
    assert ("ann rejected" if decision == "REJECTED" else "within 90 s") in run.state["error"]["message"]


def test_two_pauses_of_one_run_are_answered_one_after_the_other(run: Any, chain: Any) -> None:
    run.init(document=chain({}, {}, {}, pauses={1: {"output_key": "first"}, 2: {"output_key": "second"}}))
    run.sync("PAUSED_FOR_HITP", 1)
    run.act("merge_callback", callback_result={"token_id": "1", "decision": "ANSWER", "user_response": 1})
    run.sync("PAUSED_FOR_HITP", 2)
    run.act("merge_callback", callback_result={"token_id": "2", "decision": "ANSWER", "user_response": 2})
    assert run.answer["next_action"] == "CONTINUE"
    assert run.state["segment_to_run"] == 2
    assert (run.user["first"], run.user["second"]) == (1, 2)
    assert run.user["last_hitp_response"]["token_id"] == "2"


def test_a_route_that_leads_to_another_pause_pauses(run: Any, chain: Any) -> None:
    document = chain({}, {}, {}, {}, pauses={1: {"on_reject": "n4"}})
    document["nodes"].append({"id": "n4", "type": "web", "hitp": True})
    run.init(document=document)
    run.sync("PAUSED_FOR_HITP", 1)
    run.act("merge_callback", callback_result={"decision": "REJECTED"})
    assert (run.answer["next_action"], run.state["segment_to_run"]) == ("PAUSED_FOR_HITP", 4)


@pytest.mark.parametrize("callback", [None, [], "yes", {}, {"decision": "MAYBE"}, {"decision": True}, {"Error": "x"}])
def test_a_callback_without_a_decision_is_refused(callback: Any, run: Any, chain: Any) -> None:
    pause(run, chain)
    with pytest.raises(InputRefused) as refused:
        run.act("merge_callback", callback_result=callback)
    assert refused.value.code == "RESPONSE_INVALID"


def test_the_decision_may_come_as_status(run: Any, chain: Any) -> None:
    pause(run, chain)
    run.act("merge_callback", callback_result={"token_id": "t", "kind": "HITP", "status": "APPROVED"})
    assert run.answer["next_action"] == "CONTINUE"
