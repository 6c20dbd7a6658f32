"""How the SDK takes documents in: the settings of a run, a run into a collection, a look before it, following a folder."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phidex.errors import InputError, NotFoundError, PhidexError, ServiceError
from phidex.ingest.run.blobs import Blobs
from phidex.ingest.run.pipeline import Listeners
from phidex.ingest.run.report import FileReport, IngestReport
from phidex.ingest.run.sink import Void
from phidex.ingest.run.watch import rounds
from phidex.ingest.sources.discover import check_paths
from phidex.retrieval.checks import check_name
from phidex.settings import IngestSettings, Settings

if TYPE_CHECKING:
    from phidex.generation.describe import Describer
    from phidex.ingest.run.cluster import Cluster, ClusterPool
    from phidex.ingest.speech.options import SpeechOptions
    from phidex.retrieval.choose import Choice
    from phidex.retrieval.collection import Collection

OnEmbed = Callable[[int, int], None]
Run = Callable[..., IngestReport]
"""`ingest_files`, given all but its sink and the places of this data folder."""


def run_settings(settings: IngestSettings, passwords: Sequence[str], **given: Any) -> IngestSettings:
    """The settings of a run, checked, with what was given (and is not None) in their place.

    Raises:
        InputError: a value is not taken.
    """
    given = {name: value for name, value in given.items() if value is not None}
    if passwords:
        given["passwords"] = (*passwords, *settings.passwords)
    if not given:
        return settings
    fields = {name: getattr(settings, name) for name in type(settings).model_fields}
    try:
        return type(settings)(**{**fields, **given})
    except ValueError as exc:  # pydantic's
        raise InputError(f"{', '.join(given)}: not a value that is taken", hint="docs/settings.md lists them") from exc


@contextlib.contextmanager
def cluster_of(settings: IngestSettings) -> Generator[Cluster | None]:
    """The Ray cluster that files are read on; None where the settings want this machine."""
    if settings.engine == "local":
        yield None
        return
    from phidex.ingest.run.cluster import Cluster

    with Cluster(settings.ray_address) as cluster:
        yield cluster


def pool_of(cluster: Cluster | None, settings: IngestSettings) -> ClusterPool | None:
    """The cluster's pool; None leaves it to the pipeline to start workers here."""
    if cluster is None:
        return None
    from phidex.ingest.run.cluster import ClusterPool

    return ClusterPool(cluster, workers=settings.workers, memory_mb=settings.memory_mb, timeout_s=settings.timeout_s)


def embed_on(cluster: Cluster, target: Collection, choice: Choice, settings: Settings, on_embed: OnEmbed | None) -> int:
    """Write the dense vectors that wait, embedded on the cluster; how many."""
    from phidex.retrieval.cluster import ClusterEmbedder

    if choice.embedder is None or not target.pending():
        return 0
    there = ClusterEmbedder(cluster, choice.embedder, settings.embed, settings.cache)
    return target.embed_pending(there, on_embed, batch_size=there.batch_size)


def describer_of(settings: Settings) -> Describer | None:
    """What puts pictures into words; None where that is not wanted.

    Raises:
        ConfigError: it is wanted, and no vision model is set.
    """
    if not settings.ingest.describe:
        return None
    from phidex.generation.describe import Describer

    return Describer(settings.chat)


def speech_of(settings: Settings) -> SpeechOptions:
    """How speech is recognised in recordings; what was recognised is kept in the data folder."""
    from phidex.ingest.speech.options import SpeechOptions

    given = settings.speech
    return SpeechOptions(
        url=given.url,
        model=given.model,
        api_key=given.api_key.get_secret_value().strip() if given.api_key else "",
        language=given.language,
        languages=given.languages,
        diarize=given.diarize,
        piece_s=given.piece_s,
        timeout_s=given.timeout_s,
        retries=given.retries,
        compute_type=given.compute_type,
        allow_download=given.allow_download,
        kept=str(settings.data.resolve() / "speech"),
    )


