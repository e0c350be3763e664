"""What a recognizer's numbers spell."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernis.core.text.decoding import decode_steps
from vernis.core.text.normalization import plain_letter, plain_text
from vernis.core.text.spelling import SpelledLine, SymbolFold, spell_probability
from vernis.domain.errors import InvalidValue
from vernis.domain.readings import BLANK, GAP, Reading, Spelling

ALPHABET = ("a", "A", "b", "ß", "'", "&", " ")
CORNERS = np.array([[0, 0], [10, 0], [10, 4], [0, 4]], np.float32)


def steps_of(text: str, sure: float = 0.9) -> np.ndarray:
    """Return probabilities that spell the text, ``_`` for the blank."""
    columns = ["_", *ALPHABET]
    rest = (1 - sure) / (len(columns) - 1)
    rows = np.full((len(text), len(columns)), rest)
    for row, letter in zip(rows, text, strict=True):
        row[columns.index(letter)] = sure
    return rows


@pytest.mark.parametrize(
    ("steps", "text"),
    [("aab", "ab"), ("a_a", "aa"), ("_A__b_", "Ab"), ("___", ""), ("a b", "a b")],
)
def test_repeated_symbols_are_joined_and_blanks_left_out(steps, text):
    found, confidence = decode_steps(steps_of(steps), ALPHABET)
    assert found == text
    assert confidence == pytest.approx(0.9 if text else 0.0)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Perrier-Jouët", "perrier jouet"),
        ("JACOB’S CREEK", "jacobs creek"),
        ("Żywiec, Löwenbräu", "zywiec lowenbrau"),
        ("Straße & Æon", "strasse aeon"),
        ("百威", "百威"),
        ("...", ""),
    ],
)
def test_plain_text(text, plain):
    assert plain_text(text) == plain


def test_plain_letters_are_one_symbol():
    assert [plain_letter(s) for s in ("É", "ß", "'", "&", " ", "威")] == [
        "e", "s", BLANK, GAP, GAP, "威",
    ]  # fmt: skip


def test_a_fold_adds_up_what_looks_alike():
    rows = np.array([[0.1, 0.3, 0.4, 0.05, 0.05, 0.05, 0.05, 0.0]])
    spelling = SymbolFold(ALPHABET).fold(rows)
    told = dict(zip(spelling.symbols, spelling.costs.tolist(), strict=True))
    assert math.exp(-told["a"] / 16) == pytest.approx(0.7, rel=0.04)
    assert math.exp(-told[BLANK] / 16) == pytest.approx(0.15, rel=0.04)
    assert math.exp(-told[GAP] / 16) == pytest.approx(0.05, rel=0.04)


def test_a_spelled_line_has_the_words_of_its_text():
    line = SpelledLine(SymbolFold(ALPHABET).fold(steps_of("_Aa_b  &b_'b")))
    assert line.words == ["ab", "bb"]
    assert line.best(0) > line.best(1) - 1e-3 - 5
    assert line.columns(0, "az").shape == (len(line.silence(0)), 2)


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from("ab" + GAP + BLANK), st.integers(0, 255)),
        max_size=40,
    )
)
def test_a_spelling_survives_as_bytes(rows):
    rows = sorted(rows)
    spelling = Spelling(
        "".join(symbol for _, symbol, _ in rows),
        np.array([step for step, _, _ in rows], np.uint16),
        np.array([cost for _, _, cost in rows], np.uint8),
    )
    again = Spelling.from_bytes(spelling.to_bytes())
    assert again.symbols == spelling.symbols
    assert again.steps.tolist() == spelling.steps.tolist()
    assert again.costs.tolist() == spelling.costs.tolist()


def test_poor_spellings_and_readings_are_refused():
    with pytest.raises(InvalidValue, match="as many symbols"):
        Spelling("ab", np.zeros(1, np.uint16), np.zeros(2, np.uint8))
    with pytest.raises(InvalidValue, match="ascending"):
        Spelling("ab", np.array([2, 1], np.uint16), np.zeros(2, np.uint8))
    with pytest.raises(InvalidValue, match="bytes of a spelling"):
        Spelling.from_bytes(b"\x01\x00\x00\x00\x00\x00\xff\xfe")
    with pytest.raises(InvalidValue, match="a text"):
        Reading("  ", 0.5, CORNERS, 0.1)
    with pytest.raises(InvalidValue, match="confidence"):
        Reading("a", 1.5, CORNERS, 0.1)
    with pytest.raises(InvalidValue, match="corners"):
        Reading("a", 0.5, CORNERS[:3], 0.1)
    with pytest.raises(InvalidValue, match="height"):
        Reading("a", 0.5, CORNERS, 0.0)


def collapse(path: tuple[str, ...]) -> str:
    return "".join(key for key, _ in itertools.groupby(path) if key != BLANK)


@given(st.integers(1, 5), st.integers(0, 2**31), st.sampled_from(["a", "b", "ab", "aa", "aba"]))
def test_the_best_path_is_that_of_all_paths(n_steps, seed, name):
    symbols = "ab" + BLANK
    log = np.log(np.random.default_rng(seed).dirichlet(np.ones(3), n_steps)).astype(np.float32)
    scores = [
        sum(log[step, symbols.index(symbol)] for step, symbol in enumerate(path))
        for path in itertools.product(symbols, repeat=n_steps)
        if collapse(path) == name
    ]
    letters = log[:, [symbols.index(letter) for letter in name]]
    found = spell_probability([letters, letters[:1]], [log[:, 2], log[:1, 2]], [name, name])
    assert found[0] == pytest.approx(max(scores, default=-math.inf), abs=1e-5)
    assert (found[1] == -math.inf) == (len(name) > 1)
