"""One seed from several numbers, such that neighbouring numbers give unrelated draws."""

from __future__ import annotations

import numpy as np


def mixed_seed(*numbers: int, bits: int = 63) -> int:
    """A seed of so many bits from numbers >= 0, by NumPy's SeedSequence; torch's `manual_seed` takes 63 of them all."""
    state = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
    return state >> (64 - bits)


def row_order_seed(*numbers: int) -> int:
    """A 63-bit seed by multiplying and folding: only for the orders of training rows.

    It is older than `mixed_seed`, and as good for these; another one would give every run
    another order of its rows.
    """
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = (state ^ (number + 0x7F4A7C15)) * 0xBF58476D1CE4E5B9 % 2**64
        state ^= state >> 31
    return state % 2**63
