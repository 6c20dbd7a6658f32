"""What discovery hands to the pipeline: one file to ingest, or one left out and why; and what rules left out, counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from phidex.ingest.sources.spool import Spool
from phidex.settings import IngestSettings


@dataclass(frozen=True, slots=True)
class Found:
    """A file to ingest, or one to leave out and why. Can be pickled.

    Args:
        path: where its bytes lie on this machine now.
        uri: names the document, and stays the same across commits, downloads and extractions; "" = the path's own file:// uri.
            `git+https://host/owner/repo.git#src/x.py`, `https://host/doc.pdf`, `file:///docs.zip#inner/a.pdf`.
        shown: how reports call it; "" = the path as given.
        place: its path inside the repository or archive, for `LineLocator.path`; "" = the file's name.
        metadata: of a repository `commit`, `branch`, `remote`, `path`, `blob`, `web` (a link at that commit; `{start}` and
            `{end}` stand for lines) and `modified` ("true": not what the commit holds); of an archive `archive` and `member`;
            of a URL `fetched`, `etag`, `last_modified`.
        keep: its bytes must be kept as a blob, since the path will not stay; `Discovery.release` frees its place in the spool.
        reason: why it is left out.
        duplicate: it is left out since the same is named before.
        failed: what it holds is missed: a folder that cannot be read, a damaged member, a download that did not come.
        hint: what to do about the reason; "" where nothing can be done.
    """

    path: Path
    uri: str = ""
    shown: str = ""
    place: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    keep: bool = False
    reason: str = ""
    failed: bool = False
    hint: str = ""
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """What one rule left out: how many files, and the first few of them."""

    count: int
    examples: tuple[str, ...] = ()


class Skips:
    """Counts what rules leave out."""

    _EXAMPLES = 5

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, rule: str, example: str) -> None:
        """Count one more file that `rule` left out."""
        self._counts[rule] = self._counts.get(rule, 0) + 1
        examples = self._examples.setdefault(rule, [])
        if len(examples) < self._EXAMPLES:
            examples.append(example)

    def by_rule(self) -> dict[str, Skipped]:
        """What was left out so far, the rule with most files first."""
        ordered = sorted(self._counts, key=lambda rule: (-self._counts[rule], rule))
        return {rule: Skipped(self._counts[rule], tuple(self._examples[rule])) for rule in ordered}


@dataclass(frozen=True, slots=True)
class Scope:
    """What the readers of all targets of one discovery share.

    Args:
        workspace: where clones, downloads and the spool lie.
        exclude: a folder that is passed over.
        ref: the branch, tag or commit of repositories; "" = the files as they lie, or the default branch.
        only: the paths of a repository that are wanted; empty = all.
        on_progress: called with what is being downloaded, bytes so far, and bytes in all (0 = not known).
    """

    settings: IngestSettings
    workspace: Path
    spool: Spool
    skips: Skips
    exclude: Path | None = None
    ref: str = ""
    only: tuple[str, ...] = ()
    on_progress: Callable[[str, int, int], None] | None = None
