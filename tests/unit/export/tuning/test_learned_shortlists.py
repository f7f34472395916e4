"""Learned shortlists: what stands in the lists, and bundles that choose among them to the same tokens as without."""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from regard_export.checkpoints.any_model import as_writer
from regard_export.cli.tables import bundle_table
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.errors import ExportError
from regard_export.examples.dev_sets import DevExample
from regard_export.examples.input_readers import InputReader, open_input_reader
from regard_export.examples.sentences import EXAMPLE_SENTENCES
from regard_export.examples.training_texts import read_training_texts
from regard_export.exporting.export import export
from regard_export.exporting.options import ExportOptions
from regard_export.exporting.shortlist_choice import choose_shortlist
from regard_export.families.regard_checkpoints import transformer
from regard_export.tuning.ibm_model_1 import ibm_model_1, link_counts
from regard_export.tuning.learned_shortlists import WordLists, language_rows
from regard_export.verification.check_report import VerificationFailed
from regard_export.verification.dev_quality import dev_texts
from regard_service.bundle import Bundle, Precision, TextSource, parse_shortlist
from regard_service.generation import Generation
from tests.unit.export.student_checkpoints import shortlist_bytes
from tests.unit.export.transformer_checkpoints import LANGUAGES, tiny_checkpoint, write_tiny_bundle

MAX_NEW_TOKENS = 8
PRECISIONS: tuple[Precision, ...] = ("int8", "float32", "int4")
IDS = st.lists(st.integers(0, 6), max_size=4)
PAIRS = [([4, 5], [7, 8]), ([4, 6], [7, 9]), ([5], [8]), ([6], [9])] * 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """English sources of two languages; those of German with translations."""
    folder = tmp_path_factory.mktemp("data")
    for language in LANGUAGES:
        (folder / f"en-{language}").mkdir()
        _write(folder / f"en-{language}" / "train.en.gz", EXAMPLE_SENTENCES[:8])
    _write(folder / "en-de" / "train.de.gz", EXAMPLE_SENTENCES[8:16])
    return folder


def _write(path: Path, lines: tuple[str, ...]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


@pytest.fixture(scope="module")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    model, training = choose_shortlist(transformer.from_checkpoint(tiny_checkpoint()), "learned", data)
    options = ExportOptions("tiny", "1", PRECISIONS, {}, training=training)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("regard_export.verification.workload.MAX_SOURCES", 3)
        patch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)
        # Few pieces, so that outputs differ from those over the whole vocabulary.
        patch.setattr("regard_export.tuning.learned_shortlists.NUM_FREQUENT", 20)
        patch.setattr("regard_export.tuning.learned_shortlists.NUM_LINKED", 3)
        return export(as_writer(model, ""), tmp_path_factory.mktemp("bundles") / "tiny", options, lambda _: None)


@pytest.fixture(scope="module", params=PRECISIONS)
def engine(bundle: Bundle, request: pytest.FixtureRequest) -> VariantEngine:
    return VariantEngine(bundle, request.param)


@pytest.fixture(scope="module")
def reader(bundle: Bundle) -> InputReader:
    return open_input_reader(bundle)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.lists(st.integers(0, 5), max_size=4), st.lists(st.integers(0, 7), max_size=4)), max_size=6)
)
def test_every_target_piece_beside_a_source_has_one_link(pairs: list[tuple[list[int], list[int]]]) -> None:
    links, posteriors = link_counts(pairs), list(ibm_model_1(pairs))
    for (source, target), posterior in zip(pairs, posteriors, strict=True):
        assert posterior.shape == (len(target), len(source))
        if source:
            np.testing.assert_allclose(posterior.sum(axis=1), 1, rtol=1e-5)
    assert len({*zip(links.sources.tolist(), links.targets.tolist(), strict=True)}) == len(links.counts)
    assert np.isclose(links.counts.sum(), sum(len(target) for source, target in pairs if source))


