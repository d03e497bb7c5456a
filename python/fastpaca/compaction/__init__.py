"""Compaction in the background: of one context as its replies ask for it, or of all contexts of a store."""
