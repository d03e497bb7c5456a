"""The Vercel AI SDK takes a request: its own code, in one node process for a whole test session."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

from tests.support.patience import PATIENCE_S

NODE = Path(__file__).parent.parent / "node"
NODE_MAJOR_MIN = 20

Json = dict[str, Any]


class AiSdkError(AssertionError):
    """What the SDK raised."""


def missing() -> str | None:
    """Why the SDK can't run here; installs it where only that is missing."""
    needed = f"install Node {NODE_MAJOR_MIN} or newer, with npm, for the Vercel AI SDK"
    if not (shutil.which("node") and shutil.which("npm")):
        return needed
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < NODE_MAJOR_MIN:
        return f"{needed}: this is {version}"
    if not (NODE / "node_modules" / ".package-lock.json").exists():
        installed = subprocess.run(["npm", "ci", "--silent"], cwd=NODE, capture_output=True, text=True, check=False)
        if installed.returncode != 0:
            return f"npm ci failed: {installed.stderr[-500:]}"
    return None


class AiSdk:
    """A node process that answers one request at a time. Use as a context manager."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["node", "check.mjs"], cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=PATIENCE_S)

    def prompt(self, request: Json) -> list[Json]:
        """The prompt that `streamText` makes of `{system, messages}`; raises `AiSdkError`."""
        return self._ask("ai-sdk", request)

    def ui_prompt(self, request: Json) -> list[Json]:
        """The prompt of `{messages}` of `UIMessage`s, validated and converted by the SDK; raises `AiSdkError`."""
        return self._ask("ai-sdk-ui", request)

    def _ask(self, kind: str, request: Json) -> list[Json]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"kind": kind, "args": request}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AiSdkError(f"node ended with {self._process.wait(PATIENCE_S)}")
        answer = json.loads(line)
        if "error" in answer:
            raise AiSdkError(answer["error"])
        prompt: list[Json] = answer["prompt"]
        return prompt
