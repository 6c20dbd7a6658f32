"""Phidex as a retriever and as a query engine of LlamaIndex: passages with their places, answers with citations.

pip install 'phidex[llamaindex]'; python examples/llamaindex_retriever.py
"""

from pathlib import Path

from phidex import Filters, Phidex
from phidex.adapters.llamaindex import PhidexQueryEngine, PhidexRetriever

NOTES = Path(__file__).resolve().parent / "notes"

with Phidex() as phidex:
    phidex.ingest(NOTES, collection="notes")

    retriever = PhidexRetriever(phidex, "notes", limit=2, filters=Filters(names=("lease.md",)))
    for found in retriever.retrieve("How much is the rent?"):
        print(f"{found.score:.3f}  {found.node.metadata['file_name']}, {found.node.metadata['location']}")

    engine = PhidexQueryEngine(phidex, "notes", streaming=True)
    response = engine.query("When was the boiler replaced?")
    for piece in response.response_gen:
        print(piece, end="")
    print()
    for cited in response.source_nodes:  # there once the text is
        place = cited.node.metadata
        print(f"[{place['marker']}] {place['file_name']}, {place['location']}: {place['quote']}")
