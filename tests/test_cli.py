from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import klint as klint_module
from klint.rules.engine import diagnose
from klint.verify import Result, SiteResult, SiteVerdict, Verdict, VerifyError, VerifyReport

SWAPPED = """\
import torch.nn.functional as F


def loss(x, y):
    return F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")
"""
CLEAN = SWAPPED.replace("F.softmax(x", "F.log_softmax(x")
MEAN = CLEAN.replace('"sum"', '"mean"')


def write(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.py").write_text(text, encoding="utf-8")


class TestCheck:
    def test_findings_go_to_stdout_and_exit_with_1(self, klint):
        write(a=SWAPPED)
        outcome = klint("check", "a.py", "--output-format", "concise")
        assert outcome.places == ["a.py:5:12: KL101"]
        assert outcome.status == 1

    def test_loss_sites_are_counted_on_stderr(self, klint):
        write(a=SWAPPED)
        assert klint("check", "a.py").err.splitlines()[-1] == "1 loss site: 1 understood, 0 unknown"

    def test_quiet_says_nothing_but_findings(self, klint):
        write(a=CLEAN)
        assert klint("check", "-q") == klint("check", "--quiet")
        assert (klint("check", "-q").out, klint("check", "-q").err) == ("", "")

    def test_verbose_says_how_many_files_were_read(self, klint):
        write(a="x = 1\n", b="y = 2\n")
        assert klint("check", "-v").err == "2 files read\n"

    def test_code_without_torch_is_silent(self, klint):
        write(a="def kl_div(p, q):\n    return p - q\n\n\nprint(kl_div(1, 2))\n")
        outcome = klint("check", ".")
        assert (outcome.status, outcome.out, outcome.err) == (0, "", "")

    def test_the_working_directory_is_the_default(self, klint):
        write(a=SWAPPED)
        assert klint("check").status == 1

    def test_a_syntax_error_beside_a_loss_is_one_line_and_others_are_linted(self, klint):
        write(a=SWAPPED, b="def kl_div(:\n")
        outcome = klint("check", ".", "--output-format", "concise", "-q")
        assert outcome.status == 2
        assert outcome.places == ["a.py:5:12: KL101"]
        assert outcome.err.startswith("b.py:1:")
        assert outcome.err.count("\n") == 1

    def test_a_file_that_names_no_loss_is_not_parsed(self, klint):
        write(a="def f(:\n")
        outcome = klint("check", "-v")
        assert (outcome.status, outcome.out, outcome.err) == (0, "", "1 file read\n")

    def test_a_missing_file_is_one_line(self, klint):
        write(a=CLEAN)
        outcome = klint("check", "missing.py", "a.py", "-q")
        assert (outcome.status, outcome.err) == (2, "missing.py: no such file or directory\n")

    def test_an_internal_error_names_the_file_and_spares_the_others(self, klint, monkeypatch):
        def fails_for_a(unit, *options):
            if unit.filename == "a.py":
                raise KeyError("oh\nno")
            return diagnose(unit, *options)

        monkeypatch.setattr("klint.rules.engine.diagnose", fails_for_a)
        write(a=CLEAN, b=SWAPPED)
        outcome = klint("check", "--output-format", "concise", "-q")
        assert outcome.status == 2
        assert outcome.places == ["b.py:5:12: KL101"]
        assert outcome.err.startswith("a.py: internal error at test_cli.py:")
        assert "please report" in outcome.err
        assert outcome.err.count("\n") == 1

    @pytest.mark.parametrize(
        ("options", "codes"),
        [
            pytest.param((), {"KL101", "KL201"}, id="default"),
            pytest.param(("--select", "KL101"), {"KL101"}, id="select one"),
            pytest.param(("--select", "KL2"), {"KL201"}, id="select a block"),
            pytest.param(("--select", "KL101, KL201"), {"KL101", "KL201"}, id="select a list"),
            pytest.param(("--select", "KL1", "--select", "KL2"), {"KL101", "KL201"}, id="select twice"),
            pytest.param(("--ignore", "KL1"), {"KL201"}, id="ignore a block"),
            pytest.param(
                ("--select", "KL1", "--extend-select", "KL201"), {"KL101", "KL201"}, id="extend the selection"
            ),
            pytest.param(("--select", "KL101", "--ignore", "KL1"), {"KL101"}, id="the longer prefix wins"),
            pytest.param(("--select", "KL1", "--ignore", "KL1"), set(), id="ignore wins a tie"),
        ],
    )
    def test_selection(self, klint, options, codes):
        write(a=SWAPPED, b=MEAN)
        found = json.loads(klint("check", *options, "--output-format", "json").out)
        assert {finding["code"] for finding in found} == codes

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            pytest.param(
                ("--select", "KL101X"), "--select: there is no rule 'KL101X'; did you mean 'KL101'?", id="code"
            ),
            pytest.param(("--ignore", "kl101"), "--ignore: there is no rule 'kl101'; did you mean 'KL101'?", id="case"),
            pytest.param(
                ("--extend-select", "kl-mean-reductoin"),
                "--extend-select: there is no rule 'kl-mean-reductoin'; did you mean 'KL201'?",
                id="name",
            ),
            pytest.param(("--select", "E501"), "--select: there is no rule 'E501'", id="foreign"),
        ],
    )
    def test_an_unknown_code_is_a_usage_error(self, klint, options, error):
        outcome = klint("check", *options)
        assert (outcome.status, outcome.err) == (2, f"klint: {error}\n")

    def test_an_unknown_option_is_a_usage_error(self, klint):
        outcome = klint("check", "--no-such-option")
        assert outcome.status == 2
        assert "--no-such-option" in outcome.err

    def test_exit_zero(self, klint):
        write(a=SWAPPED)
        assert klint("check", "--exit-zero").status == 0

    def test_exit_zero_does_not_hide_errors(self, klint):
        write(a="def kl_div(:\n")
        assert klint("check", "--exit-zero").status == 2

    def test_statistics_count_the_findings_of_each_rule(self, klint):
        write(a=SWAPPED, b=MEAN, c=MEAN)
        assert klint("check", "--statistics").out == "2\tKL201\tkl-mean-reduction\n1\tKL101\tkl-input-probabilities\n"

    def test_output_file(self, klint):
        write(a=SWAPPED)
        outcome = klint("check", "--output-format", "json", "--output-file", "report.json")
        assert (outcome.status, outcome.out) == (1, "")
        assert json.loads(Path("report.json").read_text("utf-8"))[0]["code"] == "KL101"

    def test_the_directory_of_the_output_file_is_made(self, klint):
        write(a=SWAPPED)
        klint("check", "--output-format", "concise", "--output-file", "reports/klint/all.txt")
        assert Path("reports/klint/all.txt").read_text("utf-8").startswith("a.py:5:12: KL101 ")

    def test_an_output_file_that_cannot_be_written_is_one_line(self, klint):
        write(a=CLEAN)
        outcome = klint("check", "--output-file", "a.py/report")
        assert outcome.status == 2
        assert re.fullmatch(r"klint: a\.py/report: cannot be written: .+\n", outcome.err)

    def test_stdin(self, klint):
        outcome = klint("check", "-", "--output-format", "concise", stdin=SWAPPED.encode())
        assert (outcome.places, outcome.status) == (["-:5:12: KL101"], 1)

    def test_stdin_filename(self, klint):
        options = ("--output-format", "concise", "--stdin-filename", "./sub/../a.py")
        assert klint("check", "-", *options, stdin=SWAPPED.encode()).places == ["a.py:5:12: KL101"]

    def test_stdin_that_is_no_text_is_one_line(self, klint):
        outcome = klint("check", "-", stdin=b"\n\nx = '\xff'\n")
        assert outcome.status == 2
        assert outcome.err.startswith("-:3:6: is not valid utf-8")

    def test_excluded_files_are_success_for_pre_commit(self, klint):
        Path("build").mkdir()
        Path("build/a.py").write_text(SWAPPED)
        assert klint("check", "--force-exclude", "build/a.py").status == 0
        assert klint("check", "build/a.py").status == 1

    def test_output_does_not_depend_on_how_a_path_is_spelled(self, klint, tmp_path):
        write(a=SWAPPED)
        spellings = [("a.py",), ("./a.py",), (str(tmp_path / "a.py"),), (".",), ("a.py", ".", "./a.py")]
        assert len({klint("check", *paths) for paths in spellings}) == 1


