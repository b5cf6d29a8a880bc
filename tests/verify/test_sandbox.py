from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from klint.verify.errors import VerifyError
from klint.verify.sandbox import Sandbox, WorkerLost, worker_command

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc and network namespaces")

FAKE = """
import json, os, sys, time
print(json.dumps({"cuda": None}), flush=True) if sys.stdin.readline() else None
for line in sys.stdin:
    request = json.loads(line)
    if "crash" in request:
        os.kill(os.getpid(), request["crash"])
    if "exit" in request:
        sys.exit(request["exit"])
    if "sleep" in request:
        time.sleep(request["sleep"])
    if "print" in request:
        os.write(2, b"noise on stderr" * 100_000)
    print(json.dumps({"pid": os.getpid(), "env": dict(os.environ), "cwd": os.getcwd()}), flush=True)
"""


@pytest.fixture
def fake():
    """A worker that does as it is told, without torch."""
    with Sandbox(command=(sys.executable, "-I", "-c", FAKE)) as sandbox:
        yield sandbox


class TestLosses:
    def test_a_crash_costs_one_request(self, fake):
        before = fake.ask({}, 10)["pid"]
        with pytest.raises(WorkerLost, match="killed by SIGSEGV"):
            fake.ask({"crash": 11}, 10)
        assert fake.ask({}, 10)["pid"] != before

    def test_so_does_an_end(self, fake):
        with pytest.raises(WorkerLost, match="ended with status 3"):
            fake.ask({"exit": 3}, 10)
        assert fake.ask({}, 10)

    def test_so_does_a_request_that_takes_too_long(self, fake):
        started = time.monotonic()
        with pytest.raises(WorkerLost, match=r"took longer than 0\.2 s"):
            fake.ask({"sleep": 60}, 0.2)
        assert time.monotonic() - started < 5
        assert fake.ask({}, 10)

    def test_a_late_answer_is_not_taken_for_the_next_one(self, fake):
        before = fake.ask({}, 10)["pid"]
        with pytest.raises(WorkerLost):
            fake.ask({"sleep": 0.3}, 0.2)
        time.sleep(0.3)
        assert fake.ask({}, 10)["pid"] != before

    def test_noise_on_stderr_is_no_answer(self, fake):
        assert fake.ask({"print": True}, 10)["pid"]


def test_the_process_is_gone_after_the_block(fake):
    pid = fake.ask({}, 10)["pid"]
    fake.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_environment_is_clean_and_the_directory_its_own(fake, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    answer = fake.ask({}, 10)
    assert not {"API_TOKEN", "PYTHONPATH", "USER"} & answer["env"].keys()
    assert Path(answer["cwd"]) != Path.cwd()
    fake.stop()
    assert not Path(answer["cwd"]).exists()


class TestStart:
    def test_a_worker_that_does_not_start_is_one_clear_error(self):
        command = (sys.executable, "-I", "-c", "raise SystemExit('no way')")
        with Sandbox(command=command) as sandbox, pytest.raises(VerifyError, match="does not start: no way"):
            sandbox.environment()

    def test_without_torch_it_says_what_to_install(self):
        hide = "import sys; sys.modules['torch'] = None; "
        command = (*worker_command()[:4], hide + worker_command()[4], *worker_command()[5:])
        with Sandbox(command=command) as sandbox, pytest.raises(VerifyError, match=r"pip install klint\[verify\]"):
            sandbox.environment()


def proc(sandbox: Sandbox, name: str) -> str:
    """What Linux says of the worker process."""
    sandbox.environment()
    assert sandbox._worker is not None
    return Path(f"/proc/{sandbox._worker.process.pid}/{name}").read_text(encoding="ascii")


@LINUX
class TestTheWorker:
    def test_it_says_what_it_runs_on(self, sandbox):
        environment = sandbox.environment()
        assert {"python", "torch", "cuda", "network", "memory", "files", "processes"} <= environment.keys()

    def test_it_has_no_network_where_it_says_so(self, sandbox):
        network = sandbox.environment()["network"]
        devices = proc(sandbox, "net/dev").splitlines()[2:]
        if network.startswith("none"):
            assert [line.split(":")[0].strip() for line in devices] in ([], ["lo"])

    def test_it_may_write_no_large_file(self, sandbox):
        limits = proc(sandbox, "limits")
        assert "Max file size             1048576              1048576" in limits
        assert "Max core file size        0                    0" in limits

    def test_a_request_that_makes_no_sense_is_a_problem_not_a_crash(self, sandbox):
        answer = sandbox.ask({"job": {}, "timeout": 5}, 30)
        assert answer["problem"].startswith("internal error")


def test_the_parent_never_imports_torch():
    code = "import sys, klint.verify, klint.verify.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
