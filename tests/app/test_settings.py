"""Environment variables, read once and refused together."""

from __future__ import annotations

import pytest

from statebag.app.settings import Settings
from statebag.errors import InputRefused


def test_what_calls_may_reach_is_read() -> None:
    settings = Settings.from_environment(
        {
            "STATEBAG_API_ALLOW": "127.0.0.1:8080,*.internal.example,10.0.0.0/8",
            "STATEBAG_DB_ALLOW_URLS": "1",
            "STATEBAG_DB_ALLOW_WRITE": "shop,stock",
            "STATEBAG_MEDIA_ALLOW": "s3://pictures/public,s3://films",
            "STATEBAG_DB_SHOP": "postgresql://reader:secret@db/shop",
        }
    )
    assert settings.api_allow == "127.0.0.1:8080,*.internal.example,10.0.0.0/8"
    assert settings.db_allow_urls is True
    assert settings.db_allow_write == "shop,stock"
    assert settings.media_allow == "s3://pictures/public,s3://films"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("STATEBAG_API_ALLOW", "a b", "a list of hosts, host:port, *.domain and networks"),
        ("STATEBAG_DB_ALLOW_URLS", "maybe", "true (or 1) or false (or 0)"),
        ("STATEBAG_DB_ALLOW_WRITE", "a-b", "true, false, or names of connections"),
        ("STATEBAG_MEDIA_ALLOW", "pictures", "a list of s3://bucket/prefix, without `*`"),
        ("STATEBAG_DB_", "x", "does not exist"),
        ("STATEBAG_DB_A-B", "x", "does not exist"),
        ("STATEBAG_NOSUCH", "x", "does not exist"),
    ],
)
def test_a_setting_that_can_not_be_used_is_told(variable: str, value: str, wanted: str) -> None:
    with pytest.raises(InputRefused) as refused:
        Settings.from_environment({variable: value})
    (problem,) = refused.value.problems
    assert (problem.path, problem.code) == (f"${variable}", "SETTING_INVALID")
    assert wanted in problem.message
