"""Phidex inside LangChain: a retriever in a chain, and answers with citations as a Runnable.

pip install 'phidex[langchain]'; python examples/langchain_retriever.py
"""

import asyncio
from pathlib import Path

from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda

from phidex import Phidex
from phidex.adapters.langchain import PhidexAnswerer, PhidexRetriever

NOTES = Path(__file__).resolve().parent / "notes"


def listed(documents: list[Document]) -> str:
    """The documents as a prompt would hold them."""
    return "\n".join(f"{one.metadata['file_name']}, {one.metadata['location']}: {one.page_content[:60]}" for one in documents)


async def ask(answerer: PhidexAnswerer, question: str) -> None:
    """Prints the answer as it comes."""
    async for part in answerer.astream(question):
        print(part.get("answer", ""), end="")
    print()


with Phidex() as phidex:
    phidex.ingest(NOTES, collection="notes")

    chain = PhidexRetriever(phidex=phidex, collection="notes", limit=2) | RunnableLambda(listed)
    print(chain.invoke("What does the display show when the pressure is low?"))

    answerer = PhidexAnswerer(phidex, "notes")
    result = answerer.invoke("How long is the notice?")
    print(result["answer"])
    print([(one.metadata["file_name"], one.metadata["location"], one.metadata["verified"]) for one in result["context"]])
    asyncio.run(ask(answerer, "Who signed the lease?"))
