"""The command `fastpaca simulate`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastpaca.commands.common import (
    EXIT_PROBLEM,
    EXIT_USAGE,
    FORMATS,
    Commands,
    Progress,
    complain,
    is_coloured,
    tokens,
)

if TYPE_CHECKING:
    from fastpaca.simulate.results import Results

DESCRIPTION: Final = """\
Simulate policies on your own recorded conversations, offline: for each model call that was recorded, the request that
each policy would have sent is made, checked by the provider's rules and compared with the one before. Beside the
policies run a plain sliding window and LangChain's trim_messages (where langchain-core is installed). No model is
called and nothing leaves this machine."""

EPILOG: Final = """\
files: JSON lines of parts, OpenAI chat (fine-tuning files too), Anthropic messages, ai-sdk UIMessages and
ModelMessages, Claude Code session logs (~/.claude/projects/*/*.jsonl); gzipped or not; the format is detected.

examples:
  fastpaca simulate chats.jsonl --budget 32000
  fastpaca simulate ~/.claude/projects/*/*.jsonl --policy strip_tool_results --policy last_n:limit=100 --budget 100000
  fastpaca simulate log.json --policy 'last_n:{"limit": 40}' --price 2.5,0.25,10 --json > results.json
  fastpaca simulate session.jsonl --budget 32000 --budget 100000 --plot windows.svg"""


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Adds the command. What it runs is imported when it runs."""
    parser = commands.add_parser(
        "simulate",
        help="try policies on recorded conversations",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="recorded conversations")
    add("--policy", action="append", metavar="NAME[:KEY=VALUE,...]", help="a policy to try (all of them, once each)")
    add("--budget", action="append", type=tokens, metavar="TOKENS", help="token budget of a window (100000)")
    add("--format", choices=FORMATS, help="format of the files (detected)")
    add("--provider", choices=("openai", "anthropic"), help="whose requests are made (what the files are made of)")
    add("--model", help="model that the windows go to: decides how tokens are counted, and which rules hold")
    add("--trigger", type=_ratio, metavar="RATIO", help="share of the budget above which policies run (0.7)")
    add("--target", type=_ratio, metavar="RATIO", help="share of the budget that they come down to (half the trigger)")
    add(
        "--price", metavar="IN,CACHED,OUT", help="price of a million tokens: new input, cached input, output (3,0.3,15)"
    )
    add("--limit-conversations", type=tokens, metavar="N", help="only the first N conversations")
    add("--no-peers", action="store_true", help="leave the sliding window and trim_messages out")
    add("--json", action="store_true", help="print the results as JSON")
    add("--plot", type=Path, metavar="FILE", help="write window tokens over calls to a .png or .svg (needs matplotlib)")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Runs the command; gives its exit code."""
    from fastpaca import simulate  # noqa: PLC0415
    from fastpaca.transcripts import TranscriptError  # noqa: PLC0415

    progress = Progress(sys.stderr)
    try:
        results = _results(given, progress)
        progress.end()
        print(_shown(results, as_json=given.json))  # noqa: T201
        if given.plot is not None:
            from fastpaca.simulate import plot  # noqa: PLC0415

            plot.write(results, given.plot)
    except simulate.SettingError as error:
        return complain(str(error), EXIT_USAGE)
    except (TranscriptError, OSError) as error:
        return complain(str(error), EXIT_PROBLEM)
    return 0 if results.runs else complain("no model call was found in these files", EXIT_PROBLEM)


def _results(given: argparse.Namespace, progress: Callable[[str], None]) -> Results:
    from fastpaca import simulate  # noqa: PLC0415

    if given.plot is not None:
        from fastpaca.simulate import plot  # noqa: PLC0415

        plot.require(given.plot)
    return simulate.run(
        given.files,
        policies=given.policy or (),
        budgets=tuple(dict.fromkeys(given.budget or (100_000,))),
        format=given.format,
        provider=given.provider,
        model=given.model,
        trigger=given.trigger,
        target=given.target,
        price=None if given.price is None else simulate.Price.parse(given.price),
        limit=given.limit_conversations,
        with_peers=not given.no_peers,
        progress=progress,
    )


def _shown(results: Results, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(results.as_dict(), ensure_ascii=False, indent=1)
    from fastpaca.simulate import report  # noqa: PLC0415

    return report.table(results, colour=is_coloured())


def _ratio(text: str) -> float:
    number = float(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError("expected a number above 0 and at most 1")
    return number
