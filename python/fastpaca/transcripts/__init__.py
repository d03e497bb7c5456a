"""Readers of recorded conversations, as other tools and providers keep them.

    from fastpaca import transcripts

    for conversation in transcripts.read("session.jsonl.gz"):
        for recorded in conversation.messages:
            context.append(recorded.message)

Formats: `parts` (our own), `openai` (chat, fine-tuning files too), `anthropic`, `ai-sdk` (UIMessages and
ModelMessages) and `claude-code` (session logs). A file is a JSON document or JSON lines, gzipped or not. A line is a
conversation (`{"messages": [...]}` or a list of messages) or one message. Messages come as the append API takes them.
"""

from fastpaca.transcripts.conversation import (
    Conversation,
    OnProblem,
    Passage,
    Problem,
    Recorded,
    TranscriptError,
    Usage,
)
from fastpaca.transcripts.detect import FORMATS, Format
from fastpaca.transcripts.reading import detect, read, stream

__all__ = [
    "FORMATS",
    "Conversation",
    "Format",
    "OnProblem",
    "Passage",
    "Problem",
    "Recorded",
    "TranscriptError",
    "Usage",
    "detect",
    "read",
    "stream",
]
