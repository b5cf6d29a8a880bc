"""The parent's side of the worker: start it confined, hand it requests, and outlive whatever becomes of it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import site
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from klint.verify.errors import VerifyError

_BOOT = "import sys; sys.path.extend(sys.argv[1:]); from klint.verify.worker import main; main()"
_START_SECONDS = 300.0
_KEPT_VARIABLES = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "SYSTEMROOT")


class WorkerLost(Exception):
    """The worker crashed or took too long over a request, and is gone; the next request gets a new one."""


class Sandbox:
    """A worker process for as long as the ``with`` block lasts, restarted whenever it is lost.

    ``memory`` is the bytes that it may allocate beyond what torch takes; ``command`` stands in for the worker in tests.
    """

    def __init__(self, memory: int = 4 * 2**30, command: Sequence[str] | None = None) -> None:
        self.memory = memory
        self.command = tuple(command) if command is not None else worker_command()
        self._worker: _Worker | None = None

    def __enter__(self) -> Sandbox:
        """Nothing is started before it is needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the worker."""
        self.stop()

    def environment(self) -> dict[str, Any]:
        """What the worker runs on and how it is confined, as it said when it started."""
        return self._running().environment

    def ask(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        """The answer to a request. Raises ``WorkerLost`` after ``timeout`` seconds, or when the worker ends."""
        worker = self._running()
        try:
            return worker.ask(request, timeout)
        except WorkerLost:
            self.stop()
            raise

    def stop(self) -> None:
        """End the worker, if there is one."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _running(self) -> _Worker:
        if self._worker is None:
            self._worker = _Worker(self.command, self.memory)
        return self._worker


def worker_command() -> tuple[str, ...]:
    """How to start the worker: Python in isolated mode, which reads no environment variable and no file of the cwd.

    It is told where klint is, and where the user's own site-packages are if this process uses them.
    """
    paths = [str(Path(__file__).resolve().parents[2])]
    if site.ENABLE_USER_SITE:
        paths.append(site.getusersitepackages())
    return (sys.executable, "-I", "-B", "-c", _BOOT, *paths)


class _Worker:
    """One process, in a session and a temporary directory of its own."""

    def __init__(self, command: Sequence[str], memory: int) -> None:
        self.home = tempfile.TemporaryDirectory(prefix="klint-verify-", ignore_cleanup_errors=True)
        self.answers: queue.Queue[str | None] = queue.Queue()
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            cwd=self.home.name,
            env=_clean_environment(self.home.name),
            start_new_session=True,
            text=True,
            encoding="utf-8",
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.environment = self._greet(memory)

    def _greet(self, memory: int) -> dict[str, Any]:
        try:
            environment = self.ask({"memory": memory}, _START_SECONDS)
        except WorkerLost as error:
            self.stderr.seek(0)
            lines = self.stderr.read().decode(errors="replace").strip().splitlines()
            self.stop()
            raise VerifyError(f"the worker does not start: {lines[-1] if lines else error}") from error
        if "missing" in environment:
            self.stop()
            raise VerifyError(f"torch cannot be imported ({environment['missing']}): pip install klint[verify]")
        return environment

    def ask(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.answers.get(timeout=timeout)
        except queue.Empty:
            raise WorkerLost(f"it took longer than {timeout:.3g} s") from None
        except OSError:
            line = None
        if line is None:
            raise WorkerLost(f"the worker process {_how_it_ended(self.process.wait())}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """End the process and all that it started, and remove its directory."""
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        self.stderr.close()
        self.home.cleanup()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.answers.put(line)
        self.answers.put(None)


def _clean_environment(home: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {
        **kept,
        "PATH": os.defpath,
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }


def _how_it_ended(status: int) -> str:
    if status < 0:
        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"was killed by signal {-status}"
    return f"ended with status {status}"
