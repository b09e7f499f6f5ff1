"""The documentation says what the code has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from statebag.app.settings import Settings
from statebag.errors import CODES
from statebag.nodes import builtin_registry
from statebag.nodes.strategies import STRATEGIES

ROOT = Path(__file__).parent.parent


def test_every_error_code_is_documented_with_its_meaning() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE))
    assert rows == dict(CODES)


def test_every_error_code_is_raised_somewhere() -> None:
    source = "".join(
        path.read_text()
        for room in ("statebag", "workflows", "activities", "asl_compat", "benchmarks")
        for path in (ROOT / room).rglob("*.py")
    )
    unused = [code for code in CODES if len(re.findall(rf"\"{code}\"", source)) < 2]
    assert unused == []


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    rows = re.findall(r"^\| `STATEBAG_([A-Z_]+)` \| (.+?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    settings = Settings()
    assert {name.lower() for name, _ in rows} == set(Settings.__dataclass_fields__)
    for name, default in rows:
        if name != "STORE":
            assert default.strip("`") == (str(getattr(settings, name.lower())).replace("False", "false") or "nothing")


@pytest.mark.parametrize("names", [STRATEGIES, builtin_registry()], ids=["strategies", "node types"])
def test_every_name_of_the_format_is_described(names: dict[str, object]) -> None:
    text = (ROOT / "docs/documents.md").read_text()
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_start_input_is_the_example_document() -> None:
    start = json.loads((ROOT / "examples/document_review.start.json").read_text())
    assert start["workflow_config"] == json.loads((ROOT / "examples/document_review.json").read_text())
    assert start["initial_state"] == json.loads((ROOT / "examples/document_review.input.json").read_text())


def test_links_lead_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []
