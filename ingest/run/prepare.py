"""One file -> all that is to be stored of it: the stage that runs in worker processes, here or on a cluster.

    Task -> read, hash -> parse -> pictures to the blobs -> chunk -> analyse -> Prepared | Failed

`prepare` needs nothing but its task, and never raises for what is wrong with a file. It knows no settings and no store, so that
a worker starts in a fraction of a second.
"""

from __future__ import annotations

import hashlib
import stat
import tempfile
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from phidex.errors import InputError, PhidexError
from phidex.ingest.chunk import chunk_document
from phidex.ingest.describe import Describe, describe_figures
from phidex.ingest.language import document_language
from phidex.ingest.options import DEFAULT, ParseOptions
from phidex.ingest.parse import heeds_options, parse_file
from phidex.ingest.records import Chunk, Parsed, Source
from phidex.ingest.run.sink import GIVEN, Piece
from phidex.ingest.speech.beside import SUBTITLES, hash_companions
from phidex.ingest.tokens import TokenStarts, load_token_starts
from phidex.ingest.video.containers import RECORDINGS
from phidex.ingest.video.speakers import with_names

OnPage = Callable[[int, int], None]

_VERSION = "chunks/2"  # changes whenever the same bytes would give other chunks
_CAPTIONS_VERSION = "captions/1"  # likewise, of subtitle files alone
_APART = ("on_page", "passwords", "timeout_s", "speech", "companions", "deck_id")  # options that no digest depends on as such
_SPEECH, _LOST = "speech:", "lost"  # marks behind a digest
_LARGE_BYTES = 64 << 20
_ANALYSES_A_BEAT = 64  # chunks analysed between two signs of life


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides how bytes become chunks: the same for all files of a run.

    Args:
        memory_mb: what a worker may use; named where a file needs more.
        analyse: `Sink.analyse`.
        blobs: where pictures and originals are kept (`ingest/run/blobs.py`); "" stores none.
        describe: puts pictures into words (`ingest/describe.py`); None leaves them without.
    """

    options: ParseOptions = DEFAULT
    chunk_tokens: int = 256
    tokenizer: Path | None = None
    max_file_mb: int = 1024
    max_recording_mb: int = 20_480
    memory_mb: int = 2048
    analyse: Callable[[Chunk], Any] | None = None
    blobs: str = ""
    describe: Describe | None = None

    def digest(self, sha256: str, suffix: str) -> str:
        """What a source's committed content depends on: its bytes, and how they are read and cut.

        Args:
            suffix: of the file's name, in lower case: the options are a part of it only where they matter.
        """
        heeds = heeds_options(suffix)
        told = ((one.name, getattr(self.options, one.name)) for one in fields(self.options) if heeds)
        options = (f"{name}={value!r}" for name, value in told if name not in _APART)
        parts = (sha256, _VERSION, str(self.chunk_tokens), str(self.tokenizer or ""), *options)
        parts += ("described",) * (heeds and self.describe is not None)
        parts += (_CAPTIONS_VERSION,) * (suffix in SUBTITLES)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]

    def most_mb(self, path: Path) -> int:
        """How large a file of that name may be."""
        return self.max_recording_mb if path.suffix.lower() in RECORDINGS else self.max_file_mb


@dataclass(frozen=True, slots=True)
class Task:
    """One file to prepare. Small, and can be pickled.

    Args:
        number: tells its result from others.
        path: where the bytes lie.
        place: its path in the repository or archive that it comes from; "" for the file's own name.
        metadata: added to what the document says of itself.
        keep: whether the bytes go to the blobs too, since the uri is no file of this machine.
        data: the bytes, for a worker that cannot see `path`.
        companions: of a recording, the files that are read with it (`ingest/speech/beside.py`).
        deck_id: of a recording, the source that the deck among them is.
        speakers: of a recording, corrected names by those that were found.
        beside: the bytes of the companions by their names, for a worker that cannot see them.
    """

    number: int
    path: Path
    uri: str
    source_id: str
    recipe: Recipe
    size_bytes: int = 0
    place: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    keep: bool = False
    tags: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    data: bytes | None = None
    companions: tuple[Path, ...] = ()
    deck_id: str = ""
    speakers: Mapping[str, str] = field(default_factory=dict[str, str])
    beside: Mapping[str, bytes] = field(default_factory=dict[str, bytes], repr=False)

    @property
    def is_recording(self) -> bool:
        """Whether its name is a recording's."""
        return self.path.suffix.lower() in RECORDINGS


@dataclass(frozen=True, slots=True)
class Prepared:
    """A source with its chunks.

    Args:
        blobs: ids of the pictures and the original that were stored.
        pieces: read once, at the latest when the next result is asked for.
    """

    number: int
    source: Source
    digest: str
    pieces: Iterable[Piece]
    warnings: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that could not be read, and why. `detail` is for the log."""

    number: int
    reason: str
    hint: str = ""
    detail: str = ""
    seconds: float = 0.0


def prepare(task: Task, on_page: OnPage | None = None) -> Prepared | Failed:
    """What is to be stored of a file; raises nothing.

    Args:
        on_page: called with pages done and pages in all, and again and again with (0, 0) where there are no pages to count.
    """
    started = time.monotonic()
    try:
        with _landed(task) as here:
            prepared = _prepare(here, on_page)
        return replace(prepared, seconds=time.monotonic() - started)
    except PhidexError as exc:  # the file's fault, or there is no place for its pictures
        reason, hint, detail = exc.message, exc.hint, ""
    except MemoryError:
        reason = f"needs more than {task.recipe.memory_mb} MB of memory"
        hint, detail = "raise PHIDEX_INGEST__MEMORY_MB to take it", ""
    except Exception as exc:  # noqa: BLE001  a parser's own fault is a file's failure too; the trace goes to the log
        reason, hint, detail = f"{type(exc).__name__}: {exc}", "please report this file", traceback.format_exc()
    return Failed(task.number, printable(reason), hint, detail, time.monotonic() - started)


def suffix_of(uri: str) -> str:
    """The suffix of the name that the uri ends in, in lower case."""
    return Path(uri).suffix.lower()


def until_installed(digest: str) -> str:
    """The digest of what could be read without all of Tesseract: no longer the same once something is installed."""
    from phidex.ingest.ocr.tesseract import installed

    return f"{digest}@{installed()}"


def is_current(committed: str, digest: str, speech: str = "none") -> bool:
    """Whether what was committed is what would be made now.

    Args:
        speech: how speech is recognised now (`SpeechOptions.identity`): of concern where recognition was needed.
    """
    made, *marks = committed.split("@")
    states = [mark for mark in marks if not mark.startswith((_SPEECH, _LOST))]
    if made != digest or _LOST in marks or any(mark != _SPEECH + speech for mark in marks if mark.startswith(_SPEECH)):
        return False
    return not states or until_installed(digest) == f"{digest}@{states[0]}"


def _marked(digest: str, parsed: Parsed, speech: str) -> str:
    """The digest with what else the content depends on: what is installed, and how speech is recognised."""
    digest = until_installed(digest) if parsed.lacks_tesseract else digest
    match parsed.lacks_speech:
        case "set-up":
            return f"{digest}@{_SPEECH}{speech}"
        case "pieces":
            return f"{digest}@{_LOST}"
        case _:
            return digest


def printable(text: Path | str) -> str:
    """The text with the bytes of file names that are no UTF-8 replaced, so that it can be stored and printed anywhere."""
    return str(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def hash_file(path: Path, max_file_mb: int) -> tuple[str, int]:
    """SHA-256 and size of a file, read in pieces.

    Raises:
        InputError: it is too large, no regular file, or cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for its writer
            raise InputError("not a regular file", hint="name a file or a folder")
        if status.st_size > max_file_mb << 20:
            name = "MAX_RECORDING_MB" if path.suffix.lower() in RECORDINGS else "MAX_FILE_MB"
            raise InputError(f"larger than {max_file_mb} MB", hint=f"raise PHIDEX_INGEST__{name} to take it")
        with path.open("rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), status.st_size
    except OSError as exc:
        raise _unreadable(exc) from exc


def _unreadable(exc: OSError) -> InputError:
    return InputError(f"cannot be read: {exc.strerror}", hint="check that it exists and that you may read it")


def _stamp(path: Path) -> tuple[int, int, int]:
    """Another one after each change of the file: size, time of change and inode."""
    try:
        status = path.stat()
    except OSError as exc:
        raise _unreadable(exc) from exc
    return status.st_size, status.st_mtime_ns, status.st_ino


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise _unreadable(exc) from exc


@contextmanager
def _landed(task: Task) -> Generator[Task]:
    """The task with a recording's files in a folder of this machine, where they came with it."""
    if task.data is None or not task.is_recording:
        yield task
        return
    with tempfile.TemporaryDirectory(prefix="recording-") as name:
        folder = Path(name)
        path = folder / task.path.name
        path.write_bytes(task.data)
        for beside, data in task.beside.items():
            (folder / beside).write_bytes(data)
        yield replace(task, path=path, data=None, companions=tuple(folder / beside for beside in task.beside), beside={})


def _prepare(task: Task, on_page: OnPage | None) -> Prepared:
    recipe = task.recipe
    stamp = None
    large = task.size_bytes > _LARGE_BYTES or task.is_recording
    if task.data is None and large:  # a parser that can will read it piece by piece
        data, stamp = None, _stamp(task.path)
        sha256, size = hash_file(task.path, recipe.most_mb(task.path))
    else:  # hashed again, of what is parsed: the file may have changed since it was found
        data = _read(task.path) if task.data is None else task.data
        sha256, size = hashlib.sha256(data).hexdigest(), len(data)
    original_sha256, sha256 = sha256, hash_companions(sha256, task.companions)
    options = replace(recipe.options, on_page=on_page, companions=task.companions, deck_id=task.deck_id)
    parsed = with_names(parse_file(task.path, data, options), task.speakers)
    beat = (lambda: on_page(0, 0)) if on_page else (lambda: None)
    if recipe.describe:
        parsed = describe_figures(parsed, recipe.describe, beat)
    beat()
    images, original = _store(task, parsed, data, original_sha256)
    if data is None and _stamp(task.path) != stamp:
        raise InputError("changed while it was read", hint="ingest it again once nobody writes to it")
    del data
    language = document_language([block.text for block in parsed.blocks if block.kind != "code"])
    source = _source(task, parsed, sha256=sha256, size=size, language=language, blob=original)
    chunks = chunk_document(
        parsed,
        source_id=source.id,
        path=task.place or source.name,
        language=language,
        limit_tokens=recipe.chunk_tokens,
        token_starts=_ruler(recipe.tokenizer),
        images=images,
    )
    beat()
    pieces: list[Piece] = []
    for chunk in chunks:
        pieces.append((chunk, recipe.analyse(chunk) if recipe.analyse else None))
        if len(pieces) % _ANALYSES_A_BEAT == 0:
            beat()
    blobs = tuple(dict.fromkeys((*filter(None, images), *filter(None, (original,)))))
    digest = _marked(recipe.digest(sha256, suffix_of(task.uri)), parsed, recipe.options.speech.identity())
    return Prepared(task.number, source, digest, pieces, parsed.warnings, blobs)


def _store(task: Task, parsed: Parsed, data: bytes | None, sha256: str) -> tuple[tuple[str, ...], str]:
    """Ids of the document's pictures, in their order, and of its bytes where they are to be kept; all stored by now."""
    if not task.recipe.blobs or not (parsed.images or task.keep):
        return ("",) * len(parsed.images), ""
    from phidex.ingest.run.blobs import Blobs

    blobs = Blobs(task.recipe.blobs)
    images = tuple(blobs.put(task.source_id, image.data, "." + image.mime.rpartition("/")[2]) for image in parsed.images)
    if not task.keep:
        return images, ""
    data = _read(task.path) if data is None else data
    return images, blobs.put(task.source_id, data, task.path.suffix.lower(), sha256=sha256)


def _source(task: Task, parsed: Parsed, *, sha256: str, size: int, language: str, blob: str) -> Source:
    return Source(
        id=task.source_id,
        uri=task.uri,
        kind=parsed.kind,
        title=parsed.title or printable(task.path.stem),
        sha256=sha256,
        language=language,
        mime=parsed.mime,
        page_count=parsed.page_count,
        size_bytes=size,
        tags=task.tags,
        metadata={key: value for key, value in parsed.metadata.items() if key != GIVEN} | dict(task.metadata),
        blob=blob,
        also=task.also,
    )


@lru_cache(maxsize=1)
def _ruler(tokenizer: Path | None) -> TokenStarts:
    return load_token_starts(tokenizer)
