"""Free text as parts of keys."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebag.blobs._names import FILES_PART, PART_LIMIT, decode_part, encode_part, is_safe_key

TRICKY = (
    st.text(alphabet="./%_~-25EFef", max_size=12)
    | st.text(max_size=60)
    | st.sampled_from(["_files", "_Files", "%5Ffiles", "%5ffiles", "_", "", "%5F"])
)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("owner-1.A_b", "owner-1.A_b"),
        ("", "_"),
        ("_", "%5F"),
        ("a b#ü", "a%20b%23%C3%BC"),
        ("a/b", "a%252Fb"),
        ("..", "%252E%252E"),
        (".", "%252E"),
        ("a..b", "a%252E%252Eb"),
        ("%2F", "%25252F"),
        ("~", "%7E"),
        ("_files", "%5Ffiles"),
        ("_FILES", "%5FFILES"),
        ("_files2", "_files2"),
    ],
)
def test_known_forms(text: str, part: str) -> None:
    assert encode_part(text) == part
    assert decode_part(part) == text


@given(TRICKY, TRICKY)
def test_different_texts_never_meet(one: str, two: str) -> None:
    assert (encode_part(one) == encode_part(two)) == (one == two)


@given(st.lists(TRICKY, min_size=1, max_size=4))
def test_keys_are_safe(texts: list[str]) -> None:
    key = "/".join(encode_part(text) for text in texts)
    assert is_safe_key(key)
    assert key.count("/") == len(texts) - 1
    assert re.fullmatch(r"[A-Za-z0-9._%/-]+", key)


@given(TRICKY)
def test_short_parts_are_decoded(text: str) -> None:
    part = encode_part(text)
    if len(part) <= PART_LIMIT:
        assert decode_part(part) == text


def test_long_texts_stay_apart_and_fit_a_file_name() -> None:
    texts = [character * 1000 + end for character in ("a", "漢", "/", "%") for end in ("", "b", "c")]
    parts = [encode_part(text) for text in texts]
    assert len(set(parts)) == len(parts)
    assert all(len(part.replace("%", "%25")) <= 255 and is_safe_key(part) for part in parts)
    # The short form of one text is not the whole form of another.
    assert encode_part(parts[0]) != parts[0]


@given(TRICKY)
def test_no_text_has_the_part_of_files(text: str) -> None:
    assert encode_part(text).lower() != FILES_PART
    assert is_safe_key(f"owner/{FILES_PART}/orders.csv")
