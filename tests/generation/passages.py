"""Hits made by hand, for the tests of answers."""

from __future__ import annotations

from phidex.ingest.records import Chunk, PageLocator, Source
from phidex.retrieval.count import load_counter
from phidex.retrieval.hit import Hit, LegRank
from phidex.retrieval.pack import Context, pack_context


def hit(name: str, text: str, *, order: int = 0, language: str = "en", cosine: float | None = None) -> Hit:
    source = Source(name, f"file:///{name}.pdf", "pdf", name.title(), "0" * 64, language, "application/pdf", 9)
    chunk = Chunk(f"{name}-{order}", name, PageLocator(order + 1, ((1, 2, 3, 4),)), text, "text", language, order)
    why = {"lexical": LegRank(1, 5.0)} | ({"dense": LegRank(1, cosine)} if cosine is not None else {})
    return Hit(chunk, source, 1.0, why)


def pack(*hits: Hit, budget: int = 8000) -> Context:
    return pack_context(
        hits, budget_tokens=budget, reserve_tokens=100, prompt_tokens=100, count=load_counter(None), order="rank"
    )


LEASE = hit(
    "lease",
    "The lease was signed by Maria Okafor on 14 May 2021. The rent is 1,250 euros a month. "
    "Pets are allowed in the garden only.",
)
BOILER = hit(
    "boiler", "The boiler was replaced in March 2021 by Ohm Ltd. Its warranty ends in 2031. Call Ohm before you open it."
)
GERMAN = hit("vertrag", "Der Vertrag endet am 31. Dezember 2025. Die Kündigung muss schriftlich erfolgen.", language="de")
CHINESE = hit("合同", "合同于二零二一年五月签署。租金为每月一千元。", language="zh")
