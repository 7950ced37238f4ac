"""Packed arrays: bit by bit the same after JSON, or refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from models.packed import DOUBLE, FLAG, HALF, INDEX, SINGLE, packed, unpacked

KINDS = {DOUBLE: np.float64, SINGLE: np.float32, HALF: np.float16, INDEX: np.int16, FLAG: np.uint8}


@given(st.data(), st.sampled_from(sorted(KINDS)), array_shapes(min_dims=1, max_dims=2, min_side=0), st.booleans())
def test_an_array_survives_json_bit_by_bit(data, kind, shape, deflated):
    values = data.draw(arrays(KINDS[kind], shape))
    again = unpacked(json.loads(json.dumps(packed(values, kind, deflated=deflated))), kind)
    assert (again.dtype, again.shape, again.tobytes()) == (values.dtype, values.shape, values.tobytes())


def test_what_is_unpacked_can_be_changed():
    values = unpacked(packed(np.zeros(2)))
    values[0] = 1.0
    assert values.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    "change",
    [
        {"float64": "AAAA"},
        {"float64": "not base64"},
        {"float64": 1},
        {"float64": "!" + "A" * 22 + "=="},
        {"shape": [3]},
        {"shape": "many"},
        {"deflated": True},
    ],
)
def test_what_is_no_array_is_refused(change):
    with pytest.raises((TypeError, ValueError)):
        unpacked({**packed(np.zeros(2)), **change})


def test_what_repeats_takes_less_when_it_is_deflated():
    zeros = np.zeros(1_000)
    assert len(packed(zeros, deflated=True)[DOUBLE]) < len(packed(zeros)[DOUBLE]) / 10


def test_another_kind_of_number_is_refused():
    with pytest.raises(KeyError):
        unpacked(packed(np.zeros(2)), SINGLE)
