"""Configuration as users meet it: pyproject.toml files in a tree, and what ``klint check`` makes of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from klint.keys import KEYS
from klint.verify import VerifyReport

SWAPPED = """\
import torch.nn.functional as F


def loss(x, y):
    return F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")
"""
MEAN = SWAPPED.replace("F.softmax(x", "F.log_softmax(x").replace('"sum"', '"mean"')
LIKELY = """\
import torch.nn.functional as F


def loss(logits, y):
    return F.kl_div(logits, F.softmax(y, dim=1), reduction="sum")
"""
DOCS = Path(__file__).parents[1] / "docs" / "configuration.md"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: str, text: str = SWAPPED) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


def configure(table: str, path: str = "pyproject.toml") -> None:
    write(path, f"[tool.klint]\n{table}\n")


def found(klint, *args: str, **options) -> list[tuple[str, str]]:
    """The file and the code of each finding."""
    outcome = klint("check", "--output-format", "json", *args, **options)
    assert outcome.status in (0, 1), outcome.err
    return [(Path(finding["filename"]).as_posix(), finding["code"]) for finding in json.loads(outcome.out)]


class TestSearch:
    def test_a_file_above_the_working_directory_holds(self, klint, monkeypatch):
        configure('ignore = ["KL101"]')
        write("deep/down/a.py")
        monkeypatch.chdir("deep")
        assert found(klint) == []

    def test_the_nearest_file_wins_whole(self, klint):
        configure('ignore = ["KL101"]')
        configure('select = ["KL101", "KL201"]', "inner/pyproject.toml")
        write("a.py", SWAPPED)
        write("inner/b.py", SWAPPED)
        assert found(klint) == [("inner/b.py", "KL101")]

    def test_it_is_sought_from_each_file_not_from_where_klint_runs(self, klint, tmp_path, monkeypatch):
        configure('ignore = ["KL101"]', "project/pyproject.toml")
        write("project/a.py")
        write("elsewhere/b.py")
        monkeypatch.chdir("elsewhere")
        assert found(klint, "../project", ".") == [("b.py", "KL101")]

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param('[project]\nname = "klint-user"\n', id="without a table of klint's"),
            pytest.param("[tool.ruff]\nline-length = 120\n", id="with tables of other tools"),
            pytest.param("[tool.ruff\n", id="broken, and without a word of klint"),
        ],
    )
    def test_files_that_say_nothing_to_klint_are_passed_over(self, klint, text):
        configure('ignore = ["KL101"]')
        write("inner/pyproject.toml", text)
        write("inner/a.py")
        assert found(klint) == []

    def test_standard_input_has_the_settings_of_its_filename(self, klint):
        configure('ignore = ["KL101"]', "inner/pyproject.toml")
        source = SWAPPED.encode()
        assert found(klint, "-", "--stdin-filename", "inner/a.py", stdin=source) == []
        assert found(klint, "-", "--stdin-filename", "a.py", stdin=source) == [("a.py", "KL101")]

    def test_standard_input_without_a_name_has_those_of_the_working_directory(self, klint):
        configure('ignore = ["KL101"]')
        assert found(klint, "-", stdin=SWAPPED.encode()) == []

    @pytest.mark.parametrize("name", ["deep/" * 1500 + "a.py", "a" * 5000 + "/a.py"], ids=["deep", "long"])
    def test_a_filename_of_no_file_is_no_trouble(self, klint, name):
        assert [code for _, code in found(klint, "-", "--stdin-filename", name, stdin=SWAPPED.encode())] == ["KL101"]

    def test_isolated_reads_none(self, klint):
        configure('ignore = ["KL101"]')
        write("a.py")
        assert found(klint, "--isolated") == [("a.py", "KL101")]
        write("pyproject.toml", "[tool.klint\n")
        assert found(klint, "--isolated") == [("a.py", "KL101")]

    def test_a_site_in_another_file_is_judged_by_the_settings_of_that_file(self, klint):
        helper = "import torch.nn.functional as F\n\n\ndef kl(p, q):\n    return F.kl_div(p, q, reduction='sum')\n"
        caller = "import torch.nn.functional as F\nfrom lib.helper import kl\n\n\ndef loss(x, y):\n    return kl(F.softmax(x, 1), F.softmax(y, 1))\n"
        write("lib/__init__.py", "")
        write("lib/helper.py", helper)
        write("a.py", caller)
        assert found(klint) == [("lib/helper.py", "KL101")]
        configure('ignore = ["KL101"]', "lib/pyproject.toml")
        assert found(klint) == []


class TestKeys:
    @pytest.mark.parametrize(
        ("table", "codes"),
        [
            pytest.param('select = ["KL1"]', ["KL101"], id="select"),
            pytest.param('ignore = ["KL101"]', ["KL201"], id="ignore"),
            pytest.param('select = ["KL1"]\nextend-select = ["KL201"]', ["KL101", "KL201"], id="extend-select"),
            pytest.param('per-file-ignores = { "a.py" = ["KL1"] }', ["KL201"], id="per-file-ignores by name"),
            pytest.param('[tool.klint.per-file-ignores]\n"tests/**" = ["KL"]', ["KL101"], id="by directory"),
            pytest.param('[tool.klint.per-file-ignores]\n"!tests/" = ["KL"]', ["KL201"], id="all but a directory"),
            pytest.param('[tool.klint.per-file-ignores]\n"*.py" = ["KL9"]', ["KL101", "KL201"], id="of other codes"),
            pytest.param('exclude = ["tests"]', ["KL101"], id="exclude"),
            pytest.param('extend-exclude = ["a.py"]', ["KL201"], id="extend-exclude"),
            pytest.param('exclude = ["tests"]\nextend-exclude = ["a.py"]', [], id="both"),
        ],
    )
    def test_selection(self, klint, table, codes):
        configure(table)
        write("a.py", SWAPPED)
        write("tests/b.py", MEAN)
        assert [code for _, code in found(klint)] == codes

    def test_patterns_start_from_the_file_that_they_stand_in(self, klint, monkeypatch):
        configure('extend-exclude = ["/old/"]\nper-file-ignores = { "/tests/a.py" = ["KL"] }', "project/pyproject.toml")
        for path in ("project/old/a.py", "project/tests/a.py", "project/deep/old/a.py", "project/deep/tests/a.py"):
            write(path)
        kept = ["deep/old/a.py", "deep/tests/a.py"]
        assert [path for path, _ in found(klint)] == [f"project/{path}" for path in kept]
        monkeypatch.chdir("project/deep")
        assert [path for path, _ in found(klint)] == ["old/a.py", "tests/a.py"]

    def test_exclude_replaces_what_is_left_out_by_default(self, klint):
        write("build/a.py")
        write("tests/a.py")
        assert found(klint) == [("tests/a.py", "KL101")]
        configure('exclude = ["tests"]')
        assert found(klint) == [("build/a.py", "KL101")]

    def test_excluded_files_are_left_out_by_name_too_on_request(self, klint):
        configure('extend-exclude = ["old"]')
        write("old/a.py")
        write("old/pyproject.toml", '[tool.klint]\nselect = ["KL"]\n')
        assert found(klint, "old/a.py") == [("old/a.py", "KL101")]
        assert found(klint, "old/a.py", "--force-exclude") == []

    def test_min_confidence(self, klint):
        write("a.py", LIKELY)
        assert [code for _, code in found(klint)] == ["KL102"]
        configure('min-confidence = "proven"')
        assert found(klint) == []
        assert [code for _, code in found(klint, "--min-confidence", "likely")] == ["KL102"]

    def test_output_format_is_that_of_the_working_directory(self, klint):
        configure('output-format = "concise"')
        configure('output-format = "json"', "inner/pyproject.toml")
        write("inner/a.py")
        assert klint("check").places == ["inner/a.py:5:12: KL101"]
        assert json.loads(klint("check", "--output-format", "json").out)[0]["code"] == "KL101"

    def test_src_says_where_imports_lead(self, klint):
        write("python/helper.py", "import torch.nn.functional as F\n\n\ndef soft(x):\n    return F.softmax(x, dim=1)\n")
        write(
            "scripts/a.py",
            SWAPPED.replace("F.softmax(x, dim=1)", "soft(x)").replace("\n\n", "\nfrom helper import soft\n\n", 1),
        )
        assert found(klint) == []
        configure('src = ["python"]')
        assert found(klint) == [("scripts/a.py", "KL101")]
        assert found(klint, "--no-project") == []
        assert "softmax(x" in klint("explain", "scripts/a.py:6").out

    def test_cache_dir_is_taken(self, klint):
        configure('cache-dir = ".cache/klint"')
        write("a.py")
        assert found(klint) == [("a.py", "KL101")]

    def test_verify_options(self, klint, monkeypatch):
        passed = []
        monkeypatch.setattr("klint.verify.verify_paths", lambda *args: passed.extend(args) or VerifyReport())
        table = "device = 'cpu'\ndtype = ['float32']\nclasses = [2, 10]\nbatch = 3\nseed = 5\ntimeout = 7"
        configure(f"[tool.klint.verify]\n{table}")
        klint("verify", "--seed", "6")
        options = passed[1]
        assert (options.device, options.dtypes, options.classes) == ("cpu", ("float32",), (2, 10))
        assert (options.batch, options.seed, options.timeout) == (3, 6, 7.0)


class TestPrecedence:
    """What the command line says, over what the file says."""

    @pytest.mark.parametrize(
        ("table", "options", "codes"),
        [
            pytest.param('select = ["KL1"]', ("--select", "KL2"), ["KL201"], id="select replaces select"),
            pytest.param('ignore = ["KL201"]', ("--select", "KL2"), ["KL201"], id="select ends ignore"),
            pytest.param('select = ["KL1"]', ("--extend-select", "KL2"), ["KL101", "KL201"], id="extend-select adds"),
            pytest.param('ignore = ["KL201"]', ("--extend-select", "KL2"), ["KL101", "KL201"], id="and ends ignore"),
            pytest.param('ignore = ["KL101"]', ("--ignore", "KL2"), [], id="ignore adds"),
            pytest.param('select = ["KL201"]', ("--ignore", "KL2"), [], id="and ends select"),
            pytest.param('exclude = ["a.py"]', ("--exclude", "tests"), ["KL101"], id="exclude replaces exclude"),
            pytest.param('exclude = ["a.py"]', ("--extend-exclude", "tests"), [], id="extend-exclude adds"),
            pytest.param("", ("--config", "select = ['KL2']"), ["KL201"], id="keys beat defaults"),
            pytest.param('select = ["KL1"]', ("--config", "select = ['KL2']"), ["KL201"], id="keys beat the file"),
            pytest.param("", ("--config", "select = ['KL1']", "--select", "KL2"), ["KL201"], id="options beat keys"),
            pytest.param(
                "",
                ("--config", "select=['KL1']", "--config", "ignore=['KL101']"),
                [],
                id="keys come on top of each other",
            ),
            pytest.param('ignore = ["KL1"]', ("--isolated", "--config", "select = ['KL1']"), ["KL101"], id="isolated"),
        ],
    )
    def test_holds(self, klint, table, options, codes):
        configure(table)
        write("a.py", SWAPPED)
        write("tests/b.py", MEAN)
        assert [code for _, code in found(klint, *options)] == codes

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            pytest.param("ci/pyproject.toml", '[tool.klint]\nselect = ["KL2"]\n', id="pyproject.toml"),
            pytest.param("ci.toml", 'select = ["KL2"]\n', id="a file of klint's own"),
            pytest.param("ci.toml", '[tool.klint]\nselect = ["KL2"]\n', id="with the table all the same"),
        ],
    )
    def test_a_file_that_is_named_takes_the_place_of_all(self, klint, name, text):
        configure('ignore = ["KL2"]')
        configure('ignore = ["KL2"]', "tests/pyproject.toml")
        write(name, text)
        write("a.py", SWAPPED)
        write("tests/b.py", MEAN)
        assert found(klint, "--config", name) == [("tests/b.py", "KL201")]

    def test_its_patterns_start_from_the_working_directory(self, klint):
        write("ci/klint.toml", 'extend-exclude = ["/tests/"]\n')
        write("tests/b.py", MEAN)
        assert found(klint, "--config", "ci/klint.toml") == []


class TestErrors:
    """One line that names file and key, status 2, and nothing linted."""

    @pytest.mark.parametrize(
        ("table", "error"),
        [
            pytest.param("selct = []", "tool.klint.selct: there is no such key; did you mean 'select'?", id="key"),
            pytest.param(
                "extend_select = []",
                "tool.klint.extend_select: there is no such key; did you mean 'extend-select'?",
                id="key with an underscore",
            ),
            pytest.param(
                "zzz = 1", f"tool.klint.zzz: there is no such key; the keys are {', '.join(KEYS)}", id="key of nowhere"
            ),
            pytest.param(
                "verify.divice = 'cpu'",
                "tool.klint.verify.divice: there is no such key; did you mean 'device'?",
                id="key of a table",
            ),
            pytest.param(
                'select = "KL2"',
                'tool.klint.select: must be a list of strings, not a string; write ["KL2"]',
                id="string for a list",
            ),
            pytest.param(
                "select = [2]", "tool.klint.select: must be a list of strings, and holds a whole number", id="item"
            ),
            pytest.param("ignore = true", "tool.klint.ignore: must be a list of strings, not a boolean", id="boolean"),
            pytest.param(
                'ignore = ["KL2O2"]', "tool.klint.ignore: there is no rule 'KL2O2'; did you mean 'KL202'?", id="code"
            ),
            pytest.param(
                'per-file-ignores = ["KL2"]',
                "tool.klint.per-file-ignores: must be a table of patterns and codes, not a list",
                id="list for a table",
            ),
            pytest.param(
                'per-file-ignores = { "a.py" = ["KL2O2"] }',
                "tool.klint.per-file-ignores: \"a.py\": there is no rule 'KL2O2'; did you mean 'KL202'?",
                id="code for files",
            ),
            pytest.param(
                'min-confidence = "provn"',
                "tool.klint.min-confidence: 'provn' is none of proven, likely; did you mean 'proven'?",
                id="choice",
            ),
            pytest.param(
                "cache-dir = 1979-05-27", "tool.klint.cache-dir: must be a string, not a date or time", id="date"
            ),
            pytest.param(
                "verify = 1", "tool.klint.verify: must be a table, not a whole number", id="number for a table"
            ),
            pytest.param(
                "verify.dtype = ['float8']",
                "tool.klint.verify.dtype: 'float8' is none of float64, float32, bfloat16, float16;"
                " did you mean 'float64'?",
                id="choice in a list",
            ),
            pytest.param(
                "verify.classes = []",
                "tool.klint.verify.classes: must be a list of whole numbers, not an empty list",
                id="empty list",
            ),
            pytest.param("verify.classes = [1]", "tool.klint.verify.classes: must be 2 or more, not 1", id="too few"),
            pytest.param(
                "verify.batch = 2.5", "tool.klint.verify.batch: must be a whole number, not a number", id="half"
            ),
            pytest.param(
                "verify.seed = true", "tool.klint.verify.seed: must be a whole number, not a boolean", id="true"
            ),
            pytest.param("verify.timeout = 0", "tool.klint.verify.timeout: must be more than 0, not 0", id="no time"),
            pytest.param("verify.timeout = nan", "tool.klint.verify.timeout: must be more than 0, not nan", id="nan"),
        ],
    )
    def test_of_keys_and_values(self, klint, table, error):
        configure(table)
        write("a.py")
        outcome = klint("check")
        assert (outcome.status, outcome.out, outcome.err) == (2, "", f"klint: pyproject.toml: {error}\n")

    @pytest.mark.parametrize(
        ("data", "error"),
        [
            pytest.param(b"[tool.klint]\nselect = [\n", r"pyproject\.toml(:\d+:\d+)?: is not TOML: .+", id="broken"),
            pytest.param(
                b"[tool.klint]\nselect = ?\n", r"pyproject\.toml:2:10: is not TOML: Invalid value", id="where"
            ),
            pytest.param(b"[tool.klint]\n# \xff\n", r"pyproject\.toml:2: is not UTF-8, as TOML must be", id="encoding"),
            pytest.param(
                b"[tool.klint]\nselect = " + b"[" * 100_000, r"pyproject\.toml.*: is n.+", id="nesting without end"
            ),
            pytest.param(
                b"[tool]\nklint = 1\n",
                r"pyproject\.toml: tool\.klint: must be a table, not a whole number",
                id="no table",
            ),
        ],
    )
    def test_of_files(self, klint, data, error):
        Path("pyproject.toml").write_bytes(data)
        write("a.py")
        outcome = klint("check", "a.py")
        assert (outcome.status, outcome.out) == (2, "")
        assert re.fullmatch(f"klint: {error}\n", outcome.err)

    @pytest.mark.parametrize(
        "paths", [(".",), ("inner/a.py",), ("inner",)], ids=["walked", "file named", "directory named"]
    )
    def test_of_a_file_further_down(self, klint, paths):
        configure("selct = []", "inner/pyproject.toml")
        write("inner/a.py")
        outcome = klint("check", *paths)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err.startswith("klint: inner/pyproject.toml: tool.klint.selct: ")

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            pytest.param(
                ("no.toml",), "--config: no.toml: cannot be read: No such file or directory", id="missing file"
            ),
            pytest.param(("a.toml", "b.toml"), "--config: one file at most, not a.toml and b.toml", id="two files"),
            pytest.param(("selct = []",), r"--config: selct: there is no such key; did you mean 'select'\?", id="key"),
            pytest.param(("select = [",), "--config(:1:11)?: is not TOML: .+", id="broken keys"),
            pytest.param(
                ("project/pyproject.toml",), r"project/pyproject\.toml: has no table \[tool\.klint\]", id="no table"
            ),
            pytest.param(("a.toml",), "a.toml: wrong: there is no such key; .+", id="key of a file"),
        ],
    )
    def test_of_the_option(self, klint, options, error):
        write("project/pyproject.toml", "[project]\nname = 'x'\n")
        write("a.toml", "wrong = 1\n")
        outcome = klint("check", *(part for option in options for part in ("--config", option)))
        assert (outcome.status, outcome.out) == (2, "")
        assert re.fullmatch(f"klint: {error}\n", outcome.err)

    @pytest.mark.parametrize("command", ["verify", "explain"])
    def test_are_those_of_other_commands_too(self, klint, command):
        configure("selct = []")
        write("a.py")
        outcome = klint(command, "a.py")
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err.startswith("klint: pyproject.toml: tool.klint.selct: ")

    def test_of_a_file_in_isolation(self, klint):
        outcome = klint("check", "--isolated", "--config", "a.toml")
        assert (outcome.status, outcome.err) == (2, "klint: --config: a.toml is a file, and --isolated reads none\n")

    def test_that_nothing_can_read(self, klint, monkeypatch):
        def read_bytes(path):
            raise PermissionError(13, "Permission denied")

        configure("")
        monkeypatch.setattr(Path, "read_bytes", read_bytes)
        outcome = klint("check", "a.py")
        assert (outcome.status, outcome.err) == (2, "klint: pyproject.toml: cannot be read: Permission denied\n")


class TestDocs:
    """docs/configuration.md says of each key what it is, with an example that holds."""

    SECTIONS = re.findall(r"^### `([^`]+)`\n(.*?)(?=^##|\Z)", DOCS.read_text("utf-8"), re.MULTILINE | re.DOTALL)

    def test_there_is_a_section_for_each_key(self):
        keys = [
            name
            for key, reader in KEYS.items()
            for name in ([f"verify.{each}" for each in reader] if isinstance(reader, dict) else [key])
        ]
        assert [key for key, _ in self.SECTIONS] == keys

    @pytest.mark.parametrize(("key", "text"), SECTIONS, ids=[key for key, _ in SECTIONS])
    def test_each_has_a_type_a_default_and_an_example_that_klint_takes(self, klint, key, text):
        assert re.search(r"^Type: .+\. Default: .+\.$", text, re.MULTILINE)
        (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
        assert key.rpartition(".")[2] in example
        write("pyproject.toml", example)
        write("a.py", "x = 1\n")
        outcome = klint("check")
        assert (outcome.status, outcome.err) == (0, "")

    def test_the_example_of_a_project_holds(self, klint):
        (example, *_) = re.findall(r"```toml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
        write("pyproject.toml", example)
        write("a.py", "x = 1\n")
        assert klint("check").status == 0


def test_no_toml_is_read_where_no_file_is_about_klint(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "a.py").write_text("x = 1\n")
    code = (
        "import sys; from klint.cli import main; main(['check', '-q']); print({'tomllib', 'tomli'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert result.stdout == "set()\n"
