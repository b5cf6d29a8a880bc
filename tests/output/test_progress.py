from __future__ import annotations

import io

from klint.output.progress import track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_long_run_shows_how_far_it_is():
    stream = Terminal()
    assert list(track("abc", stream, delay=0)) == ["a", "b", "c"]
    assert "Linting" in stream.getvalue()
    assert "0/3" in stream.getvalue()


def test_a_short_run_shows_nothing():
    stream = Terminal()
    assert list(track("abc", stream, delay=3600)) == ["a", "b", "c"]
    assert stream.getvalue() == ""


def test_where_nobody_watches_there_is_nothing():
    stream = io.StringIO()
    assert list(track("abc", stream, delay=0)) == ["a", "b", "c"]
    assert stream.getvalue() == ""


def test_nothing_to_do_is_nothing_to_show():
    stream = Terminal()
    assert list(track([], stream, delay=0)) == []
    assert stream.getvalue() == ""
