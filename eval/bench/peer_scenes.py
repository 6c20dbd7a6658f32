"""PySceneDetect, run in the peers' environment: a recording -> the cuts that each detector finds, and what it takes.

    request: path, detectors [[name, threshold or null]]
    reply:   results [{detector, threshold, starts, cpu_s}]

As `detect()` runs them: OpenCV, every frame, made smaller as it sees fit, one detector at a time. Imports come before the
clock, opening the file does not. Does not import phidex.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
from pathlib import Path
from typing import Any

_THRESHOLD = {"AdaptiveDetector": "adaptive_threshold"}


def main(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a request."""
    scenedetect: Any = importlib.import_module("scenedetect")
    importlib.import_module("cv2").setNumThreads(1)
    results: list[dict[str, Any]] = []
    for name, threshold in request["detectors"]:
        detector_class = getattr(scenedetect, name)
        options = {} if threshold is None else {_THRESHOLD.get(name, "threshold"): threshold}
        started = _cpu_seconds()
        scenes = scenedetect.detect(request["path"], detector_class(**options), start_in_scene=True)
        cpu_s = _cpu_seconds() - started
        starts = [float(start.get_seconds()) for start, _ in scenes]
        results.append({"detector": name, "threshold": threshold, "starts": starts, "cpu_s": cpu_s})
    return {"version": scenedetect.__version__, "results": results}


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    reply = main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    Path(sys.argv[2]).write_text(json.dumps(reply), "utf-8")
