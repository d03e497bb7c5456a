"""Rules of Anthropic's Messages: `system` and `messages`, and `thinking`, `tools` and `model` where they are sent."""

from __future__ import annotations

from fastpaca.providers.anthropic import blocks, thinking, tools, turns
from fastpaca.providers.base import Rules

RULES = Rules([*turns.RULES.all, *tools.RULES.all, *thinking.RULES.all, *blocks.RULES.all])
