"""``llm_chat`` nodes that show a model images and videos."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from statebag.config import load_document
from statebag.errors import NodeFailed
from statebag.nodes import NodeOutput, load_registry
from tests.nodes import bodies
from tests.nodes.loopback import Provider

Run = Callable[..., NodeOutput]
PNG = "data:image/png;base64,iVBORw0KGgo="
WEB = "https://pictures.example/cat.png"
TEXT = {"type": "text", "text": "What is it?"}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize("switch", [{}, {"vision_enabled": True}, {"vision_enabled": None}])
def test_shows_what_its_inputs_name(run: Run, provider: Provider, switch: dict[str, Any]) -> None:
    provider.says("A cat.")
    output = run({"album": [WEB, PNG]}, prompt="What is it?", image_inputs=["album", "{{ none }}"], **switch)
    assert output.changes["ask_output"] == "A cat."
    assert output.changes["ask_meta"] == {
        "model": "small-model",
        "max_tokens": 1024,
        "provider": "openai",
        "image_count": 2,
        "video_count": 0,
    }
    assert output.step == "ask:llm_call"
    assert provider.asked[0]["messages"] == [{"role": "user", "content": [image(WEB), image(PNG), TEXT]}]


@pytest.mark.parametrize("inputs", [{}, {"image_inputs": None, "video_inputs": []}, {"image_inputs": ""}])
def test_without_inputs_it_is_a_call_with_text_only(run: Run, provider: Provider, inputs: dict[str, Any]) -> None:
    provider.says("Hello")
    assert "image_count" not in run(prompt="Hi", **inputs).changes["ask_meta"]
    assert provider.asked[0]["messages"] == [{"role": "user", "content": "Hi"}]


def document(**config: Any) -> dict[str, Any]:
    defaults = {"provider": "openai", "model": "small-model", "prompt": "Hi"}
    return {"nodes": [{"id": "ask", "type": "llm_chat", "config": defaults | config}], "edges": []}


@pytest.mark.parametrize(
    ("config", "warned"),
    [
        (
            {"vision_enabled": False, "image_inputs": "photo", "video_inputs": ["clip"]},
            ["image_inputs", "video_inputs"],
        ),
        ({"vision_enabled": True}, ["vision_enabled"]),
    ],
)
def test_what_has_no_effect_is_a_warning_and_only_text_is_sent(
    provider: Provider, config: dict[str, Any], warned: list[str]
) -> None:
    provider.says("Hello")
    loaded = load_document(document(**config), load_registry())
    assert [(problem.path, problem.code) for problem in loaded.warnings] == [
        (f"$.nodes[0].config.{key}", "FIELD_UNKNOWN") for key in warned
    ]
    ran = bodies.run(document(**config)["nodes"][0], {"photo": WEB})
    assert ran.error is None
    assert "image_count" not in ran.changes["ask_meta"]
    assert provider.asked[0]["messages"] == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("mock", [True, False])
@pytest.mark.parametrize("switch", [{}, {"vision_enabled": True}])
def test_inputs_that_give_nothing_are_an_error(
    run: Run, provider: Provider, mock: bool, switch: dict[str, Any]
) -> None:
    with pytest.raises(NodeFailed, match="no image and no video") as failure:
        run({"photo": None}, mock=mock, prompt="Hi", image_inputs=["{{photo}}", "{{other}}"], **switch)
    assert failure.value.code == "VISION_NO_MEDIA"
    assert provider.asked == []


def each(**config: Any) -> dict[str, Any]:
    node = {"id": "look", "type": "llm_chat", "config": {"provider": "openai", "model": "small-model", **config}}
    body = {"nodes": [node], "edges": []}
    return {"id": "each", "type": "for_each", "config": {"items": "{{rows}}", "sub_workflow": body}}


@pytest.mark.parametrize("inputs", ["{{item.image_uri}}", ["item.image_uri"]])
def test_each_item_of_a_list_shows_its_own(provider: Provider, inputs: Any) -> None:
    provider.says("seen")
    rows = [{"name": "cat", "image_uri": WEB}, {"name": "dog", "image_uri": PNG}]
    ran = bodies.run(each(prompt="Is it a {{item.name}}?", image_inputs=inputs), {"rows": rows})
    assert ran.error is None
    assert [one["look_meta"]["image_count"] for one in ran.changes["for_each_results"]] == [1, 1]
    shown = [asked["messages"][0]["content"] for asked in provider.asked]
    assert sorted(shown, key=str) == sorted(
        [
            [image(WEB), {"type": "text", "text": "Is it a cat?"}],
            [image(PNG), {"type": "text", "text": "Is it a dog?"}],
        ],
        key=str,
    )


def test_items_in_s3_are_mocked_without_fetching_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    rows = [{"image_uri": "s3://pictures/cat.jpg"}, {"image_uri": "gs://pictures/cat.jpg"}]
    node = each(prompt="What is it?", vision_enabled=True, image_inputs="{{item.image_uri}}")
    results = bodies.run(node, {"rows": rows}, mock=True).changes["for_each_results"]
    assert [one["look_meta"]["image_count"] for one in results] == [1, 1]
    assert results[0]["look_output"] != results[1]["look_output"]
    assert bodies.run(node, {"rows": rows}, mock=True).changes["for_each_results"] == results
