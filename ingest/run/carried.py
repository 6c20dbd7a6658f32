"""Files on their way to machines that cannot see them: with their bytes in the task; `prepare.py` puts recordings on a disk."""

from __future__ import annotations

from dataclasses import replace

from phidex.errors import InputError
from phidex.ingest.run.prepare import Task

MOST_RECORDING_MB = 512
"""Larger recordings are not sent: they would fill the memory of the sender."""


def carried(task: Task) -> Task:
    """The task with the bytes of its file, and of what is read with it.

    Raises:
        InputError: it is a recording too large to send.
        OSError: a file cannot be read.
    """
    if task.data is not None:
        return task
    if task.is_recording and task.size_bytes > MOST_RECORDING_MB << 20:
        message = f"a recording of more than {MOST_RECORDING_MB} MB is not sent to a cluster"
        raise InputError(message, hint="ingest it on one machine: --engine local")
    beside = {path.name: path.read_bytes() for path in task.companions}
    return replace(task, data=task.path.read_bytes(), beside=beside)
