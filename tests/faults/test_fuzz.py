"""Every parser accepts or refuses any bytes: whole inputs, damaged ones and noise.

This takes a few seconds. `fuzz.py` does the same for any time; docs/fuzzing.md lists the findings.
"""

import logging
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults import parsers, seeds

NUM_EXAMPLES = {
    "manifest": 150,
    "image": 300,
    "message": 500,
    "text": 200,
    "http": 300,
    "headers": 300,
    "marian": 200,
    "marian-npz": 150,
    "lexicon": 150,
    "student-settings": 50,
    "ctranslate2": 150,
    "argos-package": 50,
}
INSERTS = (b"", b"\0", b"\xff", b'"', b"\\ud800", b"-1", b"1e999", b"\xed\xa0\x80", b"[" * 2000, b"\xff\xff\xff\x7f")

Edit = tuple[float, int, bytes]
edits: st.SearchStrategy[Edit] = st.tuples(
    st.floats(0, 1), st.integers(0, 24), st.one_of(st.sampled_from(INSERTS), st.binary(max_size=6))
)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Silences the log, to which each refused manifest adds a line."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def damaged(parser: str) -> st.SearchStrategy[bytes]:
    """Draws a seed with a few places overwritten by bytes of another length."""

    def apply(seed: bytes, changes: list[Edit]) -> bytes:
        for where, num_dropped, inserted in changes:
            start = int(where * len(seed))
            seed = seed[:start] + inserted + seed[start + num_dropped :]
        return seed

    return st.builds(apply, st.sampled_from(seeds.of(parser)), st.lists(edits, max_size=4))


@pytest.mark.parametrize("parser", parsers.PARSERS)
def test_whole_and_hostile_seeds(parser: str) -> None:
    for seed in seeds.of(parser):
        parsers.PARSERS[parser](seed)


@pytest.mark.parametrize("parser", parsers.PARSERS)
def test_damaged_inputs_and_noise(parser: str) -> None:
    read: Callable[[bytes], None] = parsers.PARSERS[parser]

    @settings(max_examples=NUM_EXAMPLES[parser])
    @given(st.one_of(damaged(parser), st.binary(max_size=200)))
    def check(data: bytes) -> None:
        read(data)

    check()
