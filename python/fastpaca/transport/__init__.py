"""How the Python interface reaches the contexts. One transport is in process (`local`), one over HTTP (`client`)."""
