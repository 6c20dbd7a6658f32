"""A reader in a process of its own: `python watcher.py DATA COLLECTION PLAN` searches until its input is closed.

PLAN is a JSON file of words by file name. For each word that it searches it keeps which of the source's chunks were found; in
the end it prints all distinct sets that it saw, and how many searches it made.
"""

from __future__ import annotations

import json
import random
import select
import sys
from pathlib import Path
from typing import Any

from phidex.errors import NotFoundError
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings, StoreSettings


def watch(data: str, collection: str, words: dict[str, str]) -> dict[str, Any]:
    """What was seen: by file name, the distinct sets of chunk ids."""
    seen: dict[str, set[tuple[str, ...]]] = {name: set() for name in words}
    settings = Settings(
        data=Path(data),
        embed=EmbedSettings(model="none"),  # pyright: ignore[reportCallIssue]  # all fields have defaults
        store=StoreSettings(min_free_mb=1),  # pyright: ignore[reportCallIssue]
    )
    pick, searches = random.Random(0), 0
    with Phidex(settings=settings) as phidex:
        while not select.select([sys.stdin], [], [], 0.003)[0]:  # a breath: the machine has others to serve
            name = pick.choice(sorted(words))
            try:
                hits = phidex.search(words[name], collection, 100)
            except NotFoundError:  # not made yet
                continue
            seen[name].add(tuple(sorted(hit.chunk.id for hit in hits if hit.source.name == name)))
            searches += 1
            if searches == 1:
                print("watching", flush=True)
    return {"seen": {name: sorted(sets) for name, sets in seen.items()}, "searches": searches}


if __name__ == "__main__":
    print(json.dumps(watch(sys.argv[1], sys.argv[2], json.loads(Path(sys.argv[3]).read_text()))))
