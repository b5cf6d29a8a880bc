"""The worker process: it confines itself, imports torch once, and answers jobs until its input ends.

One JSON object a line comes in on stdin and one goes out on what was stdout; whatever else is printed goes to stderr.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import platform
import sys
import warnings
from importlib import import_module
from typing import IO, Any

resource: Any = import_module("resource") if os.name == "posix" else None

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
_FILE_BYTES = 2**20
_OPEN_FILES = 256
_CPU_GRACE = 5


def main() -> None:
    """Say what there is and how this process is confined, then answer one job after another."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    requests = sys.stdin
    settings = json.loads(requests.readline())
    network = leave_network()  # before torch, which starts threads: a process with threads cannot change its namespace
    die_with_parent()
    try:
        environment = import_torch()
    except ImportError as error:
        _say(answers, {"missing": str(error)})
        return
    environment["network"] = network
    environment.update(limit_resources(settings["memory"], gpu=bool(environment["cuda"])))
    _say(answers, environment)
    for line in requests:
        _say(answers, answer(json.loads(line)))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The measurement of a job, or ``{"problem": why}``."""
    from klint.verify.measure import MeasureError, measure
    from klint.verify.protocol import Job

    allow_cpu_seconds(request["timeout"])
    try:
        return measure(Job.from_json(request["job"])).to_json()
    except MeasureError as error:
        return {"problem": str(error)}
    except MemoryError:
        return {"problem": "it needs more memory than the worker may use"}
    except Exception as error:  # a defect of klint's own costs this finding, not the run
        return {"problem": f"internal error: {type(error).__name__}: {error}"}


def import_torch() -> dict[str, Any]:
    """Import torch, quiet and on one thread, and run every engine once, so that later limits do not stop their start."""
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    cuda = torch.cuda.is_available()
    for device in ("cpu", "cuda") if cuda else ("cpu",):
        torch.ones(1, device=device, requires_grad=True).sum().backward()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.cuda.get_device_name() if cuda else None,
    }


def leave_network() -> str:
    """Move into a network namespace without any interface, where the kernel allows it; what came of it, in words."""
    if not sys.platform.startswith("linux"):
        return "not isolated: this system has no network namespaces"
    libc = ctypes.CDLL(None, use_errno=True)
    for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET):
        if libc.unshare(flags) == 0:
            return "none: the worker has a namespace without interfaces"
    return f"not isolated: the kernel refused a namespace ({os.strerror(ctypes.get_errno())})"


def die_with_parent() -> None:
    """Where Linux offers it, have the kernel end this process when its parent ends."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def limit_resources(memory: int, gpu: bool) -> dict[str, str]:
    """Limit memory (bytes beyond what torch itself takes), file sizes, open files and processes; which limits hold."""
    if resource is None:
        return {"memory": "not limited", "files": "not limited", "processes": "not limited"}
    # A GPU's driver reserves address space far beyond the memory it uses: limit only what can be written there.
    kind, held = (resource.RLIMIT_DATA, _pages(5)) if gpu else (resource.RLIMIT_AS, _pages(0))
    limits = {
        "memory": f"{memory / 2**30:g} GiB" if _limit(kind, held + memory) else "not limited",
        "files": f"{_FILE_BYTES / 2**20:g} MiB each" if _limit(resource.RLIMIT_FSIZE, _FILE_BYTES) else "not limited",
    }
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    limits["processes"] = "not limited (the kernel exempts root)" if can_fork() else "none may be started"
    return limits


def allow_cpu_seconds(seconds: float) -> None:
    """Let the kernel end this process if a job takes much more than its time; the parent's clock usually is first."""
    if resource is not None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        used = usage.ru_utime + usage.ru_stime
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        soft = math.ceil(used + seconds) + _CPU_GRACE
        if hard == resource.RLIM_INFINITY or soft < hard:
            resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def can_fork() -> bool:
    """Whether a process can still be started."""
    try:
        child = os.fork()
    except OSError:
        return False
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def _limit(kind: int, value: int) -> bool:
    try:
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    except (OSError, ValueError):
        return False
    return True


def _pages(column: int) -> int:
    """Bytes of memory as /proc/self/statm counts them: column 0 is the address space, 5 the writable data."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[column]) * int(resource.getpagesize())
    except OSError:
        return 0


def _say(answers: IO[str], message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()
