"""Progress on standard error, for people who wait; silent where standard error is no terminal, or machines read."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from phidex.ingest.run.report import FileReport
from phidex.retrieval.rebuild import Step
from phidex.show import counted

_NAME_CHARS = 40  # of a file's name


class StepProgress:
    """One bar for each step of a longer work."""

    def __init__(self, *, quiet: bool) -> None:
        screen = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=screen,
            disable=quiet or not screen.is_terminal,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stepped(self, step: str, done: int, total: int) -> None:
        """The step has done so much of `total`."""
        self.advance(step, done, total)

    def advance(self, name: str, done: int, total: int, rate: str = "") -> None:
        """The bar of that name stands at `done` of `total` (0 = not known)."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(escape(name[-_NAME_CHARS:]), total=total or None, rate="")
        self._progress.update(self._tasks[name], completed=done, total=total or None, rate=rate)

    def drop(self, name: str) -> None:
        """Take a bar away."""
        if (task := self._tasks.pop(name, None)) is not None:
            self._progress.remove_task(task)

    def seconds(self, name: str) -> float:
        """How long a bar has been there."""
        return next((one.elapsed for one in self._progress.tasks if one.id == self._tasks.get(name)), None) or 0.0

    def clear(self) -> None:
        """Take away what is shown: another round begins."""
        for name in list(self._tasks):
            self.drop(name)


class IngestProgress(StepProgress):
    """Files and their pages a second, the long document being read, downloads, then passages embedded, with the time left."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(quiet=quiet)
        self._pages = 0

    def file_done(self, file: FileReport, number: int, total: int) -> None:
        """One file more; `total` were found so far."""
        self._pages += file.page_count
        seconds = self.seconds("reading files")
        rate = f"{counted(self._pages, 'page')}, {self._pages / seconds:.0f}/s" if self._pages and seconds else ""
        self.advance("reading files", number, total, rate)
        self.drop(file.path)

    def page_done(self, name: str, done: int, total: int) -> None:
        """A long document is at this page."""
        self.advance(name, done, total)

    def fetched(self, name: str, done: int, total: int) -> None:
        """A download has so many bytes of `total` (0 = not known)."""
        self.advance(name, done >> 10, total >> 10, "KB")
        if total and done >= total:
            self.drop(name)

    def embedded(self, done: int, total: int) -> None:
        """More passages embedded."""
        self.advance("dense vectors", done, total, "searchable meanwhile")

    def reindexed(self, step: Step, done: int, total: int) -> None:
        """A reindex is at this step, with so many passages of `total` done."""
        names = {"copying": "text and lexical vectors", "embedding": "dense vectors", "switching": "switching over"}
        self.advance(names[step], done, total, "searchable meanwhile")

    def clear(self) -> None:
        """Take away what is shown: another round begins."""
        super().clear()
        self._pages = 0
