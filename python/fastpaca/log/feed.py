"""The feed: one entry for each record of the whole store, in the order in which they became durable.

key     position, u64 big-endian, from 1, gapless
value   u8 format = 1 | version, u64 big-endian | context id, UTF-8 | CRC-32 of all before, little-endian
"""

from __future__ import annotations

import struct
from zlib import crc32

from fastpaca import _core
from fastpaca.errors import StoreCorruptError

FORMAT = 1
_KEY = struct.Struct(">Q")
_HEAD = struct.Struct(">BQ")
_CHECKSUM = struct.Struct("<I")

encode_position = _KEY.pack
encode_entry = _core.feed_entry
"""The value that names one record, by its last version and its context's id."""


def decode_position(key: bytes) -> int:
    """The position in a feed key. Raises `StoreCorruptError`."""
    if len(key) != _KEY.size:
        raise StoreCorruptError(f"feed key of {len(key)} bytes, expected {_KEY.size}")
    return int.from_bytes(key, "big")


def decode_entry(value: bytes) -> tuple[int, str]:
    """Version and context id of the record that a feed value names. Raises `StoreCorruptError`."""
    body = value[: -_CHECKSUM.size]
    if len(body) < _HEAD.size or _CHECKSUM.pack(crc32(body)) != value[-_CHECKSUM.size :]:
        raise StoreCorruptError(f"feed entry of {len(value)} bytes fails its checksum")
    entry_format, version = _HEAD.unpack_from(body)
    if entry_format != FORMAT:
        raise StoreCorruptError(f"feed entry of format {entry_format}, this version reads {FORMAT}")
    return version, body[_HEAD.size :].decode()
