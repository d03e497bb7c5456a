"""Answers of models: the window to the model, its chunks to the caller, and the finished answer to the log."""
