"""Keyframes of recordings whose content is known: slide starts within a second, speed beside PySceneDetect, memory over hours.

`recordings.py` makes them. What is found inside a scroll counts neither way; builds, flashes, popups and whatever a webcam does
are wrong when taken for a start. The held-out recordings were never looked at while thresholds were chosen.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phidex.eval.bench.options import Options
from phidex.eval.bench.peers import run_peer
from phidex.eval.bench.recordings import Script, Truth, loop, make
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.eval.bench.talks import HELD_OUT, LONG, SCRIPTS
from phidex.ingest.video.keyframes import find_keyframes
from phidex.ingest.video.records import Recording

RECALL_BAR, PRECISION_BAR, SPEED_BAR, PEER_BAR, MEMORY_BAR = 0.98, 0.96, 120.0, 3.0, 300.0
WITHIN_S = 1.0
_HOURS = 4.0
_DETECTORS: tuple[tuple[str, float | None], ...] = (
    *(("ContentDetector", threshold) for threshold in (None, 5.0, 10.0, 15.0)),
    *(("AdaptiveDetector", threshold) for threshold in (None, 1.0, 2.0)),
    *(("HashDetector", threshold) for threshold in (None, 0.1, 0.2)),
    *(("HistogramDetector", threshold) for threshold in (None, 0.01, 0.2)),
    *(("ThresholdDetector", threshold) for threshold in (None, 200.0)),
)
_CHILD = """
import json, resource, sys, time
from pathlib import Path
from phidex.ingest.video.keyframes import find_keyframes
started = time.process_time()
found = find_keyframes(Path(sys.argv[1]))
cpu_s = time.process_time() - started
status = Path("/proc/self/status")
if status.exists():  # ru_maxrss would be that of the process that started this one, where it was larger
    peak_mb = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
else:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1048576
print(json.dumps([found.duration_s, cpu_s, peak_mb, len(found.starts)]))
"""


@dataclass(frozen=True, slots=True)
class Score:
    """Starts of one recording: in truth, found, found though there is none, and keyframes that show their slide in full."""

    name: str
    starts: int
    found: int
    wrong: int
    error_s: float
    pictures: int
    complete: int
    speed: float = 0.0


def score(truth: Truth, starts: Sequence[float]) -> tuple[int, int, float]:
    """Starts found, wrong ones, and the mean distance of the found ones in seconds; each counts for one."""
    left = sorted(starts)
    found, error_s = 0, 0.0
    for shown in truth.shown:
        near = [at for at in left if shown.start_s - WITHIN_S <= at <= shown.until_s + WITHIN_S]
        if near:
            best = min(near, key=lambda at: abs(at - shown.start_s))
            left.remove(best)
            found, error_s = found + 1, error_s + abs(best - shown.start_s)
    wrong = [
        at for at in left if not any(one.kind == "scroll" and one.start_s <= at <= one.end_s + WITHIN_S for one in truth.shown)
    ]
    return found, len(wrong), error_s / max(1, found)


def complete(truth: Truth, recording: Recording) -> tuple[int, int]:
    """Keyframes of slides and boards, and those of them taken when all of it was there and nothing lay over it."""
    count = good = 0
    for frame in recording.keyframes:
        shown = next((one for one in truth.shown if one.start_s <= frame.at_s < one.end_s), None)
        if shown is not None and shown.kind in ("scroll", "camera"):
            continue
        count += 1
        if shown is None or frame.at_s < max(shown.until_s, *shown.builds, 0.0):
            continue
        good += not any(start <= frame.at_s < end for start, end in truth.disturbed)
    return count, good


def measure(script: Script, folder: Path) -> Score:
    """One recording of the set, made when it is not there."""
    path, truth = make(script, folder)
    started = time.process_time()
    recording = find_keyframes(path)
    cpu_s = time.process_time() - started
    found, wrong, error_s = score(truth, recording.starts)
    pictures, good = complete(truth, recording)
    return Score(script.name, len(truth.shown), found, wrong, error_s, pictures, good, truth.duration_s / cpu_s)


def scored(title: str, scores: Sequence[Score]) -> tuple[Table, list[Check]]:
    """A table of recordings, and their bars together."""
    rows: list[list[Cell]] = [
        [one.name, one.starts, one.found, one.wrong, one.error_s, f"{one.complete}/{one.pictures}", one.speed] for one in scores
    ]
    starts, found, wrong = (sum(getattr(one, name) for one in scores) for name in ("starts", "found", "wrong"))
    columns = ("recording", "starts", "found", "wrong", "mean error s", "complete pictures", "s a CPU s")
    checks = [
        Check(f"{title}: recall within {WITHIN_S:g} s", found / starts, ">=", RECALL_BAR),
        Check(f"{title}: precision", found / max(1, found + wrong), ">=", PRECISION_BAR),
    ]
    return Table(title, columns, rows), checks


def in_child(path: Path) -> tuple[float, float, float, int]:
    """Seconds of video, CPU seconds, peak MB and starts of a process that does nothing else."""
    done = subprocess.run([sys.executable, "-c", _CHILD, str(path)], capture_output=True, text=True, check=True)
    duration_s, cpu_s, peak_mb, starts = json.loads(done.stdout)
    return duration_s, cpu_s, peak_mb, starts


def against_peer(path: Path, truth: Truth, speed: float, options: Options) -> tuple[Table, list[Check]]:
    """PySceneDetect's detectors over several thresholds, on the recording that ours is measured on."""
    reply = run_peer("scenes", {"path": str(path), "detectors": _DETECTORS}, options.say)
    rows: list[list[Cell]] = []
    best, fastest = 0.0, 0.0
    for one in reply["results"]:
        found, wrong, _ = score(truth, one["starts"])
        recall, theirs = found / len(truth.shown), truth.duration_s / one["cpu_s"]
        best, fastest = max(best, recall), max(fastest, theirs)
        threshold = "default" if one["threshold"] is None else f"{one['threshold']:g}"
        rows.append([f"{one['detector']} {threshold}", recall, found / max(1, found + wrong), theirs])
    own = find_keyframes(path)
    found, wrong, _ = score(truth, own.starts)
    rows.append(["ours", found / len(truth.shown), found / max(1, found + wrong), speed])
    checks = [
        Check("times PySceneDetect's fastest", speed / fastest, ">=", PEER_BAR, "x"),
        Check("recall of its best, whatever the threshold", best, "<", found / len(truth.shown)),
    ]
    return Table(f"PySceneDetect {reply['version']}", ("detector", "recall", "precision", "s a CPU s"), rows), checks


def run(options: Options) -> Outcome:
    """The benchmark; making the recordings takes 15 minutes once, then 3, with the peer 10."""
    folder = options.cache / "recordings"
    tables: list[Table] = []
    checks: list[Check] = []
    for title, scripts in (("generated set", SCRIPTS), ("held out", HELD_OUT)):
        scores: list[Score] = []
        for script in scripts:
            scores.append(measure(script, folder))
            options.say(f"{script.name}: {scores[-1].found} of {scores[-1].starts}, {scores[-1].wrong} wrong")
        table, own = scored(title, scores)
        tables.append(table)
        checks += own
    path, truth = make(LONG, folder)
    duration_s, cpu_s, _, _ = in_child(path)
    speed = duration_s / cpu_s
    checks.append(Check("720p at 25 fps, seconds of video a CPU second", speed, ">=", SPEED_BAR))
    hours = folder / "hours.mp4"
    if not hours.exists():
        loop(path, hours, _HOURS * 3600)
    lasts_s, hours_cpu_s, peak_mb, starts = in_child(hours)
    checks.append(Check(f"peak memory over {lasts_s / 3600:.1f} hours", peak_mb, "<", MEMORY_BAR, " MB"))
    notes = [f"{lasts_s / 3600:.1f} hours: {starts} starts in {hours_cpu_s:.0f} CPU seconds"]
    if options.peers:
        table, own = against_peer(path, truth, speed, options)
        tables.append(table)
        checks += own
    return Outcome("keyframes", "slides and scenes of recordings whose content is known", tables, checks, notes)
