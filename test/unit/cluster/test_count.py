"""The closing line of ./arena test: nothing that failed may be counted as passed."""

from __future__ import annotations

import pathlib
import sys

import count
import pytest

CASES = """<testsuites><testsuite>
<testcase classname="a" name="one"/><testcase classname="a" name="two"/>
<testcase classname="a" name="three"><skipped/></testcase>{more}
</testsuite></testsuites>"""
BAD = '<testcase classname="a" name="four"><failure message="no"/></testcase>'


def counted(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["count.py", str(folder)])
    code = count.main()
    return code, capsys.readouterr().out


@pytest.mark.parametrize(
    ("stages", "xml", "code", "line"),
    [
        ("build passed\nunit passed\n", CASES.format(more=""), 0, "3 passed, 0 failed"),
        ("unit failed\n", CASES.format(more=BAD), 1, "2 passed, 1 failed"),
        ("unit failed\n", CASES.format(more=""), 1, "2 passed, 1 failed"),
        ("unit failed\n", "<testsuites>", 1, "0 passed, 1 failed"),
        ("unit failed\n", None, 1, "0 passed, 1 failed"),
        ("lint passed\n", None, 0, "1 passed, 0 failed"),
        ("", None, 1, "0 passed, 0 failed"),
    ],
)
def test_the_closing_line(tmp_path, capsys, monkeypatch, stages, xml, code, line) -> None:
    (tmp_path / "stages").write_text(stages)
    if xml is not None:
        (tmp_path / "unit.xml").write_text(xml)
    got, out = counted(tmp_path, capsys, monkeypatch)
    assert (got, out.splitlines()[-1]) == (code, line)


def test_what_failed_is_named(tmp_path, capsys, monkeypatch) -> None:
    (tmp_path / "stages").write_text("unit failed\nlint failed\n")
    (tmp_path / "unit.xml").write_text(CASES.format(more=BAD))
    out = counted(tmp_path, capsys, monkeypatch)[1]
    assert "failed: unit: a four" in out
    assert "failed: stage lint" in out
    assert "skipped: 1" in out


def test_no_stages_at_all_is_a_failure(tmp_path, capsys, monkeypatch) -> None:
    assert counted(tmp_path, capsys, monkeypatch) == (1, "0 passed, 0 failed\n")
