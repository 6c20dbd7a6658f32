"""What the blocks of the documentation are run in: a folder with documents, a library, and a model that says what fits."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copy, copytree
from typing import Any

import pytest
from tests.builders import Author
from tests.ingest.recorded import record, slide
from tests.retrieval.engines import end_engine

from phidex import Phidex

NOTES = Path(__file__).resolve().parents[2] / "examples" / "notes"
TABLE = "# Report\n\n| month | rent |\n|---|---|\n| May | 2400 |\n| June | 2400 |\n"


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """The URL of an OpenAI-compatible endpoint whose replies fit the schema that they are asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    thread = threading.Thread(target=server.serve_forever, name="scripted-model", daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, model: str) -> Iterator[Path]:
    """The folder in which the blocks run, with what they name; `library` and `phidex-data` hold the notes already."""
    folder = tmp_path_factory.mktemp("docs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PHIDEX_EMBED__MODEL", "none")
        patch.setenv("PHIDEX_CHAT__URL", model)
        patch.setenv("PHIDEX_STORE__MIN_FREE_MB", "1")
        copytree(NOTES, folder / "notes")
        (folder / "reports").mkdir()
        for name in ("manual.pdf", "lease.pdf", "minutes.pdf"):
            Author(len(name)).document(name, 1).write(folder)
        for name in ("report.md", "en.txt"):
            (folder / name).write_text(TABLE, "utf-8")
        copy(NOTES / "lease.md", folder / "reports")
        record(folder / "talk.mp4", [(slide("The harbour", "is ten metres deep"), 2.0)])
        schema = {"type": "object", "properties": {"tenant": {"type": "string"}}, "required": ["tenant"]}
        (folder / "contract.schema.json").write_text(json.dumps(schema), "utf-8")
        targets = [folder / name for name in ("notes", "report.md", "en.txt", "minutes.pdf", "lease.pdf")]
        for data in ("library", "phidex-data"):
            with Phidex(data=data) as phidex:
                phidex.ingest(*targets)
        yield folder
        for data in ("library", "phidex-data"):
            end_engine(folder / data)


class _Model(BaseHTTPRequestHandler):
    """Lists one model, and answers with a quotation, or with the least that fits a schema."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send("application/json", json.dumps({"data": [{"id": "phi-3.5-mini", "max_model_len": 32768}]}))

    def do_POST(self) -> None:
        asked: Any = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.endswith("/chat/completions"):
            self._send("application/json", "{}", 404)
            return
        form: Any = asked.get("response_format") or {}
        schema: Any = form.get("json_schema", {}).get("schema")
        reply = json.dumps(least(schema, schema)) if schema else "The rent is 2,400 euros a month [1]."
        choice = {"index": 0, "delta": {"content": reply}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 9}
        events: list[dict[str, Any]] = [
            {"model": "phi-3.5-mini", "choices": [choice]},
            {"model": "phi-3.5-mini", "choices": [], "usage": usage},
        ]
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self._send("text/event-stream", text)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def _send(self, kind: str, text: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def least(schema: Any, root: Any) -> Any:
    """A value that fits a JSON Schema, as small as it goes."""
    if "$ref" in schema:
        return least(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return least(schema[choice][0], root)
    kinds: Any = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else str(kinds[0])
    match kind:
        case "object":
            return {name: least(one, root) for name, one in schema.get("properties", {}).items()}
        case "array":
            return [least(schema["items"], root)] * schema.get("minItems", 0)
        case "string":
            return "2021-05-14" if schema.get("format") == "date" else "Maria Okafor"
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return 2400
