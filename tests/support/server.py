"""A real server of its own process."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

READY_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """`fastpaca serve`; it chooses a port where none is given. Stopped by its process id."""

    def __init__(self, data_dir: Path, *, port: int = 0, **env: str) -> None:
        number = len(list(data_dir.parent.glob("server-*.log")))
        self._log = (data_dir.parent / f"server-{number}.log").open("xb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fastpaca", "serve", "--port", str(port), "--data-dir", str(data_dir)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
        )
        self._deadline = time.monotonic() + READY_S
        self.port = self._listening()
        self.url = f"http://127.0.0.1:{self.port}"
        self._wait_until_ready()

    def _listening(self) -> int:
        """The port, which the server logs."""
        while (found := re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", self.log())) is None:
            self._pause()
        return int(found[1])

    def _wait_until_ready(self) -> None:
        # The socket listens already: the first request waits there for the worker.
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/health/ready", timeout=READY_S):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                self._pause()

    def _pause(self) -> None:
        if self.process.poll() is not None or time.monotonic() > self._deadline:
            self.kill()
            raise AssertionError(f"the server did not start: {self.log()}")
        time.sleep(0.01)

    def log(self) -> str:
        """What it has said so far."""
        return Path(self._log.name).read_text()

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(timeout=60)
        self._log.close()
        return code

    def kill(self) -> None:
        """SIGKILL to the server and what it forked."""
        children = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for pid in [*children, str(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        self.process.wait(timeout=60)
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()
