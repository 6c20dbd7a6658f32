"""What is named becomes files to ingest: paths, folders, git repositories, archives and URLs.

    target --target_kind--> path --> file | archive.py | repo.py (a folder under git) | walk.py (any other folder)
                            git  --> repo.py on a clone (clone.py)
                            url  --> download.py --> file | archive.py

Files come one by one while what follows is still being unpacked or read; a target that fails is found as failed, and spoils no
other.
"""

from __future__ import annotations

import logging
import os
import stat
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from phidex.errors import InputError, NotFoundError, PhidexError
from phidex.ingest.sources.found import Found, Scope, Skipped, Skips
from phidex.ingest.sources.remote import parse_git_url, target_kind
from phidex.ingest.sources.spool import Spool
from phidex.ingest.sources.walk import walk_folder, why_not_a_file
from phidex.ingest.speech.beside import DECKS, SUBTITLES, companions_of, recordings_of
from phidex.ingest.video.containers import RECORDINGS
from phidex.settings import IngestSettings

log = logging.getLogger(__name__)

__all__ = ["Discovery", "Found", "Skipped", "check_paths", "discover", "source_id"]

_NAMESPACE = uuid.UUID("6c0e1a6e-2f0b-5c0f-9d0a-70686964ff78")


def source_id(collection: str, uri: str) -> str:
    """UUIDv5 of collection and uri: stable when the content changes."""
    return str(uuid.uuid5(_NAMESPACE, f"{collection}\x1f{uri}"))


def check_paths(targets: Sequence[str | Path]) -> None:
    """Raises an error for a path that does not exist or an address that is not taken, before anything is made for it.

    Raises:
        NotFoundError: no such file or folder.
        InputError: an address of a kind that is not taken.
    """
    for target in targets:
        match target_kind(target):
            case "git":
                parse_git_url(str(target))
            case "path" if _is_missing(Path(target)):
                hint = "give URLs as text, not as a Path" if str(target).startswith(("http:/", "https:/")) else "check the path"
                raise NotFoundError(f"no such file or folder: {target}", hint=hint)
            case _:
                continue


