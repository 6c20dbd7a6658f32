"""What this machine, or the container we are in, lets us use: cores and memory."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_WORKER_MB = 512  # what a worker usually stays below
_CGROUP = Path("/sys/fs/cgroup")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def worker_count() -> int:
    """As many workers as there are cores for them, and memory."""
    memory_mb = free_memory_mb()
    return max(1, min(core_count(), memory_mb // _WORKER_MB if memory_mb else 1 << 10))


def core_count() -> int:
    """Cores that this process may run on, and that its container's share of time amounts to."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _numbers(_CGROUP / "cpu.max")  # quota and period in microseconds, or "max" and the period
    return max(1, min(cores, -(-quota[0] // quota[1]))) if len(quota) == 2 else cores


def free_memory_mb() -> int:
    """Memory that can be used without swapping, in MB; 0 where that is not known."""
    free: list[int] = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free += [int(line.split()[1]) >> 10 for line in lines if line.startswith("MemAvailable:")]
    limit, used = _numbers(_CGROUP / "memory.max"), _numbers(_CGROUP / "memory.current")
    if limit and used:
        free.append(max(0, limit[0] - used[0]) >> 20)
    return min(free, default=0)


def tree_memory_mb(pid: int) -> int:
    """Memory in use by a process and those that it started, in MB; 0 where that is not known."""
    pages = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split():
            pages += (tree_memory_mb(int(child)) << 20) // _PAGE_BYTES
    return pages * _PAGE_BYTES >> 20


def _numbers(path: Path) -> list[int]:
    """The numbers in a file of the kernel's; without what is none ("max")."""
    try:
        return [int(word) for word in path.read_text("ascii").split() if word.isdigit()]
    except OSError:
        return []
