"""How RocksDB is set up: memory bounds, files, compression, recovery."""

from __future__ import annotations

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, Options, WriteOptions

from fastpaca.log.base import Family

_MIB = 1024 * 1024

CACHE_BYTES = 64 * _MIB
MEMTABLES_BYTES_MAX = 96 * _MIB
WAL_BYTES_MAX = 128 * _MIB
OPEN_FILES_MAX = 512
_MEMTABLE_BYTES = {Family.RECORDS: 32 * _MIB}
_MEMTABLE_BYTES_DEFAULT = 8 * _MIB
_BLOCK_BYTES = 16 * 1024
_BLOOM_BITS = 10


def database_options() -> Options:
    """Options of the whole database."""
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    # A torn tail is a write that was never acknowledged. Damage anywhere else must stop the open: the mode that stops
    # replay there instead would drop the acknowledged records behind it without a word.
    options.set_wal_recovery_mode(DBRecoveryMode.tolerate_corrupted_tail_records())
    # A family that is seldom written keeps the WAL that holds its oldest entry; past this it is flushed.
    options.set_max_total_wal_size(WAL_BYTES_MAX)
    options.set_db_write_buffer_size(MEMTABLES_BYTES_MAX)
    options.set_max_background_jobs(2)
    options.set_bytes_per_sync(_MIB)
    # Opening must not grow with the store: a bounded table cache, and no read of every file's properties.
    options.set_max_open_files(OPEN_FILES_MAX)
    options.set_skip_stats_update_on_db_open(True)
    options.set_avoid_unnecessary_blocking_io(True)
    options.set_stats_dump_period_sec(0)
    options.set_stats_persist_period_sec(0)
    options.set_keep_log_file_num(3)
    options.set_max_log_file_size(4 * _MIB)
    options.set_max_manifest_file_size(16 * _MIB)
    options.set_is_fd_close_on_exec(True)
    return options


def family_options(cache_bytes: int) -> dict[str, Options]:
    """Options of each column family; they share one block cache of `cache_bytes`."""
    cache = Cache(cache_bytes)
    return {family.name.lower(): _one(family, cache) for family in Family}


def _one(family: Family, cache: Cache) -> Options:
    table = BlockBasedOptions()
    table.set_block_cache(cache)
    table.set_block_size(_BLOCK_BYTES)
    table.set_bloom_filter(_BLOOM_BITS, False)
    table.set_cache_index_and_filter_blocks(True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(True)
    options = Options(raw_mode=True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(_MEMTABLE_BYTES.get(family, _MEMTABLE_BYTES_DEFAULT))
    options.set_max_write_buffer_number(3)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_bottommost_compression_type(DBCompressionType.zstd())
    return options


def write_options() -> WriteOptions:
    """Writes go to the WAL unsynced (`flush_wal` syncs) and fail rather than wait for a flush or a compaction.

    rocksdict's `write` holds the interpreter: a write that waited inside would stop every thread of the process.
    """
    options = WriteOptions()
    options.no_slowdown = True
    return options
