"""Tables on the terminal."""

import io
import sys

import pytest

from vernis.cli import dispatch
from vernis.cli.main import main
from vernis.cli.output import Terminal, cell, print_json, print_table


@pytest.mark.parametrize("n_measures", [3, 7])
def test_headings_of_numbers_break_before_the_names_of_the_rows(capsys, n_measures):
    measures = {f"precision at the true number {i}": 0.5 for i in range(n_measures)}
    rows = [
        {"model": "logistic+knn", "scorer": name, "wrong_images": 12_345, **measures}
        for name in ("normalized_margin", "weighted_entropy")
    ]
    print_table(rows, list(rows[0]))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 140
    for row in rows:
        assert any(
            {"logistic+knn", row["scorer"], "12,345"} <= set(ln.split()) for ln in out.splitlines()
        )
    assert out.count("0.500") == 2 * n_measures


def test_a_title_that_is_longer_than_its_table_stays_on_one_line(capsys):
    print_table(
        [{"class": "fish", "count": 3}], ["class", "count"], title="labels: 637 labelled images"
    )
    assert "labels: 637 labelled images" in capsys.readouterr().out.splitlines()


class Typed(io.StringIO):
    """Standard input at which somebody sits."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "answer"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_only_a_clear_yes_is_one(monkeypatch, capsys, text, answer):
    monkeypatch.setattr("sys.stdin", Typed(text))
    assert Terminal().ask("Go on?") is answer
    assert capsys.readouterr().err == "Go on? [y/N] "


def test_nobody_is_asked_where_there_is_no_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert Terminal().ask("Go on?") is None
    assert capsys.readouterr().err == ""


def test_what_would_move_the_cursor_is_escaped():
    assert cell(["a\nb.jpg", "c\x1b[2J.jpg", "d ü.jpg"]) == r"a\nb.jpg, c\x1b[2J.jpg, d ü.jpg"


def test_outputs_that_are_closed_or_hold_only_ascii_take_everything(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["--help"]) == 0
    sys.stdout.close()
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", narrow)
    assert main(["--help"]) == 0
    print_json({"image": "ü.jpg"})
    narrow.seek(0)
    assert r"\u00fc.jpg" in narrow.read()


def test_a_reader_that_goes_away_is_no_failure(monkeypatch):
    def leave(words):
        try:
            raise BrokenPipeError
        except BrokenPipeError:
            raise SystemExit(1)  # noqa: B904  as rich does

    monkeypatch.setattr(dispatch, "dispatch", leave)
    assert main(["status"]) == 0
