"""Usual lengths of outputs."""

import pytest

from regard_service.bundle import length_ratio, usual_length_ratios


def test_short_texts_may_differ_much() -> None:
    assert 0.5 < length_ratio("Hi.", "Guten Tag!") < 2
    assert length_ratio("a" * 200, "a") < 0.1
    assert length_ratio("", "") == 1


def test_an_ideograph_counts_as_several_letters() -> None:
    assert length_ratio("天气", "weathe") == pytest.approx(1, abs=0.1)


def test_usual_ratios_leave_out_rare_ones_and_have_a_margin() -> None:
    usual = [("a" * 100, "b" * (90 + n % 20)) for n in range(1000)]
    found = usual_length_ratios([*usual, ("a" * 100, ""), ("a" * 100, "b" * 900)])
    assert found is not None
    assert found.least == pytest.approx(length_ratio("a" * 100, "b" * 90) / 1.5)
    assert found.greatest == pytest.approx(length_ratio("a" * 100, "b" * 109) * 1.5)


def test_few_pairs_say_nothing() -> None:
    assert usual_length_ratios([("a", "b")] * 99) is None
