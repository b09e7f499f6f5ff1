"""What the worker may fetch for a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebag.errors import InputRefused
from statebag.nodes.llm import parse_media_allow, read_media_allow

LIST = "s3://pictures/public, s3://films/ ,s3://whole.bucket,s3://one/a/b.png,,s3://two/folder/"


@pytest.mark.parametrize(
    ("bucket", "key", "covered"),
    [
        ("pictures", "public/cat.png", True),
        ("pictures", "public/2024/cat.png", True),
        ("pictures", "public", True),
        ("pictures", "public-not/cat.png", False),
        ("pictures", "private/public/cat.png", False),
        ("pictures", "public/../private/cat.png", False),
        ("pictures", "public/./cat.png", False),
        ("pictures", "public/..cat.png", True),
        ("pictures", "Public/cat.png", False),
        ("films", "any/film.mp4", True),
        ("films", "../pictures/cat.png", False),
        ("whole.bucket", "any.png", True),
        ("whole-bucket", "any.png", False),
        ("one", "a/b.png", True),
        ("one", "a/c.png", False),
        ("two", "folder/a.png", True),
        ("two", "folder", False),
        ("two", "folders/a.png", False),
        ("", "", False),
    ],
)
def test_a_prefix_covers_what_is_below_it(bucket: str, key: str, covered: bool) -> None:
    assert parse_media_allow(LIST).covers(bucket, key) is covered


@given(bucket=st.text(), key=st.text())
def test_nothing_is_covered_where_nothing_is_set(bucket: str, key: str) -> None:
    assert not read_media_allow({}).covers(bucket, key)
    assert not parse_media_allow(" , ").covers(bucket, key)


names = st.text("ab.", min_size=1, max_size=3)


@given(prefix=st.lists(names, min_size=1, max_size=3), key=st.lists(names, min_size=1, max_size=4))
def test_what_is_covered_stays_below_however_folders_are_resolved(prefix: list[str], key: list[str]) -> None:
    resolved: list[str] = []
    for name in key:
        if name == "..":
            resolved = resolved[:-1]
        elif name != ".":
            resolved.append(name)
    covered = parse_media_allow(f"s3://bucket/{'/'.join(prefix)}").covers("bucket", "/".join(key))
    assert not covered or resolved[: len(prefix)] == prefix


@pytest.mark.parametrize(
    "entry", ["pictures", "s3://", "s3:///a", "gs://pictures/a", "s3://pictures/*", "s3://a b/c", "*"]
)
def test_an_entry_that_can_not_be_used_is_told(entry: str) -> None:
    with pytest.raises(InputRefused, match="which is not a list of s3://bucket/prefix") as refused:
        read_media_allow({"STATEBAG_MEDIA_ALLOW": f"s3://pictures/a,{entry}"})
    (problem,) = refused.value.problems
    assert (problem.path, problem.code) == ("$STATEBAG_MEDIA_ALLOW", "SETTING_INVALID")
    assert repr(entry) in problem.message
