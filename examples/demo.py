"""The main job in one go: ingest real manuals, ask them in four languages, keep pictures of the cited pages.

Run by `make demo`; everything it makes is in `demo/`. With PHIDEX_CHAT__URL set, Phi-3.5 writes the answers.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.rule import Rule

from phidex import Phidex, PhidexError
from phidex.progress import IngestProgress
from phidex.show import AnswerPrinter, save_pictures, show_report

HERE = Path(__file__).resolve().parent
DEMO = HERE.parent / "demo"
QUESTIONS = (
    "How can I build a package in a clean environment?",
    # In other words than the manual's, which says "bug reporter" and "remind".
    "People who complain about my package keep leaving out the same details; how can I prompt them for these?",
    "Wie finde ich Fehler in einem Paket?",
    "什么是上游维护者？",
    "Кто такой сопровождающий?",
    "What is the melting point of tungsten?",  # the manuals do not say
)


def main() -> None:
    """Ingests, asks, and says how to go on."""
    out = Console(highlight=False)
    with Phidex(data=DEMO / "data") as phidex:
        with IngestProgress(quiet=False) as progress:
            report = phidex.ingest(*sorted(HERE.glob("*.pdf")), on_file=progress.file_done, on_embed=progress.embedded)
        show_report(report, collection="default", background=False)
        printer = AnswerPrinter()
        for number, question in enumerate(QUESTIONS, 1):
            out.print()
            out.print(Rule(f"[bold]{question}", align="left"))
            for event in phidex.ask(question, stream=True):
                printer.show(event)
            save_pictures(phidex.ask(question), DEMO / "pictures" / str(number))
    out.print(Rule(align="left"))
    out.print(f"Pictures of the cited pages, the places marked: {DEMO / 'pictures'}")
    out.print(f'Ask your own:    .venv/bin/phidex ask "…" --data {DEMO / "data"}')
    out.print(f"In the browser:  .venv/bin/phidex ui --data {DEMO / 'data'}")
    out.print("Your documents:  .venv/bin/phidex ingest FOLDER     (then make ui)")


if __name__ == "__main__":
    try:
        main()
    except PhidexError as exc:
        raise SystemExit(f"error: {exc}") from None
