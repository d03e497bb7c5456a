"""The log: it orders commits, makes them durable, and keeps what they put.

`base` is the interface and its promises. `rocks` keeps it on one machine's disk, `memory` in memory; both write through
`group`, and both pass `tests/log/test_conformance.py`, as every other implementation must.
"""

from fastpaca.log.base import Commit, Done, Family, Log, OnGroup, Put
from fastpaca.log.memory import MemoryDisk, MemoryLog
from fastpaca.log.rocks import RocksLog

__all__ = ["Commit", "Done", "Family", "Log", "MemoryDisk", "MemoryLog", "OnGroup", "Put", "RocksLog"]
