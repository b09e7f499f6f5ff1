"""Print the input of ``catalogue.json``: sixteen warehouses of a few thousand articles, some 10 MB of JSON.

python examples/make_catalogue.py > /tmp/catalogue.input.json
statebag run examples/catalogue.json --input @/tmp/catalogue.input.json --mock
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator

WAREHOUSES = 16
ARTICLES = 6000
_WORDS = ("oak", "steel", "brass", "linen", "amber", "cedar", "slate", "copper", "hazel", "ivory", "quartz", "willow")


def make_articles(warehouse: int, count: int = ARTICLES) -> Iterator[dict[str, object]]:
    """The same articles each time for the same warehouse."""
    draw = random.Random(warehouse)
    for number in range(count):
        yield {
            "article": f"{warehouse:02d}-{number:05d}",
            "name": " ".join(draw.sample(_WORDS, 3)),
            "price": draw.randrange(100, 90_000) / 100,
            "stock": draw.randrange(0, 400),
            "discontinued": draw.random() < 0.05,
        }


def make_catalogue() -> dict[str, list[dict[str, object]]]:
    """Warehouse to articles."""
    return {f"warehouse_{number:02d}": list(make_articles(number)) for number in range(WAREHOUSES)}


if __name__ == "__main__":
    json.dump(make_catalogue(), sys.stdout)
