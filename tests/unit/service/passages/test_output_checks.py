"""What may be wrong with an output is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.bundle import LengthRatios, length_ratio
from regard_service.passages.output_checks import longest_loop, output_faults

RATIOS = LengthRatios(least=0.4, greatest=2.5)
SOURCE = "The children play in the garden of the old house."


def reasons(
    source: str, target: str, tokens: list[int], *, is_cut: bool = False, may_be_copy: bool = False
) -> list[str]:
    ids = np.array(tokens, np.int64)
    faults = output_faults(
        source, target, ids, lambda: np.arange(10), is_cut=is_cut, ratios=RATIOS, may_be_copy=may_be_copy
    )
    return [fault.reason for fault in faults]


@pytest.mark.parametrize(
    ("target", "tokens", "found"),
    [
        ("Die Kinder spielen im Garten des alten Hauses.", list(range(12)), []),
        ("", [1], ["output_empty"]),
        ("  ", [5, 1], ["output_empty"]),
        (SOURCE.upper(), list(range(12)), ["source_copied"]),
        ("Ja.", [5, 1], ["output_short"]),
        ("Die Kinder spielen im Garten des alten Hauses. " * 4, list(range(60)), ["output_long"]),
        ("ha " * 40, [7] * 40, ["repetition"]),
        ("ein Haus, ein Haus, " * 9, [3, 4, 5, 3, 4, 6] * 9, ["repetition"]),
    ],
)
def test_faults_of_an_output(target: str, tokens: list[int], found: list[str]) -> None:
    assert reasons(SOURCE, target, tokens) == found


def test_a_cut_output_is_told_beside_all_else() -> None:
    assert reasons(SOURCE, "na " * 40, [7] * 40, is_cut=True) == ["output_cut", "repetition"]


def test_short_texts_may_differ_much_in_length() -> None:
    assert reasons("Hi.", "Guten Tag!", [1, 2, 3]) == []
    assert reasons("Good evening!", "Hi.", [1, 2, 3]) == []


def test_marks_alone_have_no_output_to_miss() -> None:
    assert reasons("?!", "", [1]) == []


def test_a_model_of_one_language_may_copy() -> None:
    assert reasons(SOURCE, SOURCE, list(range(12)), may_be_copy=True) == []


def test_what_the_source_repeats_may_be_repeated() -> None:
    tokens = np.array([7] * 20, np.int64)
    assert list(output_faults("ha " * 20, "ha! " * 20, tokens, lambda: np.full(20, 3), is_cut=False, ratios=None)) == []


def test_ideographs_say_more_than_letters() -> None:
    assert 0.6 < length_ratio("The weather is very good today, isn't it?", "今天天气真好，不是吗？") < 1.4


@given(st.integers(1, 8), st.integers(3, 10), st.integers(0, 20))
def test_a_loop_is_found_wherever_it_stands(period: int, repeats: int, num_before: int) -> None:
    loop = list(range(100, 100 + period)) * repeats
    tokens = np.array([*range(num_before), *loop, 1], np.int64)
    assert longest_loop(tokens) == (len(loop) if len(loop) >= 8 else 0)


@given(st.lists(st.integers(0, 10**6), unique=True, max_size=80))
def test_different_tokens_are_no_loop(tokens: list[int]) -> None:
    assert longest_loop(np.array(tokens, np.int64)) == 0


@pytest.mark.parametrize("text", ["Berlin", "OK.", "Hotel", "hotel", "Amber Hill", "New York City"])
def test_names_and_single_words_may_stay(text: str) -> None:
    assert reasons(text, text, [5, 6, 1]) == []


@pytest.mark.parametrize("text", ["my dog", "The old dog sleeps", "Amber Hill is nice"])
def test_all_else_that_stays_is_told(text: str) -> None:
    assert reasons(text, text, [5, 6, 7, 1]) == ["source_copied"]


def test_a_loop_in_the_source_excuses_one_that_is_half_as_long_again() -> None:
    def found(count: int) -> list[str]:
        tokens = np.array([7] * count, np.int64)
        faults = output_faults(
            "na", "na", tokens, lambda: np.array([7] * 20), is_cut=True, ratios=None, may_be_copy=True
        )
        return [fault.message for fault in faults]

    assert found(30) == ["the output was cut after 30 tokens (max_new_tokens)"]
    assert found(40)[0] == "the output was cut after 40 tokens (as it repeats itself)"
