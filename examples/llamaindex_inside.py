"""Parts of LlamaIndex inside Phidex: what any reader has read becomes a source, any LLM writes the answers.

pip install 'phidex[llamaindex]'; python examples/llamaindex_inside.py
"""

from pathlib import Path
from typing import Any

from llama_index.core import SimpleDirectoryReader
from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata

from phidex import Phidex
from phidex.adapters.llamaindex import LlamaIndexChat

NOTES = Path(__file__).resolve().parent / "notes"


class Canned(CustomLLM):
    """Stands for Ollama("phi3.5"), OpenAILike(...) or any other LLM of LlamaIndex."""

    @property
    def metadata(self) -> LLMMetadata:
        """What Phidex goes by: the window above all."""
        return LLMMetadata(context_window=8192, model_name="canned")

    def complete(self, *_: Any, **__: Any) -> CompletionResponse:
        """The whole reply."""
        return CompletionResponse(text="The boiler was replaced in March 2021 by Ohm Heating [1].")

    def stream_complete(self, *_: Any, **__: Any) -> CompletionResponseGen:
        """The reply, word by word."""
        for word in self.complete().text.split(" "):
            yield CompletionResponse(text=word, delta=f"{word} ")


with Phidex(chat=LlamaIndexChat(Canned())) as phidex:
    documents = SimpleDirectoryReader(NOTES).load_data()  # or any reader of LlamaHub
    for _ in range(2):
        report = phidex.ingest_documents(documents, collection="inside", tags=["notes"])
        print(f"added {report.count('added')}, unchanged {report.count('unchanged')}")

    answer = phidex.ask("When was the boiler replaced?", "inside")
    print(answer.text, f"({answer.route.model})")
    for citation in answer.citations:
        print(citation, "verified" if citation.verified else "not verified")
