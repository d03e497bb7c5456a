"""Conversations in and out of a store: `fastpaca import` and `fastpaca export`, in process and over HTTP alike.

    from fastpaca import transfer

    with fastpaca.connect("http://127.0.0.1:4000") as store:
        report = transfer.load(store, ["chats.jsonl"])
        print(report.text())

An import needs no file of its own to be resumed: the log says how far it came. Messages are compared with the context's
log one by one, each with the one at its place, and what the log does not hold yet is appended.
"""

from fastpaca.transfer.exporting import dump
from fastpaca.transfer.importing import load
from fastpaca.transfer.options import Options
from fastpaca.transfer.report import Report

__all__ = ["Options", "Report", "dump", "load"]