class TestTerminal:
    """Colour, progress and completion."""

    @pytest.mark.parametrize(
        ("variables", "coloured"),
        [
            pytest.param({}, False, id="no terminal"),
            pytest.param({"FORCE_COLOR": "1"}, True, id="FORCE_COLOR"),
            pytest.param({"FORCE_COLOR": ""}, False, id="FORCE_COLOR that is empty"),
            pytest.param({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, id="NO_COLOR wins"),
        ],
    )
    @pytest.mark.parametrize("command", [("check", "a.py"), ("rule", "KL101")], ids=["check", "rule"])
    def test_colour(self, klint, monkeypatch, variables, coloured, command):
        write(a=SWAPPED)
        for name in ("FORCE_COLOR", "NO_COLOR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"TERM": "xterm", **variables}.items():
            monkeypatch.setenv(name, value)
        assert ("\x1b[" in klint(*command).out) is coloured

    @pytest.mark.parametrize(("option", "watched"), [("-v", True), ("-q", False)])
    def test_progress_is_watched_unless_quiet(self, klint, monkeypatch, option, watched):
        seen = []
        monkeypatch.setattr("klint.output.progress.track", lambda files: seen.extend(files) or files)
        write(a=SWAPPED)
        assert klint("check", option).status == 1
        assert bool(seen) is watched

    @pytest.mark.parametrize(
        ("typed", "offered"),
        [
            pytest.param("klint ch", "check", id="commands"),
            pytest.param("klint check --ext", "--extend-select", id="options"),
            pytest.param("klint check --output-format js", "json-lines", id="choices"),
            pytest.param("klint check --select KL20", "KL202", id="codes"),
            pytest.param("klint check --select KL101,kl20", "KL101,KL202", id="codes of a list"),
            pytest.param("klint rule KL20", "KL202", id="a rule"),
        ],
    )
    def test_shells_complete(self, typed, offered):
        words = {"COMP_WORDS": typed, "COMP_CWORD": typed.split()[-1], "_KLINT_COMPLETE": "fish_complete"}
        run = [sys.executable, "-m", "klint"]
        result = subprocess.run(run, capture_output=True, text=True, check=False, env={**os.environ, **words})
        assert re.search(rf"^plain,{offered}\b", result.stdout, re.MULTILINE)

    def test_the_script_of_a_shell_names_the_command(self):
        environment = {**os.environ, "_KLINT_COMPLETE": "zsh_source"}
        run = [sys.executable, "-m", "klint"]
        result = subprocess.run(run, capture_output=True, text=True, check=False, env=environment)
        assert result.stdout.startswith("#compdef klint")


class TestFix:
    LOG = SWAPPED.replace("F.softmax(x, dim=1)", "F.softmax(x, dim=1).log()")

    def test_fixes_what_is_safe_and_lists_the_rest(self, klint):
        write(a=self.LOG, b=SWAPPED)
        outcome = klint("check", "--fix", "--output-format", "concise")
        assert outcome.status == 1
        assert outcome.places == ["b.py:5:12: KL101"]
        assert outcome.err.splitlines()[:2] == ["Fixed 1 error", "1 more fixable with --unsafe-fixes"]
        assert Path("a.py").read_text("utf-8") == CLEAN
        assert Path("b.py").read_text("utf-8") == SWAPPED

    def test_unsafe_fixes(self, klint):
        write(a=self.LOG, b=SWAPPED)
        outcome = klint("check", "--fix", "--unsafe-fixes")
        assert (outcome.status, outcome.out) == (0, "")
        assert outcome.err.splitlines()[0] == "Fixed 2 errors"
        assert Path("b.py").read_text("utf-8") == CLEAN

    @pytest.mark.parametrize(
        ("sources", "said"),
        [
            pytest.param({"a": LOG, "b": SWAPPED}, "1 fixable with --fix, 1 more with --unsafe-fixes", id="both"),
            pytest.param({"a": LOG}, "1 fixable with --fix", id="safe"),
            pytest.param({"b": SWAPPED}, "1 fixable with --fix --unsafe-fixes", id="unsafe"),
        ],
    )
    def test_without_it_the_summary_says_what_is_fixable(self, klint, sources, said):
        write(**sources)
        assert klint("check").err.splitlines()[0] == said
        assert klint("check", "-q").err == ""

    def test_diff_shows_and_changes_nothing(self, klint):
        write(a=self.LOG)
        outcome = klint("check", "--diff")
        assert outcome.status == 1
        assert outcome.out.splitlines()[:2] == ["--- a.py", "+++ a.py"]
        assert outcome.err == "Would fix 1 error\n"
        assert Path("a.py").read_text("utf-8") == self.LOG

    def test_no_diff_is_success(self, klint):
        write(a=SWAPPED)
        assert klint("check", "--diff") == klint("check", "-q", "--diff")
        assert (klint("check", "--diff").status, klint("check", "--diff").out) == (0, "")

    def test_standard_input_goes_to_standard_output(self, klint):
        source = (self.LOG + SWAPPED.partition("\n\n\n")[2]).replace("\n", "\r\n")
        outcome = klint("check", "--fix", "-", "--output-format", "concise", stdin=source.encode())
        assert outcome.status == 1
        assert outcome.out == source.replace("F.softmax(x, dim=1).log()", "F.log_softmax(x, dim=1)")
        assert outcome.err.startswith("-:7:12: KL101")

    def test_standard_input_that_is_excluded_passes_through(self, klint):
        options = ("--fix", "-", "--stdin-filename", "a.py", "--exclude", "a.py", "--force-exclude")
        outcome = klint("check", *options, stdin=self.LOG.encode())
        assert (outcome.status, outcome.out) == (0, self.LOG)

    def test_standard_input_beside_files_is_a_usage_error(self, klint):
        outcome = klint("check", "--fix", "-", "a.py")
        assert (outcome.status, outcome.err) == (2, "klint: standard input is fixed alone, without files beside it\n")

    def test_files_that_do_not_parse_are_left_alone(self, klint):
        write(a=self.LOG + "def f(:\n")
        outcome = klint("check", "--fix", "-q")
        assert outcome.status == 2
        assert Path("a.py").read_text("utf-8") == self.LOG + "def f(:\n"


class TestTrouble:
    """What happens to a run as a whole."""

    @pytest.mark.parametrize(
        ("error", "status", "said"),
        [
            pytest.param(KeyboardInterrupt(), 130, "", id="Ctrl-C"),
            pytest.param(RuntimeError("oh\nno"), 2, "klint: internal error at test_cli.py:", id="bug"),
        ],
    )
    def test_is_no_traceback(self, klint, monkeypatch, error, status, said):
        def lint_paths(*_):
            raise error

        monkeypatch.setattr("klint.linter.lint_paths", lint_paths)
        outcome = klint("check")
        assert (outcome.status, outcome.out) == (status, "")
        assert outcome.err.strip().startswith(said)
        assert outcome.err.count("\n") == 1


class TestRule:
    def test_lists_the_rules(self, klint):
        outcome = klint("rule")
        assert outcome.status == 0
        assert "KL202  kl-batchmean-unbatched" in outcome.out

    @pytest.mark.parametrize("name", ["KL202", "kl202", "kl-batchmean-unbatched"])
    def test_shows_a_page(self, klint, name):
        outcome = klint("rule", name)
        assert outcome.out.startswith("# KL202 kl-batchmean-unbatched\n")
        assert "## Use instead" in outcome.out

    def test_shows_all_pages(self, klint):
        out = klint("rule", "--all").out
        assert all(f"# {code} " in out for code in ("KL101", "KL202", "KL301"))

    def test_json(self, klint):
        page = json.loads(klint("rule", "KL202", "--output-format", "json").out)
        assert (page["code"], page["name"]) == ("KL202", "kl-batchmean-unbatched")
        assert {page["code"] for page in json.loads(klint("rule", "--output-format", "json").out)} >= {"KL101", "KL202"}

    def test_an_unknown_rule_is_one_line(self, klint):
        outcome = klint("rule", "KL2O2")
        assert (outcome.status, outcome.err) == (2, "klint: rule: there is no rule 'KL2O2'; did you mean 'KL202'?\n")


class TestVerify:
    def test_confirms_in_a_process_of_its_own(self, klint):
        write(a=SWAPPED)
        outcome = klint("verify", "a.py", "--output-format", "json", "--device", "cpu")
        assert outcome.status == 1
        assert [finding["verdict"] for finding in json.loads(outcome.out)["findings"]] == ["confirmed"]

    def test_nothing_to_verify_is_success(self, klint):
        write(a=CLEAN)
        assert klint("verify", "a.py").status == 0

    @pytest.mark.parametrize(
        ("verdict", "options", "status"),
        [
            pytest.param("confirmed", (), 1, id="confirmed"),
            pytest.param("refuted", (), 0, id="refuted"),
            pytest.param("inconclusive", (), 0, id="inconclusive"),
            pytest.param("inconclusive", ("--strict",), 1, id="inconclusive, strictly"),
        ],
    )
    def test_exit_status(self, klint, monkeypatch, verdict, options, status):
        (finding,) = klint_module.lint_source(SWAPPED).findings
        report = VerifyReport((Result(finding, Verdict(verdict), "for a reason"),))
        monkeypatch.setattr("klint.verify.verify_paths", lambda *_: report)
        outcome = klint("verify", *options)
        assert outcome.status == status
        assert verdict in outcome.out

    @pytest.mark.parametrize(
        ("verdict", "codes", "status"),
        [
            pytest.param("agrees", (), 0, id="right"),
            pytest.param("deviates", ("KL101",), 0, id="wrong, and a finding says so"),
            pytest.param("deviates", (), 1, id="wrong without a finding"),
            pytest.param("undecided", (), 0, id="undecided"),
        ],
    )
    def test_exit_status_of_all_sites(self, klint, monkeypatch, verdict, codes, status):
        place = klint_module.lint_source(SWAPPED).findings[0].location
        site = SiteResult(place, "kl_div", SiteVerdict(verdict), "for a reason", codes)
        monkeypatch.setattr("klint.verify.verify_paths", lambda *_: VerifyReport(sites=(site,)))
        assert klint("verify", "--all-sites").status == status

    def test_options_and_selection_are_passed_on(self, klint, monkeypatch):
        passed = []
        monkeypatch.setattr("klint.verify.verify_paths", lambda *args: passed.extend(args) or VerifyReport())
        klint("verify", "a.py", "--seed", "7", "--timeout", "2.5", "--select", "KL2")
        paths, options, settings, *_ = passed
        assert (*paths, options.seed, options.timeout, settings.here.select) == ("a.py", 7, 2.5, ("KL2",))

    def test_what_cannot_be_done_is_one_line(self, klint, monkeypatch):
        def verify_paths(*_):
            raise VerifyError("torch is missing")

        monkeypatch.setattr("klint.verify.verify_paths", verify_paths)
        outcome = klint("verify")
        assert (outcome.status, outcome.err) == (2, "klint: torch is missing\n")

    def test_files_that_cannot_be_linted_are_errors(self, klint):
        write(a="def kl_div(:\n")
        outcome = klint("verify", "a.py")
        assert outcome.status == 2
        assert outcome.err.startswith("a.py:1:")


class TestProcess:
    """What only a process of its own can show."""

    def run(self, *args: str, **options) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *args], capture_output=True, text=True, check=False, **options)

    def test_check_never_imports_torch(self, tmp_path):
        (tmp_path / "a.py").write_text(SWAPPED)
        result = self.run("-X", "importtime", "-m", "klint", "check", "a.py", cwd=tmp_path)
        modules = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
        assert result.returncode == 1
        assert "klint.linter" in modules
        assert not modules & {"torch", "flake8", "rich"}

    @pytest.mark.parametrize("option", ["--no-cache", "--cache-dir=kept"], ids=["without a cache", "with a cache"])
    def test_a_file_without_losses_costs_no_more_than_reading_it(self, tmp_path, option):
        (tmp_path / "a.py").write_text("import torch\n")
        for _ in range(2):
            result = self.run("-X", "importtime", "-m", "klint", "check", option, "a.py", cwd=tmp_path)
            modules = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
            engine = {name for name in modules if name.startswith(("klint.rules", "klint.graph", "klint.torch_model."))}
            assert (result.returncode, result.stdout) == (0, "")
            assert "klint.linter" in modules
            assert engine <= {"klint.torch_model.losses"}
            assert not modules & {"click", "concurrent.futures", "multiprocessing", "klint.finding", "tomllib"}

    def test_importing_klint_is_light(self):
        code = "import sys, klint; print(*{'torch', 'flake8', 'rich', 'libcst', 'click', 'klint.linter'} & set(sys.modules))"
        assert self.run("-c", code).stdout == "\n"

    def test_output_does_not_depend_on_the_hash_seed(self, tmp_path):
        (tmp_path / "a.py").write_text(SWAPPED)
        (tmp_path / "b.py").write_text(MEAN)
        runs = [
            self.run("-m", "klint", "check", cwd=tmp_path, env={"PYTHONHASHSEED": seed, "PATH": ""}) for seed in "01"
        ]
        assert runs[0].returncode == 1
        assert runs[0].stdout == runs[1].stdout

    def test_a_reader_of_errors_that_goes_away_is_no_error_either(self, tmp_path):
        command = [sys.executable, "-m", "klint", "check", "missing.py"]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stderr.close()
        assert process.stdout.read() == ""
        assert process.wait() == 2

    def test_a_reader_that_goes_away_is_no_error(self, tmp_path):
        (tmp_path / "a.py").write_text(SWAPPED)
        process = subprocess.Popen(
            [sys.executable, "-m", "klint", "check", "-q"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 1
