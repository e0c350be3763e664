"""Fingerprints: equal for what is equal, different for what is different."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vernis.core.numeric.fingerprints import fingerprint
from vernis.domain.errors import InvalidValue

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ARRAYS = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_, ">i4"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    shares: tuple[float, ...] = (0.5,)
    cache: object = field(default=None, compare=False)


@dataclass(frozen=True)
class Choices:
    seed: int = 0
    shares: tuple[float, ...] = (0.5,)


def same(a, b):
    """Tell whether two values are one and the same JSON; 1, 1.0 and True are three values."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and (repr(a) == repr(b))


@given(PLAIN, PLAIN)
def test_two_values_have_one_fingerprint_only_if_they_are_the_same(a, b):
    assert (fingerprint(a) == fingerprint(b)) == same(a, b)


@given(st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_parts_do_not_run_into_one_another(a, b):
    assert (fingerprint(*a) == fingerprint(*b)) == (a == b)


@given(ARRAYS, ARRAYS)
def test_arrays_count_with_values_shape_and_type(a, b):
    equal = (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    assert (fingerprint(a) == fingerprint(b)) == equal


@given(hnp.arrays(np.float32, (4, 6)))
def test_an_array_counts_whatever_its_layout_in_memory(a):
    assert fingerprint(np.asfortranarray(a)) == fingerprint(a)
    assert fingerprint(np.repeat(a, 2, axis=0)[::2]) == fingerprint(a)
    assert fingerprint(a.astype(">f4")) == fingerprint(a)
    assert fingerprint(a.T.copy()) == fingerprint(a.T)


def test_a_changed_value_deep_inside_is_seen():
    parts = ["a", {"x": [np.arange(3), Settings()], "y": {1, 2}}]
    changed = ["a", {"x": [np.arange(3), Settings(shares=(0.25,))], "y": {1, 2}}]
    assert fingerprint(parts) != fingerprint(changed)
    assert fingerprint(parts) != fingerprint(["a", {**parts[1], "y": {1, 3}}])
    assert fingerprint(parts) != fingerprint(["a", {**parts[1], "x": [np.arange(4), Settings()]}])


def test_dataclasses_count_with_their_name_and_what_is_compared():
    assert fingerprint(Settings(1)) == fingerprint(Settings(1, cache=object()))
    assert fingerprint(Settings(1)) != fingerprint(Settings(2))
    assert fingerprint(Settings()) != fingerprint(Choices())


def test_what_has_no_order_is_sorted():
    assert fingerprint({"b": 1, "a": 2}) == fingerprint({"a": 2, "b": 1})
    assert fingerprint({"b", "a", 3}) == fingerprint({3, "a", "b"})
    assert fingerprint(MappingProxyType({"a": 1})) == fingerprint({"a": 1})


def test_scalars_and_texts_of_numpy_count_as_pythons():
    assert fingerprint(np.int64(3), np.float32(0.5), np.bool_(True)) == fingerprint(3, 0.5, True)
    texts = np.array(["ä", "bc"])
    assert fingerprint(texts) == fingerprint(texts.astype("<U9"))
    assert fingerprint(texts) != fingerprint(np.array(["ä", "bd"]))


def test_it_is_the_same_in_another_process():
    code = (
        "import numpy as np; from vernis.core.numeric.fingerprints import fingerprint;"
        "print(fingerprint({'a', 'b', 'c'}, {'x': np.arange(4, dtype=np.float32)}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = fingerprint({"c", "b", "a"}, {"x": np.arange(4, dtype=np.float32)})
    assert done.stdout.strip() == expected


@pytest.mark.parametrize(
    "part",
    [Path("a"), b"a", object(), np.array([{}]), {("a", "b"): 1}, {1: "a", "1": "b"}, Settings],
)
def test_what_might_differ_from_run_to_run_is_refused(part):
    with pytest.raises(InvalidValue):
        fingerprint(part)
