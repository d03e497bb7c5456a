"""Opening a data directory: what is in it, whether this version can read it, and what RocksDB's refusals mean."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path
from zlib import crc32

from rocksdict import Options, Rdict

from fastpaca.errors import StoreCorruptError, StoreError, StoreFormatError
from fastpaca.log import owner
from fastpaca.log.base import Family
from fastpaca.log.rocks_options import database_options, family_options

STORE_FORMAT = 1
_META_KEY = b"meta"
_META = struct.Struct(">BI")  # layout of this value = 1, format of the store; then CRC-32, little-endian
_CHECKSUM = struct.Struct("<I")
_LOCK_POLL_S = 0.05
_DEFAULT_FAMILY = "default"


def make_directory(path: Path) -> None:
    """Creates a data directory that survives power loss. Raises `StoreError`."""
    try:
        if not path.is_dir():
            path.mkdir(parents=True)
            _sync_directory(path.parent)
    except OSError as error:
        raise StoreError(f"{path} can't be used as a data directory: {error}") from error


def open_database(path: Path, *, cache_bytes: int, deadline: float) -> Rdict:
    """Opens RocksDB; waits for its lock until `deadline` (seconds, monotonic). Raises `StoreError` and its kinds."""
    _check_directory(path)
    while True:
        try:
            return Rdict(str(path), database_options(), family_options(cache_bytes))
        except Exception as error:
            if not _is_lock(error):
                raise _translated(path, error) from error
            if time.monotonic() >= deadline:
                raise owner.locked(path) from error
        time.sleep(_LOCK_POLL_S)


def check_format(database: Rdict, path: Path, *, empty: bool) -> None:
    """Stamps a new store; refuses one of a newer format. Raises `StoreFormatError`, `StoreCorruptError`."""
    value = database.get(_META_KEY)
    if value is None:
        if not empty:
            raise StoreCorruptError(f"{path} holds records but no format")
        meta = _META.pack(1, STORE_FORMAT)
        database.put(_META_KEY, meta + _CHECKSUM.pack(crc32(meta)))
        database.flush_wal(True)
        return
    meta = value[: _META.size]
    if len(value) != _META.size + _CHECKSUM.size or value[_META.size :] != _CHECKSUM.pack(crc32(meta)):
        raise StoreCorruptError(f"{path}: the store's format fails its checksum")
    store_format = _META.unpack(meta)[1]
    if store_format > STORE_FORMAT:
        raise StoreFormatError(_newer(path, f"format {store_format}, this version reads up to {STORE_FORMAT}"))


def _check_directory(path: Path) -> None:
    """What RocksDB itself would not refuse, or not in words that help."""
    if not (path / "CURRENT").exists():
        # RocksDB would start a new, empty store here and delete the files of the old one.
        left = sorted(each.name for pattern in ("*.sst", "MANIFEST-*") for each in path.glob(pattern))
        if left:
            raise StoreCorruptError(f"{path} has no CURRENT file but holds {left[0]}")
        return
    try:
        found = set(Rdict.list_cf(str(path), Options(raw_mode=True)))
    except Exception as error:
        raise _translated(path, error) from error
    unknown = found - {family.name.lower() for family in Family} - {_DEFAULT_FAMILY}
    if unknown:
        raise StoreFormatError(_newer(path, f"it has families {', '.join(sorted(unknown))}"))


def _newer(path: Path, why: str) -> str:
    return f"{path} was written by a newer version of Fastpaca ({why}); open it with that version"


def _is_lock(error: Exception) -> bool:
    text = str(error)
    return "While lock file" in text or "lock hold by current process" in text


def _translated(path: Path, error: Exception) -> StoreError:
    text = str(error)
    # A file that the manifest names and that isn't there is damage as well.
    if "Corruption" in text or "No such file" in text:
        return StoreCorruptError(f"{path} is damaged: {text}")
    return StoreError(f"{path} can't be opened: {text}")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
