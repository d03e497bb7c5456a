"""Streams: what became visible, in order, from any point on, to any number of subscribers."""

from fastpaca.streams.drafts import Drafts
from fastpaca.streams.frames import Cursor, Frame
from fastpaca.streams.hub import Hub
from fastpaca.streams.subscription import Subscription

__all__ = ["Cursor", "Drafts", "Frame", "Hub", "Subscription"]
