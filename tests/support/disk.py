"""A disk that can be filled."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """Makes a file system of this size in a new folder. Only root may mount one: the test skips for others, to whom
    `test_a_file_that_can_not_grow_poisons` shows the same on one file.
    """
    path.mkdir()
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs `mount` and the right to mount a tmpfs: run as root, or in a privileged container")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)
