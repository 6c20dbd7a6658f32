"""What the commands of `phidex eval` take, each option with its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Form = Literal["auto", "own", "beir", "trec", "miracl", "squad", "repoqa"]  # as in eval/formats/load.py, for --help
AnsweredBy = Literal["packed", "chat", "oracle", "chance"]
RunRole = Literal["mini", "moe", "extractive"]

SetArgument = Annotated[Path, typer.Argument(help="File or folder of the questions.", metavar="SET")]
RunArgument = Annotated[Path, typer.Argument(help="Folder of a run.", metavar="RUN")]
OtherArgument = Annotated[Path, typer.Argument(help="Folder of the other run.", metavar="OTHER")]
RunsArgument = Annotated[list[Path], typer.Argument(help="Folders of one to four runs.", metavar="RUN…")]
FolderOption = Annotated[Path, typer.Option("--output", "-o", help="Folder to keep it in; gone on with where it exists.")]
FileOption = Annotated[Path, typer.Option("--output", "-o", help="File to write.")]
FormOption = Annotated[Form, typer.Option("--format", help="auto, own, beir, trec, miracl, squad (and XQuAD), repoqa.")]
SplitOption = Annotated[str, typer.Option("--split", help="Of BEIR and MIRACL (default: test, dev).")]
StageOption = Annotated[Literal["search", "answer"], typer.Option("--stage", help="search: hits alone; answer: all.")]
HitsOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="Hits that are judged.")]
CountOption = Annotated[int, typer.Option("--count", min=0, help="Questions at most, drawn by --seed (default: all).")]
SeedOption = Annotated[int, typer.Option("--seed", help="Of everything that is drawn by chance.")]
ByOption = Annotated[RunRole | None, typer.Option("--role", help="Who answers (default: as the router decides).")]
JudgeOption = Annotated[bool, typer.Option("--judge", help="Have the configured model grade the answers.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Begin anew: forget what lies in the folder.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, max=256, help="Questions at a time.")]
MeasureOption = Annotated[list[str] | None, typer.Option("--measure", help="Look at this one; repeatable (default: all).")]