def _is_missing(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it may well be there: what it is found as says what is wrong
        return False
    return False


def discover(
    targets: Sequence[str | Path],
    *,
    exclude: Path | None,
    workspace: Path,
    settings: IngestSettings,
    ref: str = "",
    only: Sequence[str] = (),
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Discovery:
    """Every file once, in the order of `targets`; iterate over it inside its `with`.

    Under a folder, files of unknown kind come with the reason; in a repository, rules leave out what nobody wrote or reads
    (`Discovery.skipped` counts it); a file that is named itself is always tried.

    Args:
        exclude: a folder that is never walked: our own data folder may lie among the documents.
        workspace: where clones are kept, and where files are put that lie nowhere on this machine.
        ref: a branch, tag or commit: repositories are read at it, and not as their files lie.
        only: files, folders or patterns (`docs/*.md`) in a repository; the rest of it is left alone.
        on_progress: called with a download's name, its bytes so far, and its bytes in all (0 = not known).

    Raises:
        NotFoundError: a path does not exist.
        InputError: an address of a kind that is not taken.
    """
    check_paths(targets)
    scope = Scope(
        settings, workspace, Spool(workspace), Skips(), exclude, ref, tuple(path.strip("/") for path in only), on_progress
    )
    return Discovery(targets, scope)


class Discovery:
    """The files of some targets, found while iterating. A context manager: what was put aside is removed at its end."""

    def __init__(self, targets: Sequence[str | Path], scope: Scope) -> None:
        self._targets, self._named_again = _distinct(targets)
        self._scope = scope
        self._named = {os.path.realpath(target) for target in targets if target_kind(target) == "path"}
        self._seen: set[str] = set()
        self._files = self._all()

    def __enter__(self) -> Discovery:
        return self

    def __exit__(self, *exc: object) -> None:
        self._files.close()
        self._scope.spool.close()

    def __iter__(self) -> Iterator[Found]:
        return self._files

    @property
    def skipped(self) -> dict[str, Skipped]:
        """What rules left out so far, by rule, with examples."""
        return self._scope.skips.by_rule()

    def release(self, found: Found) -> None:
        """Free the place of a file with `keep` once its bytes are read; without this, it is held until the end."""
        self._scope.spool.release(found.path)

    def _all(self) -> Generator[Found]:
        for top, targets in groupby(self._targets, self._working_tree):
            if top is None:
                for target in targets:
                    yield from self._new(target, lambda target=target: self._target(target))
            else:
                paths = [Path(target) for target in targets]
                yield from self._new(top, lambda paths=paths, top=top: self._named_files(paths, top))
        for uri, target in self._named_again.items():
            yield Found(Path(_shown(target)), uri, _shown(target), reason="named more than once", duplicate=True)

    def _new(self, target: str | Path, read: Callable[[], Iterator[Found]]) -> Generator[Found]:
        """The files of a target that were not found before; its failure comes as one more that failed."""
        try:
            for found in read():
                if not self._is_new(found):
                    self._scope.spool.release(found.path)
                elif self._is_read_with_another(found):
                    self._scope.skips.add("read with their recordings", found.shown or str(found.path))
                else:
                    yield found
                    yield from self._deck_of(found)
        except PhidexError as exc:
            shown = _shown(target)
            yield Found(Path(shown), shown=shown, reason=exc.message, failed=True, hint=exc.hint)
        except OSError as exc:
            shown, reason = _shown(target), f"cannot be read: {exc.strerror or exc}"
            yield Found(Path(shown), shown=shown, reason=reason, failed=True, hint="check its permissions")
        except Exception as exc:  # one target never takes the others with it
            shown = _shown(target)
            log.warning("target failed target=%s error=%s", shown, type(exc).__name__, exc_info=True)
            reason = f"{type(exc).__name__}: {exc}"
            yield Found(Path(shown), shown=shown, reason=reason, failed=True, hint="please report this file")

    def _is_new(self, found: Found) -> bool:
        try:
            key = found.uri or os.path.realpath(found.path)
        except OSError:
            key = str(found.path)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _is_read_with_another(self, found: Found) -> bool:
        """Whether these are subtitles of a recording that is found too; those that are named without theirs stand alone."""
        if found.path.suffix.lower() not in SUBTITLES or found.keep or found.reason:
            return False
        recordings = recordings_of(found.path, RECORDINGS)
        if os.path.realpath(found.path) not in self._named:
            return bool(recordings)
        return any(os.path.realpath(recording) in self._named for recording in recordings)

    def _deck_of(self, found: Found) -> Iterator[Found]:
        """The slide deck beside a recording that is named by itself: its pages are cited where the recording shows them."""
        if found.path.suffix.lower() not in RECORDINGS or os.path.realpath(found.path) not in self._named:
            return
        for path in companions_of(found.path):
            deck = Found(path)
            if path.suffix.lower() in DECKS and self._is_new(deck):
                yield deck

    def _target(self, target: str | Path) -> Iterator[Found]:
        match target_kind(target):
            case "git":
                from phidex.ingest.sources.repo import remote_files

                return remote_files(parse_git_url(str(target)), self._scope)
            case "url":
                return self._url(str(target))
            case "path":
                return self._path(Path(target))

    def _url(self, url: str) -> Iterator[Found]:
        from phidex.ingest.sources.archive import is_archive, read_archive
        from phidex.ingest.sources.download import download  # httpx: 0.1 s to import

        found = download(url, self._scope)
        if is_archive(found.path):
            yield from read_archive(found, self._scope)
            self._scope.spool.release(found.path)
        else:
            yield found

    def _path(self, path: Path) -> Iterator[Found]:
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except PermissionError as exc:
            return iter((Found(path, reason=f"cannot be read: {exc.strerror}", failed=True, hint="check its permissions"),))
        except (OSError, RuntimeError):  # a link that leads nowhere
            is_folder = False
        if is_folder:
            return self._folder(path)
        if reason := why_not_a_file(path):
            return iter((Found(path, reason=reason, failed=True, hint="name a file or a folder"),))
        if self._scope.ref:
            return self._at_ref(path)
        return self._archive(path, named=True) or iter((Found(path),))

    def _at_ref(self, path: Path) -> Iterator[Found]:
        from phidex.ingest.sources.repo import find_top, local_file

        top = find_top(path.parent) if self._scope.settings.git else None
        if top is None:
            raise _no_repository(path)
        return local_file(path, top, self._scope)

    def _working_tree(self, target: str | Path) -> Path | None:
        """The top of the working tree that a named file is recorded in; None for all other targets."""
        if not self._scope.settings.git or self._scope.ref or target_kind(target) != "path":
            return None
        from phidex.ingest.sources.archive import is_packed
        from phidex.ingest.sources.repo import find_top

        path = Path(target)
        try:
            is_file = stat.S_ISREG(path.lstat().st_mode)
        except OSError:  # what is wrong is said when its turn comes
            return None
        return find_top(path.parent) if is_file and not is_packed(path.name) else None

    def _named_files(self, paths: Sequence[Path], top: Path) -> Iterator[Found]:
        """Files with what git records of them; as they are, where git cannot tell."""
        from phidex.ingest.sources.git import Git
        from phidex.ingest.sources.worktree import named_files

        left = list(paths)
        try:
            git = Git(top / ".git", work_tree=top, timeout_s=self._scope.settings.git_timeout_s)
            for found in named_files(git, paths, scope=self._scope):
                del left[0]
                yield found
        except PhidexError as exc:
            log.info("git cannot tell folder=%s reason=%s", top, exc.message)
            yield from (Found(path) for path in left)

    def _folder(self, path: Path) -> Iterator[Found]:
        files = self._repository(path)
        if files is not None:
            return files
        if self._scope.ref:
            raise _no_repository(path)
        return walk_folder(path, self._scope, open_folder=self._nested, open_file=self._archive)

    def _nested(self, path: Path) -> Iterator[Found] | None:
        try:
            may_be = (path / ".git").exists() or (path / "HEAD").is_file()
        except OSError:  # it cannot be entered; the walk meets this too, and reports it
            return None
        return self._repository(path) if may_be else None

    def _repository(self, path: Path) -> Iterator[Found] | None:
        if not self._scope.settings.git:
            return None
        from phidex.ingest.sources.repo import local_files

        return local_files(path, self._scope)

    def _archive(self, path: Path, *, named: bool = False) -> Iterator[Found] | None:
        from phidex.ingest.sources.archive import foreign_archive, is_archive, read_archive

        if is_archive(path):
            return read_archive(Found(path), self._scope)
        if reason := foreign_archive(path):
            hint = "unpack it, or pack it as a zip"
            return iter((Found(path, reason=reason, failed=named, hint=hint),))
        return None


def _distinct(targets: Sequence[str | Path]) -> tuple[list[str | Path], dict[str, str | Path]]:
    """Each target once, and, by its uri, what was named again, as it was named then."""
    first: dict[str, str | Path] = {}
    again: dict[str, str | Path] = {}
    for target in targets:
        uri = _uri_of(target)
        if uri in first:
            again.setdefault(uri, target)
        else:
            first[uri] = target
    return list(first.values()), again


def _uri_of(target: str | Path) -> str:
    """What a target is the same by, however it is spelt."""
    try:
        match target_kind(target):
            case "git":
                return parse_git_url(str(target)).uri
            case "url":
                from phidex.ingest.sources.download import document_uri, parse_url

                return document_uri(parse_url(str(target)))
            case "path":
                return Path(os.path.realpath(target)).as_uri()
    except (InputError, OSError, ValueError):  # what is wrong with it is said when its turn comes
        return str(target)


def _no_repository(path: Path) -> InputError:
    return InputError(f"{path} is not in a git repository", hint="leave out the ref, or name a repository")


def _shown(target: str | Path) -> str:
    """A target as reports name it: an address without its credentials."""
    from phidex.ingest.sources.remote import clean_remote

    text = str(target)
    return clean_remote(text) if "://" in text else text
