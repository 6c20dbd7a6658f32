"""Packing 128K tokens from 2,000 hits: how long it takes with nothing counted before, and with all of it.

Real passages in six languages, in random order of rank, counted by a local `tokenizer.json` and by a real vLLM's `/tokenize`.
The tokenizer is the byte-level BPE of the tests (1,200 entries), since Phi-3.5's own is not in the repository: it makes more
tokens of a text, so that 128K of them are less text, and costs the same a character.
"""

from __future__ import annotations

import random
import tempfile
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

from phidex.eval.bench.options import Options
from phidex.eval.bench.serving import served_model, tiny_tokenizer
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.generation.assemble import Assembler, Prompt
from phidex.generation.chat import OpenAIChat
from phidex.generation.weigh import Scale
from phidex.ingest.chunk import chunk_document
from phidex.ingest.parse import parse_file
from phidex.ingest.records import Source
from phidex.retrieval.hit import Hit
from phidex.settings import ChatSettings, PackSettings

HITS = 2_000
BUDGET = 131_072
ROUNDS = 5
MODEL = "phi-3.5-mini"
_DOCUMENTS = {
    "debian-reference.en.pdf": "en",
    "debian-reference.de.pdf": "de",
    "debian-reference.fr.pdf": "fr",
    "debian-reference.ja.pdf": "ja",
    "debian-reference.zh-cn.pdf": "zh",
    "debmake-doc.ru.pdf": "ru",
}
_QUESTIONS = ("How is the network configured?", "Wie wird ein Paket gebaut?")
_STEPS = ("nothing counted before", "passages counted, another question", "the same question again")


def passages(paths: Sequence[Path], languages: Iterable[str], number: int) -> list[Hit]:
    """Passages of the documents as hits, in random order: the same at every run."""
    found: list[Hit] = []
    for at, (path, language) in enumerate(zip(paths, languages, strict=True)):
        source_id = str(uuid.UUID(int=at + 1))
        source = Source(source_id, f"file:///{path.name}", "pdf", path.stem, "0" * 64, language, "application/pdf")
        chunks = chunk_document(parse_file(path), source_id=source_id, path=path.name, language=language)
        found += [Hit(chunk, source, 0.0, {}) for chunk in chunks]
    random.Random(7).shuffle(found)
    if len(found) < number:
        raise RuntimeError(f"the documents have {len(found)} passages only, and {number} are wanted")
    return found[:number]


def measure(hits: Sequence[Hit], folder: Path, url: str) -> tuple[dict[str, list[float]], dict[str, Prompt]]:
    """Milliseconds of each step, by who counts, at the best of some rounds; and the last prompt of each."""
    pack = PackSettings(mode="long", long_tokens=BUDGET, reserve_tokens=1_024)
    best: dict[str, list[float]] = {}
    last: dict[str, Prompt] = {}

    def three(who: str, scale: Scale) -> None:
        taken: list[float] = []
        began = time.process_time()
        for question in (_QUESTIONS[0], _QUESTIONS[1], _QUESTIONS[1]):
            started = time.perf_counter()
            last[who] = Assembler(pack, scale).single(question, hits)
            taken.append(1000 * (time.perf_counter() - started))
        taken.append(1000 * (time.process_time() - began))
        best[who] = [min(pair) for pair in zip(taken, best.get(who, taken), strict=True)]

    for number in range(ROUNDS):
        (folder / str(number)).mkdir()  # another file is another tokenizer: nothing of it is remembered
        three("local tokenizer.json", Scale(None, "", tiny_tokenizer(folder / str(number))))
        with OpenAIChat(ChatSettings(url=url)) as chat:
            three("vLLM's /tokenize", Scale(chat, MODEL, None))
    return best, last


def run(options: Options) -> Outcome:
    """The benchmark; about 2 minutes on two cores."""
    hits = passages(options.documents(list(_DOCUMENTS)), _DOCUMENTS.values(), HITS)
    with tempfile.TemporaryDirectory(prefix="phidex-bench-") as name, served_model() as url:
        best, last = measure(hits, Path(name), url)
    rows: list[list[Cell]] = [[who, *taken] for who, taken in best.items()]
    ledgers = {who: prompt.context.ledger for who, prompt in last.items()}
    local, served = best.values()
    return Outcome(
        "packing",
        f"{BUDGET:,} tokens from {len(hits):,} hits in {len(set(_DOCUMENTS.values()))} languages",
        [Table(f"Milliseconds, best of {ROUNDS}", ("counted by", *_STEPS, "processor time of the three, ours"), rows)],
        [
            Check("local tokenizer, nothing counted before", local[0], "<", 600, " ms"),
            Check("local tokenizer, passages counted", local[1], "<", 150, " ms"),
            Check("vLLM, nothing counted before", served[0], "<", 600, " ms"),
            Check("vLLM, all counted", served[2], "<", 150, " ms"),
        ],
        [
            *(f"{who}: {ledger.summary()}" for who, ledger in ledgers.items()),
            "vLLM counts passages many at a time, joined by a control token, and every new prompt as a whole once more: for "
            "another question over the same passages that last count is all that is asked of it",
            "a local tokenizer.json counts passages in batches, and a prompt by its sources: the sum is not below the whole",
        ],
    )
