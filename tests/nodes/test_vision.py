"""Nodes that show a model images and videos."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from statebag.config import Node, load_document
from statebag.errors import InputRefused, NodeFailed, ProviderUnavailable
from statebag.nodes import NodeContext, NodeOutput, load_registry
from statebag.nodes.llm import MAX_INLINE_BYTES, MAX_MEDIA
from statebag.nodes.vision import NODE_TYPES, Vision
from tests.nodes.loopback import Fields, Provider

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG of the test").decode()
MP4 = "data:video/mp4;base64," + base64.b64encode(b"video of the test").decode()
WEB = "https://pictures.example/cat.png?size=2"
BEDROCK: dict[str, Any] = {"provider": "bedrock", "model": "amazon.nova-lite-v1:0"}
GEMINI: dict[str, Any] = {"provider": "google", "model": "gemini-3-flash"}
SCHEMA = {
    "type": "object",
    "properties": {"animal": {"type": "string"}, "legs": {"type": "integer", "minimum": 0}},
    "required": ["animal", "legs"],
    "additionalProperties": False,
}


def run(state: Mapping[str, Any] | None = None, *, mock: bool = False, attempt: int = 1, **config: Any) -> NodeOutput:
    defaults = {"provider": "openai", "model": "small-model", "prompt_content": "What is it?"}
    node = Node(id="look", type="vision", config=defaults | config)
    context = NodeContext(execution_id="run-1", segment_id="seg-1", mock=mock, attempt=attempt)
    assert list(Vision().check(node, "$.nodes[0]")) == []
    return Vision().run(node, Fields(state or {}), context)


def check(**config: Any) -> list[tuple[str, str]]:
    node = Node(id="look", type="vision", config={"prompt": "x", "model": "gpt-5"} | config)
    return [
        (problem.path.removeprefix("$.nodes[0].config."), problem.code)
        for problem in Vision().check(node, "$.nodes[0]")
    ]


def sent(provider: Provider) -> list[Any]:
    return provider.asked[-1]["messages"][-1]["content"]


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def test_writes_the_answer_and_what_was_shown(provider: Provider) -> None:
    provider.says("A cat.")
    output = run({"who": "cat"}, image_inputs=WEB, prompt_content="Is it a {{who}}?", system_prompt="Be brief.")
    usage = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18, "cached_tokens": 3, "provider": "openai"}
    assert output.changes == {
        "look_output": "A cat.",
        "look_meta": {
            "model": "small-model",
            "max_tokens": 1024,
            "provider": "openai",
            "image_count": 1,
            "video_count": 0,
        },
        "usage": usage,
    }
    assert output.logs[0] == {
        "type": "ai_thought",
        "name": "look",
        "node_id": "look",
        "status": "COMPLETED",
        "usage": usage,
        "content": "A cat.",
    }
    [asked] = provider.asked
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [image(WEB), {"type": "text", "text": "Is it a cat?"}]},
    ]


def test_address_is_fetched_by_the_provider_alone(provider: Provider) -> None:
    provider.says("ok")
    run(image_inputs=f"{provider.url}/picture.png")
    assert provider.paths == ["/v1/chat/completions"]
    assert sent(provider)[0] == image(f"{provider.url}/picture.png")


@pytest.mark.parametrize(
    ("inputs", "urls"),
    [
        ("{{ photo }}", [WEB]),
        ("photo", [WEB]),
        ("album", [WEB, PNG]),
        (["{{album}}", "case.front", "case['back side']"], [WEB, PNG, PNG, WEB]),
        (["https://pictures.example/{{number}}.png"], ["https://pictures.example/7.png"]),
        (["{{ nothing }}", "photo", "{{ unset }}", "{{ blank }}"], [WEB]),
        ("a name with. a dot", [PNG]),
        (f" {WEB}\n", [WEB]),
    ],
)
def test_inputs_are_templates_names_and_addresses(provider: Provider, inputs: Any, urls: list[str]) -> None:
    provider.says("ok")
    state = {
        "photo": WEB,
        "album": [WEB, PNG],
        "case": {"front": PNG, "back side": WEB},
        "number": 7,
        "nothing": None,
        "blank": " ",
        "a name with. a dot": PNG,
    }
    output = run(state, image_inputs=inputs)
    assert [part["image_url"]["url"] for part in sent(provider)[:-1]] == urls
    assert output.changes["look_meta"]["image_count"] == len(urls)


def test_conversation_is_shown_the_media_at_its_end(provider: Provider) -> None:
    provider.says("ok")
    talk = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "?"},
    ]
    run({"talk": talk}, prompt_content=None, messages="{{talk}}", image_inputs=WEB)
    assert [message["content"] for message in provider.asked[0]["messages"]] == [
        "Hi",
        "Hello",
        [image(WEB), {"type": "text", "text": "?"}],
    ]
    with pytest.raises(NodeFailed, match="must end with the user"):
        run({"talk": talk[:2]}, prompt_content=None, messages="{{talk}}", image_inputs=WEB)


def test_answer_may_have_a_schema(provider: Provider) -> None:
    provider.says('{"animal": "cat", "legs": 4}')
    output = run(
        image_inputs=PNG, response_schema=SCHEMA, parse_json=True, output_key="seen", temperature=0, max_tokens=9
    )
    assert output.changes["seen"] == {"animal": "cat", "legs": 4}
    [asked] = provider.asked
    assert asked["response_format"]["json_schema"]["schema"]["properties"].keys() == {"animal", "legs"}
    assert (asked["temperature"], asked.get("max_completion_tokens", asked.get("max_tokens"))) == (0, 9)
    provider.says('{"animal": "cat"}')
    with pytest.raises(NodeFailed, match="breaks `response_schema`") as failure:
        run(image_inputs=PNG, response_schema=SCHEMA)
    assert failure.value.code == "LLM_FAILED"


def test_anthropic_gets_addresses_and_bytes(anthropic: Provider) -> None:
    anthropic.body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "content": [{"type": "text", "text": "A cat."}],
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }
    output = run(provider="anthropic", model="claude-haiku-4-5", image_inputs=[WEB, PNG])
    assert output.changes["look_output"] == "A cat."
    by_address, by_bytes, text = anthropic.asked[0]["messages"][0]["content"]
    assert by_address["source"] == {"type": "url", "url": WEB}
    assert by_bytes["source"] == {"type": "base64", "media_type": "image/png", "data": PNG.partition(",")[2]}
    assert text["text"] == "What is it?"


GOOGLE_ANSWER = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "A cat."}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
    "modelVersion": "gemini-3-flash",
    "responseId": "1",
}


def test_gemini_gets_addresses_and_bytes_of_images_and_videos(google: Provider) -> None:
    google.body = GOOGLE_ANSWER
    clip = "https://videos.example/clip"
    output = run(**GEMINI, image_inputs=[WEB, PNG], video_inputs=[clip, MP4])
    assert output.changes["look_meta"]["image_count"] == 2
    assert output.changes["look_meta"]["video_count"] == 2
    assert len(google.paths) == 1
    *shown, text = google.asked[0]["contents"][0]["parts"]
    assert [part.get("fileData") for part in shown] == [
        {"file_uri": WEB, "mime_type": "image/png"},
        None,
        {"file_uri": clip, "mime_type": "video/mp4"},
        None,
    ]
    assert [part["inlineData"]["mime_type"] for part in (shown[1], shown[3])] == ["image/png", "video/mp4"]
    assert text == {"text": "What is it?"}


def test_google_cloud_gets_its_own_storage_and_the_gemini_api_does_not(
    google: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.body = GOOGLE_ANSWER
    with pytest.raises(NodeFailed, match="GOOGLE_GENAI_USE_VERTEXAI") as failure:
        run(**GEMINI, video_inputs="gs://films/one.mp4")
    assert failure.value.code == "VISION_MEDIA_REFUSED"
    assert google.asked == []
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", google.url)
    run(**GEMINI, image_inputs="gs://pictures/cat.webp", video_inputs="gs://films/one.mp4")
    assert [part.get("fileData") for part in google.asked[0]["contents"][0]["parts"]] == [
        {"file_uri": "gs://pictures/cat.webp", "mime_type": "image/webp"},
        {"file_uri": "gs://films/one.mp4", "mime_type": "video/mp4"},
        None,
    ]


def test_bedrock_gets_s3_and_bytes(bedrock: Provider) -> None:
    bedrock.body = {
        "output": {"message": {"role": "assistant", "content": [{"text": "A cat."}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
        "metrics": {"latencyMs": 1},
    }
    output = run(**BEDROCK, image_inputs=[PNG, "s3://pictures/cat.jpg"], video_inputs="s3://films/one.mp4")
    assert output.changes["look_output"] == "A cat."
    content = bedrock.asked[0]["messages"][0]["content"]
    assert content[0]["image"]["format"] == "png"
    assert content[1]["image"] == {"format": "jpeg", "source": {"s3Location": {"uri": "s3://pictures/cat.jpg"}}}
    assert content[2]["video"] == {"format": "mp4", "source": {"s3Location": {"uri": "s3://films/one.mp4"}}}


@pytest.mark.parametrize("inputs", ["{{ photo }}", ["{{ photo }}", "{{ other }}"], "{{ empty }}", "empty"])
def test_no_media_fails_for_good_and_asks_nobody(provider: Provider, inputs: Any) -> None:
    with pytest.raises(NodeFailed, match="no image and no video") as failure:
        run({"photo": None, "empty": []}, image_inputs=inputs)
    assert failure.value.code == "VISION_NO_MEDIA"
    assert failure.value.retryable is False
    assert provider.asked == []


@pytest.mark.parametrize(
    ("value", "config", "remedy"),
    [
        ("cat.png", {}, "which is no address"),
        ("/tmp/cat.png", {}, "which is no address"),
        (5, {}, "an address, or a list of them"),
        ({"url": WEB}, {}, "an address, or a list of them"),
        ([WEB, None], {}, "item 1 of `image_inputs` is a NoneType"),
        ("file:///etc/passwd", {}, "Give one of `data:`, `http:`, `https:`, `s3:`"),
        ("gs://a/b.png", {}, "use the provider google"),
        ("s3://a/b.png", {}, "STATEBAG_MEDIA_ALLOW doesn't cover it. Add `s3://a/` to it"),
        ("s3://a/b/c/d.png", GEMINI, "Add `s3://a/b/c` to it in the worker's environment"),
        (WEB, BEDROCK, "Give an `s3://` address, or a `data:` URL"),
        ("http://a.example/b.png", GEMINI, "Give an https address"),
        (MP4, {}, "It must begin `data:image/"),
        ("data:image/png,abc", {}, "It must begin `data:image/"),
        ("data:image/png;base64,a*b", {}, "is not base64"),
        ("data:image/png;base64,abc", {}, "is not base64"),
        ("data:image/png;base64,", {}, "has no bytes"),
    ],
)
def test_media_that_are_not_taken_fail_for_good_and_say_what_to_do(
    provider: Provider, value: Any, config: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(NodeFailed) as failure:
        run({"photo": value}, image_inputs="{{photo}}", **config)
    assert remedy in failure.value.message
    assert failure.value.code == "VISION_MEDIA_REFUSED"
    assert provider.asked == []


def test_videos_are_refused_where_the_provider_takes_none(provider: Provider) -> None:
    for video in (MP4, "s3://films/one.mp4", "https://films.example/one.mp4"):
        with pytest.raises(NodeFailed, match=r"openai takes no videos\. Use the provider google or bedrock") as failure:
            run(video_inputs=video)
        assert failure.value.code == "VISION_MEDIA_REFUSED"
    assert provider.asked == []


def test_mock_mode_takes_any_address_and_fetches_none(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATEBAG_MEDIA_ALLOW", "nonsense")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", provider.url)
    output = run(mock=True, image_inputs=["s3://a/b.png", "gs://a/b.png", "ftp://a/b.png"], video_inputs=MP4)
    assert output.changes["look_output"].startswith("Mock answer to: What is it? (")
    assert (output.changes["look_meta"]["image_count"], output.changes["look_meta"]["video_count"]) == (3, 1)
    assert provider.paths == []


def test_name_that_is_no_field_is_an_error() -> None:
    with pytest.raises(NodeFailed, match="no field of the state and no address") as failure:
        run({"photo": WEB}, image_inputs=["photo", "phtoo"])
    assert failure.value.code == "VISION_MEDIA_REFUSED"


def test_number_and_size_are_limited() -> None:
    assert (
        run({"all": [WEB] * MAX_MEDIA}, mock=True, image_inputs="all").changes["look_meta"]["image_count"] == MAX_MEDIA
    )
    with pytest.raises(NodeFailed, match=f"{MAX_MEDIA + 1} images and videos") as failure:
        run({"all": [WEB] * (MAX_MEDIA + 1)}, mock=True, image_inputs="all")
    assert failure.value.code == "VISION_MEDIA_REFUSED"
    half = "data:image/png;base64," + base64.b64encode(bytes(MAX_INLINE_BYTES // 2)).decode()
    run({"half": half}, mock=True, image_inputs=["half", "half"])
    with pytest.raises(NodeFailed, match="have 20000016 bytes together"):
        run({"half": half}, mock=True, image_inputs=["half", "half", PNG])


def test_refusals_of_the_provider_are_errors(provider: Provider) -> None:
    provider.refuses(429, "slow down", Retry_After="5")
    with pytest.raises(ProviderUnavailable) as busy:
        run(image_inputs=WEB)
    assert busy.value.details["retry_after_seconds"] == 5
    provider.refuses(400, "the picture is no picture")
    with pytest.raises(NodeFailed, match="the picture is no picture") as refused:
        run(image_inputs=WEB)
    assert refused.value.code == "LLM_FAILED"
    assert len(provider.asked) == 2


def test_mock_answers_are_the_same_and_depend_on_the_media() -> None:
    first = run(mock=True, image_inputs=PNG)
    assert first.changes["look_output"].startswith("Mock answer to: What is it? (")
    assert first.changes["look_meta"]["mock"] is True
    assert run(mock=True, image_inputs=PNG, attempt=2).changes == first.changes
    assert run(mock=True, image_inputs=WEB).changes["look_output"] != first.changes["look_output"]


def test_mock_answers_honour_the_schema_and_mock_response() -> None:
    value = json.loads(run(mock=True, image_inputs=PNG, response_schema=SCHEMA).changes["look_output"])
    Draft202012Validator(SCHEMA).validate(value)
    assert run({"x": 3}, mock=True, image_inputs=PNG, mock_response="{{x}} cats").changes["look_output"] == "3 cats"


@pytest.mark.parametrize(
    ("config", "problems"),
    [
        ({"image_inputs": WEB}, []),
        ({"image_inputs": "photo", "video_inputs": None}, []),
        ({"model": "gemini-3-flash", "video_inputs": ["gs://a/b.mp4", "{{x}}"]}, []),
        ({"model_id": "gemini-3-flash", "model": None, "video_inputs": "clip"}, []),
        ({}, [("image_inputs", "FIELD_MISSING")]),
        ({"image_inputs": [], "video_inputs": ""}, [("image_inputs", "FIELD_MISSING")]),
        ({"image_inputs": 5}, [("image_inputs", "FIELD_TYPE")]),
        ({"image_inputs": [WEB, None, " "]}, [("image_inputs[1]", "FIELD_TYPE"), ("image_inputs[2]", "FIELD_TYPE")]),
        ({"image_inputs": "{{ x"}, [("image_inputs", "TEMPLATE_SYNTAX")]),
        ({"image_inputs": ["s3://a/b.png", "gs://a/b.png", "ftp://a/b.png"], "video_inputs": MP4}, []),
        ({"image_inputs": "a[b"}, [("image_inputs", "FIELD_VALUE")]),
        ({"image_inputs": "$"}, [("image_inputs", "FIELD_VALUE")]),
        ({"image_inputs": WEB, "vision_enabled": True}, []),
        ({"image_inputs": WEB, "vision_enabled": False}, [("vision_enabled", "FIELD_UNKNOWN")]),
        ({"image_inputs": WEB, "vision_enabled": "yes"}, [("vision_enabled", "FIELD_TYPE")]),
        ({"image_inputs": WEB, "prompt": None}, [("prompt_content", "FIELD_MISSING")]),
        ({"image_inputs": WEB, "temperature": 3}, [("temperature", "FIELD_VALUE")]),
        ({"image_inputs": "s3://a/b.png", "provider": "acme", "model": "acme"}, [("provider", "FIELD_VALUE")]),
        ({"image_inputs": WEB, "model": None, "model_id": 5}, [("model_id", "FIELD_TYPE")]),
    ],
)
def test_check(config: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    assert check(**config) == problems


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ({"prompt": "{{a}}", "image_inputs": ["{{b.c}}", WEB, "d"]}, frozenset("abd")),
        ({"prompt": "x", "image_inputs": "a.b[0]"}, frozenset({"a.b[0]", "a"})),
        ({"prompt": "x", "video_inputs": "{{__state_json}}"}, None),
        ({"prompt": "{{__state_json}}", "video_inputs": "a"}, None),
    ],
)
def test_reads(config: dict[str, Any], fields: frozenset[str] | None) -> None:
    assert Vision().reads(Node(id="n", type="vision", config=config)) == fields


def test_is_a_node_type_of_documents() -> None:
    [node_type] = NODE_TYPES
    assert (node_type.name, node_type.outside) == ("vision", True)
    node = {"id": "a", "type": "image_analysis", "config": {"prompt": "x", "image_inputs": "photo"}}
    assert load_document({"nodes": [node], "edges": []}, load_registry()).document.nodes[0].type == "vision"
    with pytest.raises(InputRefused, match="image_inputs"):
        load_document({"nodes": [{**node, "config": {"prompt": "x"}}], "edges": []}, load_registry())
