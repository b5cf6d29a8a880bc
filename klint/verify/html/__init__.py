"""What verify found out as one page that stands alone: no network, no scripts, right in light and in dark.

Everything that comes from the source is escaped, and the page's own policy forbids it to load or run anything.
"""

from __future__ import annotations

from importlib.util import find_spec

from klint.verify.errors import VerifyError
from klint.verify.results import VerifyReport

CLASSES = (2, 10, 100, 1000)
"""The class counts that a page replays unless others are asked for: enough to see how a gap grows."""

_NEEDS = ("jinja2", "matplotlib", "pygments")


def require_extra() -> None:
    """Raise ``VerifyError`` where the libraries that a page is made with are missing."""
    missing = [name for name in _NEEDS if find_spec(name) is None]
    if missing:
        raise VerifyError(f"a page needs {' and '.join(missing)}, missing here: pip install 'klint[report]'")


def render_html(report: VerifyReport) -> str:
    """The report as a page. Raises ``VerifyError`` where the extra ``report`` is not installed."""
    require_extra()
    from klint.verify.html.page import render

    return render(report)
