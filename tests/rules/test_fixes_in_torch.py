"""Fixed programs run in torch: what the tensors of their losses still show is no more than what is still found."""

from __future__ import annotations

from textwrap import dedent

import pytest

from klint.fix import fix_source
from tests.codes import findings
from tests.graph.test_idioms import ONE_FILE, see, source

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize(("topic", "idiom"), ONE_FILE.values(), ids=ONE_FILE)
def test_a_fixed_program_shows_no_more_than_what_is_still_found(topic, idiom):
    if "einops" in idiom.wrong:
        pytest.importorskip("einops")
    text = dedent(source(topic, idiom.wrong))
    before = findings(text)
    fixed = fix_source(text, "case.py", unsafe=True)
    assert bool(fixed.fixed) == any(finding.fix for finding in before)
    if fixed.fixed:
        multiplied = {"KL201"} if topic == "divisors" else set()  # which the call alone does not show
        assert see(fixed.after)[0] <= {finding.code for finding in findings(fixed.after)} | multiplied