def blob_place(settings: Settings, collection: str) -> str:
    """Where the blobs of a collection are kept."""
    check_name(collection)
    return f"{settings.ingest.blobs or settings.data.resolve() / 'blobs'}/{collection}"


def take_in(
    run: Run,
    target: Collection,
    choice: Choice,
    settings: Settings,
    *,
    listeners: Listeners,
    embed: Callable[[], int] | None,
) -> IngestReport:
    """Run into a collection.

    Args:
        embed: writes the dense vectors behind it, and returns how many; None leaves them to a later call.
    """
    started = time.monotonic()
    target.recover()
    blobs = blob_place(settings, target.name)
    Blobs(blobs).sweep(target.known)
    earlier = target.waiting_by_source() if embed else {}
    load: Callable[[], None] | None = getattr(choice.embedder, "load", None) if embed else None
    loading: list[threading.Thread] = []

    def after_file(file: FileReport, number: int, total: int) -> None:
        if load and not loading and file.outcome in ("added", "replaced"):
            loading.append(threading.Thread(target=load, name="phidex-load-model", daemon=True))
            loading[0].start()  # while the next files are read
        if listeners.file:
            listeners.file(file, number, total)

    report = run(
        target,
        exclude=settings.data,
        workspace=settings.data / "workspace",
        blobs=blobs,
        listeners=replace(listeners, file=after_file),
    )
    report.embedder = choice.reason
    report.seconds_to_searchable = time.monotonic() - started
    if embed and choice.embedder:
        report.notes += _debt(earlier, target.waiting_by_source() if earlier else {})
        report.embedded = embed()
    if loading:
        loading[0].join()  # a process that ends while a model is being loaded aborts
    report.pending = target.pending()
    target.compact()
    report.seconds_to_complete = time.monotonic() - started
    return report


def _debt(before: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """What is to be said where passages of earlier runs, by source, have waited for this one."""
    owed = {identity: min(count, now[identity]) for identity, count in before.items() if identity in now}
    passages, sources = sum(owed.values()), len(owed)
    if not passages:
        return []
    wait = f"{passages} passage of an earlier run" if passages == 1 else f"{passages} passages of earlier runs"
    return [f"{wait} ({sources} source{'s' * (sources > 1)}) got the dense vectors that were still missing too"]


def preview(run: Run, name: str, target: Collection | None, settings: Settings, listeners: Listeners) -> IngestReport:
    """What a run would do. A collection that is not there, or its folder, is not made for that."""
    kept = settings.data / "workspace"
    workspace = kept if kept.is_dir() else None
    return run(target or Void(name), exclude=settings.data, workspace=workspace, dry_run=True, listeners=listeners)


def follow(
    take: Callable[[Sequence[str | Path]], IngestReport],
    targets: Sequence[str | Path],
    settings: Settings,
    *,
    stop: threading.Event | None,
    on_report: Callable[[IngestReport], None] | None,
    on_fault: Callable[[PhidexError], None] | None,
) -> None:
    """Take in at once, and again after each change, until `stop` is set.

    Where a service is down, again a little later; a target that is gone is left out, and said to be so, until it is back.
    """
    check_paths(targets)
    gone: set[str | Path] = set()
    for again in rounds(targets, exclude=settings.data, stop=stop):
        there = [target for target in targets if Path(target).exists()]
        lost = [target for target in targets if target not in there and target not in gone]
        gone = set(targets).difference(there)
        for target in lost:
            if on_fault:
                on_fault(NotFoundError(f"{target} is gone for now", hint="it is followed again when it is back"))
        if not there:
            continue
        try:
            report = take(there)
        except NotFoundError:  # one went meanwhile
            again()
        except ServiceError as exc:
            if not exc.retryable:
                raise
            again()
            if on_fault:
                on_fault(exc)
        else:
            if on_report:
                on_report(report)
