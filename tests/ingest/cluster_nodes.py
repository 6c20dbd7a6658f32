"""A Ray cluster of several nodes on this machine, each a process group that can be killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class Cluster:
    """Nodes of one core each; the first is the head."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ray-"))  # sockets have short paths
        self.nodes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def add(self) -> None:
        place = [f"--address={self.address}"]
        if not self.nodes:
            place = ["--head", f"--port={self.port}", "--include-dashboard=false", f"--temp-dir={self.folder}"]
        command = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
        command += ["--node-ip-address=127.0.0.1", f"--object-store-memory={100 << 20}", *place]
        path = self.folder / f"node-{len(self.nodes)}.log"
        with path.open("wb") as log:
            node = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        self.nodes.append(node)
        self._wait(path)

    def kill(self, index: int) -> None:
        """As if its power went."""
        os.killpg(self.nodes[index].pid, signal.SIGKILL)
        self.nodes[index].wait()

    def close(self) -> None:
        for index, node in enumerate(self.nodes):
            if node.poll() is None:
                self.kill(index)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self, log: Path) -> None:
        """Until the node is up."""
        deadline = time.monotonic() + 60
        while "Ray runtime started" not in log.read_text():
            if time.monotonic() > deadline or self.nodes[-1].poll() is not None:
                raise AssertionError(log.read_text())
            time.sleep(0.1)


@contextmanager
def cluster(nodes: int = 2) -> Generator[Cluster]:
    made = Cluster()
    try:
        for _ in range(nodes):
            made.add()
        yield made
    finally:
        made.close()