def test_links_and_frequent_pieces_are_listed_and_special_ones_are_not() -> None:
    lists = WordLists(num_source=7, num_target=12)
    lists.add_linked(PAIRS)
    lists.add_frequent(2, PAIRS)
    lists.add_spelled({"aber": 6, "x": 1}, {"ab": 10, "e": 11, "ber": 7, "z": 3})
    shortlist = parse_shortlist(lists.content(never=[11]), 7, 12)
    words = {i: shortlist.allowed(np.array([i])).tolist() for i in range(7)}
    assert words[2] == [7, 8, 9]
    assert 8 in words[5]
    assert 9 not in words[5]
    assert {7, 9, 10} <= set(words[6])
    assert 11 not in words[6]
    assert words[1] == words[0] == []


@pytest.mark.parametrize(
    ("prefixes", "suffix", "expected"),
    [
        ({"de": (4,), "fr": (5,)}, (2,), {"de": 4, "fr": 5}),
        ({"de": (9, 4), "fr": (9, 5)}, (2,), {"de": 4, "fr": 5}),
        ({}, (2,), {"de": 2, "fr": 2}),
        ({"": (7,)}, (), {"de": 7, "fr": 7}),
    ],
)
def test_frequent_pieces_stand_where_every_source_of_a_language_has_them(
    prefixes: dict[str, tuple[int, ...]], suffix: tuple[int, ...], expected: dict[str, int]
) -> None:
    source = TextSource(tokenizer="t.json", prefix_ids=prefixes, suffix_ids=suffix)
    assert language_rows(source, ["de", "fr"]) == expected


def test_sources_of_nothing_but_text_are_refused() -> None:
    with pytest.raises(ExportError, match="no token is in every source"):
        language_rows(TextSource(tokenizer="t.json"), ["de"])


def test_the_bundle_tells_of_its_list(bundle: Bundle) -> None:
    assert bundle.manifest.shortlist == "shortlist.bin"
    assert all(variant.listed_step is not None for variant in bundle.manifest.variants)
    checks = bundle.manifest.verification["checks"]["int8"]
    assert checks["shortlist: outputs that differ, alone and in a batch"]["value"] == 0


def test_languages_have_lists_of_their_own(bundle: Bundle) -> None:
    engine, reader = VariantEngine(bundle, "int8"), open_input_reader(bundle)
    german, french = (set(engine.allowed_words(reader.read(EXAMPLE_SENTENCES[0], key)).tolist()) for key in LANGUAGES)
    assert german != french


@pytest.mark.parametrize("num_beams", [1, 3])
@settings(max_examples=12, deadline=None)
@given(chosen=st.lists(st.tuples(st.integers(0, 15), st.sampled_from(LANGUAGES)), min_size=2, max_size=9))
def test_a_row_is_what_it_is_alone(
    engine: VariantEngine, reader: InputReader, num_beams: int, chosen: list[tuple[int, str]]
) -> None:
    generation = Generation(MAX_NEW_TOKENS, num_beams=num_beams)
    sources = [reader.read(EXAMPLE_SENTENCES[i], key) for i, key in chosen]
    for source, output in zip(sources, engine.search(sources, generation, is_listed=True), strict=True):
        alone = next(engine.search([source], generation, is_listed=True))
        assert output.tokens.tolist() == alone.tokens.tolist()
        np.testing.assert_allclose(output.logprobs, alone.logprobs, atol=1e-5)  # sums of other lists' order
        assert set(output.tokens.tolist()) <= set(engine.allowed_words(source).tolist())


