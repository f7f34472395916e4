"""A student with a shortlist over a real port: its words alone, the same alone and among others, switched off."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import regard
from regard_export.checkpoints.any_model import as_writer
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.examples.sentences import EXAMPLE_SENTENCES
from regard_export.exporting.export import export
from regard_export.exporting.options import ExportOptions
from regard_export.exporting.shortlist_choice import choose_shortlist
from regard_export.families.loading import load_source_model
from regard_service.app.settings import Settings
from regard_service.bundle import Bundle
from regard_service.generation import Generation
from tests.integration.conftest import running
from tests.unit.export.family_checkpoints import write_family
from tests.unit.export.student_checkpoints import write_student
from tests.waiting import PATIENCE_S

MAX_NEW_TOKENS = 10


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("models")
    model = load_source_model(write_student(folder / "enpt", shortlist=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
        patch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)
        return export(
            model, folder / "bundles" / "student", ExportOptions("student", "1", ("int8",), {}), lambda _: None
        )


@pytest.fixture(scope="module")
def client(bundle: Bundle) -> Iterator[regard.Client]:
    settings = Settings(model_directories=(bundle.folder.parent,), grpc_port=0, http_port=0)
    with running(settings) as server, regard.Client(f"127.0.0.1:{server.grpc_port}") as client:
        yield client


def _tokens(result: regard.Result) -> list[int]:
    return [token.id for token in result.best.tokens]


def _translate(client: regard.Client, text: str, **options: Any) -> regard.Result:
    return client.translate(text, to="pt", max_new_tokens=MAX_NEW_TOKENS, timeout=PATIENCE_S, **options)


@pytest.mark.parametrize("num_beams", [1, 4])
def test_answers_are_those_of_the_engine_with_and_without_the_shortlist(
    client: regard.Client, bundle: Bundle, num_beams: int
) -> None:
    engine, generation = VariantEngine(bundle, "int8"), Generation(MAX_NEW_TOKENS, num_beams=num_beams)
    num_other = 0
    for text in EXAMPLE_SENTENCES[:6]:
        listed = _translate(client, text, num_beams=num_beams)
        whole = _translate(client, text, num_beams=num_beams, whole_vocabulary=True)
        source = [token.id for token in listed.source_tokens]
        for result, is_listed in ((listed, True), (whole, False)):
            expected = next(engine.search([source], generation, is_listed=is_listed))
            assert _tokens(result) == expected.tokens.tolist()
            logprobs = np.array([token.logprob for token in result.best.tokens], np.float32)
            np.testing.assert_allclose(logprobs, expected.logprobs, atol=1e-4)
        assert set(_tokens(listed)) <= set(engine.allowed_words(source).tolist())
        num_other += _tokens(listed) != _tokens(whole)
    assert num_other


def test_calls_of_both_kinds_run_at_once(client: regard.Client) -> None:
    calls = [(text, {"whole_vocabulary": bool(n % 2)}) for n, text in enumerate(EXAMPLE_SENTENCES * 3)]
    alone = [_tokens(_translate(client, text, **options)) for text, options in calls]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda call: _tokens(_translate(client, call[0], **call[1])), calls))
    assert together == alone


@pytest.mark.parametrize(
    "options", [{"min_new_tokens": 3}, {"no_repeat_ngram_size": 1}, {"temperature": 1.0, "top_k": 1, "seed": 1}]
)
def test_constraints_and_sampling_have_the_whole_vocabulary(client: regard.Client, options: dict[str, Any]) -> None:
    text = EXAMPLE_SENTENCES[2]
    one, other = (_translate(client, text, whole_vocabulary=whole, **options) for whole in (False, True))
    assert _tokens(one) == _tokens(other)


def test_a_model_without_a_shortlist_ignores_the_option(bundle: Bundle) -> None:
    settings = Settings(models=("everyday",), grpc_port=0, http_port=0)
    with running(settings) as server, regard.Client(f"127.0.0.1:{server.grpc_port}") as client:
        texts = [client.translate("Thank you!", to="de", whole_vocabulary=whole).text for whole in (True, False)]
    assert texts[0] == texts[1]


def test_a_client_is_told_of_the_shortlist(client: regard.Client) -> None:
    assert client.model("student").has_shortlist
    assert client.model("student").to_dict()["has_shortlist"]


@pytest.mark.parametrize("num_beams", [1, 4])
def test_terms_may_be_of_words_that_the_shortlist_lacks(client: regard.Client, bundle: Bundle, num_beams: int) -> None:
    """The target's tokenizer only writes here; terms are read by the one of given targets."""
    text = next(each for each in EXAMPLE_SENTENCES if "the" in each.split())
    term = next(word for each in EXAMPLE_SENTENCES for word in each.split() if word.isalpha() and len(word) > 5)
    result = _translate(client, text, num_beams=num_beams, terms={"the": term})
    assert term in result.text
    source = [token.id for token in result.source_tokens]
    assert not set(_tokens(result)) <= set(VariantEngine(bundle, "int8").allowed_words(source).tolist())


@pytest.fixture(scope="module")
def forced(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model whose target languages force the first token, with a list learned from a few texts."""
    folder = tmp_path_factory.mktemp("forced")
    with gzip.open(folder / "train.en.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(EXAMPLE_SENTENCES))
    loaded = load_source_model(write_family(folder / "m2m", "m2m_100"), LoadOptions(languages=(("en", "fr"),)))
    model, training = choose_shortlist(loaded, "learned", folder)
    options = ExportOptions("forced", "1", ("int8",), {}, training=training)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
        patch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)
        patch.setattr("regard_export.tuning.learned_shortlists.NUM_FREQUENT", 2)
        patch.setattr("regard_export.tuning.learned_shortlists.NUM_LINKED", 1)
        return export(as_writer(model, ""), folder / "bundles" / "forced", options, lambda _: None)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_language_that_forces_the_first_token_leaves_the_list_on(forced: Bundle, num_beams: int) -> None:
    settings = Settings(model_directories=(forced.folder.parent,), grpc_port=0, http_port=0)
    engine, first = VariantEngine(forced, "int8"), forced.manifest.target.forced_first_id("fr")
    options: dict[str, Any] = {"num_beams": num_beams, "max_new_tokens": MAX_NEW_TOKENS, "timeout": PATIENCE_S}
    num_other = 0
    with running(settings) as server, regard.Client(f"127.0.0.1:{server.grpc_port}") as client:
        for text in EXAMPLE_SENTENCES[:5]:
            listed = client.translate(text, to="fr", **options)
            whole = client.translate(text, to="fr", whole_vocabulary=True, **options)
            first_token, *others = _tokens(listed)
            assert first_token == first
            assert set(others) <= set(engine.allowed_words([token.id for token in listed.source_tokens]).tolist())
            num_other += _tokens(listed) != _tokens(whole)
    assert num_other