def test_where_the_list_has_every_word_the_tokens_are_the_same(data: Path, tmp_path: Path) -> None:
    """With all words in the list, the listed step is the step: the product and its quantization are the same."""
    model = transformer.from_checkpoint(tiny_checkpoint(seed=1))
    size = model.target.vocab_size
    path = tmp_path / "lex.bin"
    path.write_bytes(shortlist_bytes([0] * (size + 1), [], num_first=size))
    chosen, _ = choose_shortlist(model, str(path), None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
        patch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)
        bundle = export(
            as_writer(chosen, ""), tmp_path / "full", ExportOptions("full", "1", PRECISIONS, {}), lambda _: None
        )
    reader = open_input_reader(bundle)
    sources = [reader.read(text, LANGUAGES[0]) for text in EXAMPLE_SENTENCES[:8]]
    for precision in PRECISIONS:
        engine, generation = VariantEngine(bundle, precision), Generation(MAX_NEW_TOKENS)
        both = zip(*(engine.search(sources, generation, is_listed=listed) for listed in (True, False)), strict=True)
        for listed, whole in both:
            assert listed.tokens.tolist() == whole.tokens.tolist()
            np.testing.assert_allclose(listed.logprobs, whole.logprobs, atol=1e-4)


def _with_list(tmp_path: Path, num_first: int, name: str, *, is_mismatch_allowed: bool = False) -> Bundle:
    """A bundle whose list is the first pieces, judged on what the model writes over the whole vocabulary."""
    model = transformer.from_checkpoint(tiny_checkpoint(seed=2))
    path = tmp_path / f"{name}.bin"
    path.write_bytes(shortlist_bytes([0] * (model.target.vocab_size + 1), [], num_first=num_first))
    chosen, _ = choose_shortlist(model, str(path), None)
    plain = write_tiny_bundle(tmp_path / f"{name}-plain", model, "int8")
    written = dev_texts(VariantEngine(plain, "int8"), plain, {"de": [DevExample(x, ()) for x in EXAMPLE_SENTENCES]})
    dev = {"de": [DevExample(x, (y,)) for x, y in zip(EXAMPLE_SENTENCES, written["de"], strict=True)]}
    options = ExportOptions("tiny", "1", ("int8",), dev, is_mismatch_allowed=is_mismatch_allowed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
        patch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)
        return export(as_writer(chosen, ""), tmp_path / name, options, lambda _: None)


def test_a_list_that_costs_too_much_fails_the_export(tmp_path: Path) -> None:
    with pytest.raises(VerificationFailed, match="shortlist: drop in dev BLEU against the whole vocabulary"):
        _with_list(tmp_path, num_first=8, name="narrow")


def test_the_manifest_and_inspect_state_what_a_list_costs(tmp_path: Path) -> None:
    bundle = _with_list(tmp_path, num_first=420, name="full", is_mismatch_allowed=True)
    cost = {"value": 0.0, "plus_or_minus": 0.0, "same_outputs": 1.0}
    assert bundle.manifest.verification["dev"]["int8_shortlist"] == cost
    console = Console(width=200)
    with console.capture() as capture:
        console.print(bundle_table(bundle))
    assert "int8: 0 points of the dev metric lost (plus or minus 0), 100.0% of outputs the same" in capture.get()


def test_the_options_are_refused_where_they_have_no_meaning(data: Path, tmp_path: Path) -> None:
    model = transformer.from_checkpoint(tiny_checkpoint())
    with pytest.raises(ExportError, match="--shortlist learned needs --data"):
        choose_shortlist(model, "learned", None)
    with pytest.raises(ExportError, match="holds no training texts"):
        choose_shortlist(model, "learned", tmp_path)
    with pytest.raises(ExportError, match="known are learned, off and files"):
        choose_shortlist(model, str(tmp_path / "none.bin"), data)
    small = tmp_path / "small.bin"
    small.write_bytes(shortlist_bytes((0, 1, 2), (4, 5), 2))
    with pytest.raises(ExportError, match="lists 2 source pieces, this one reads"):
        choose_shortlist(model, str(small), data)
    _write(tmp_path / "train.en.gz", EXAMPLE_SENTENCES[:3])
    _write(tmp_path / "train.de.gz", EXAMPLE_SENTENCES[:2])
    with pytest.raises(ExportError, match="3 en and 2 de lines"):
        read_training_texts(tmp_path, model, 10)
    shipped = replace(model, shortlist=b"x")
    assert choose_shortlist(shipped, "off", None) == (model, {})
    assert choose_shortlist(shipped, None, None) == (shipped, {})
