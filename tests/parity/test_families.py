"""Every family of checkpoints, the whole way: exported by the command, served over gRPC, compared with what the
original makes of the same inputs. A cell of the table in docs/exporting.md is a test here.
"""

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import regard
from regard.arrays import Float32Array
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.examples.samples import sample_sources
from regard_export.families import loading, torch_families
from regard_export.families.bergamot import student
from regard_export.families.toolkits import ctranslate2, joeynmt, torch_files
from regard_export.resources.threads import half_of_torch_threads
from regard_service.bundle import Precision
from tests.parity.families.all_families import EVERY
from tests.parity.families.exports import PRECISIONS, Exported, Exports, export, serving
from tests.parity.families.family import MAX_NEW_TOKENS, Answer, Family, cross_attention, ids_of
from tests.parity.families.hugging_face import Texts
from tests.parity.families.regard_nets import Toolkit

# Average difference of attention from the original's, with random weights.
NEAR: dict[Precision, float] = {"int8": 0.02, "int4": 0.03, "float16": 5e-4}
TYPED = "</s> <pad> <s> <unk> <mask> en_XX eng_Latn __en__ <extra_id_0> >>fra<< Thank you!"
# Positions before a picture's grid: class tokens, or the prompt's words.
BEFORE_THE_GRID = {
    "vit-gpt2": 1,
    "deit-bert": 2,
    "beit-gpt2": 1,
    "swin-gpt2": 0,
    "donut": 0,
    "blip": 1,
    "vision": 1,
    "prompted": 4,
}
BEAMS = {"greedy": 1, "beam": 4}
TOOLKITS = {ctranslate2.FAMILY, joeynmt.TRANSFORMER, joeynmt.RECURRENT, student.FAMILY, *torch_files.FAMILIES}
DOCS = Path("docs/exporting.md")

EACH = pytest.mark.parametrize("family", EVERY, ids=lambda family: family.name)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Exports]:
    """Bundles and servers of the families of the collected tests."""
    found = [getattr(item, "callspec", None) for item in request.session.items]
    params = [each.params for each in found if each is not None]
    chosen = {each["family"].name for each in params if "family" in each}
    with pytest.MonkeyPatch.context() as patch, half_of_torch_threads():
        patch.setattr("regard_export.verification.workload.MAX_SOURCES", 3)
        patch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 6)
        patch.setattr("regard_export.verification.verifier.TIMED_BATCH_SIZES", (1,))
        patch.setattr("regard_export.decoding.variant_engine.NUM_TIMED_STEPS", 2)
        exports = Exports(tmp_path_factory.mktemp("families"), [each for each in EVERY if each.name in chosen])
        yield exports
        exports.close()


def _ask(
    exports: Exports, family: Family, number: int, precision: Precision = "float32", **options: Any
) -> tuple[Exported, regard.Result, Answer]:
    """The exported family, and the results of a server and of the original for an input."""
    exported = exports.of(family)
    raw = exported.original.inputs[number]
    result = family.ask(exports.client(precision), exported.bundle.manifest.task, raw, **options)
    return exported, result, exported.answer(raw, options.get("num_beams"))


def _tokens_equal(exported: Exported, result: regard.Result, answer: Answer) -> None:
    assert ids_of(result, exported.bundle.manifest.target.vocab_size) == answer.tokens
    if answer.source is not None and not result.truncated:
        assert [token.id for token in result.source_tokens] == answer.source
    if answer.score is not None:
        assert result.best.score == pytest.approx(answer.score, abs=1e-3)
    if answer.text is not None:
        # Invalid UTF-8 has no defined text: only the text before it is compared.
        written, *odd = answer.text.split("\N{REPLACEMENT CHARACTER}", 1)
        shown = result.text.strip()[: len(written.strip())] if odd else result.text.strip()
        assert shown == written.strip()


@EACH
def test_every_gate_holds(exports: Exports, family: Family) -> None:
    exported = exports.of(family)
    manifest = exported.bundle.manifest
    report = manifest.verification
    failed = [
        f"{title}: {check}"
        for title, section in report["checks"].items()
        for check, outcome in section.items()
        if not outcome["passed"] and "log-probability" not in check
    ]
    assert failed == []
    assert manifest.family == family.family
    assert report["reference"].startswith(exported.original.name)
    assert set(report["checks"]) == {"inputs", *PRECISIONS} - family.refused.keys()
    assert set(family.load_options.languages) <= set(loading.load_options_of(manifest).languages)


@EACH
@pytest.mark.parametrize("way", BEAMS)
def test_outputs_are_the_originals(exports: Exports, family: Family, way: str) -> None:
    for number in range(len(exports.of(family).original.inputs)):
        _tokens_equal(*_ask(exports, family, number, num_beams=BEAMS[way]))


@pytest.mark.parametrize("family", [each for each in EVERY if each.has_settings], ids=lambda family: family.name)
def test_by_the_checkpoints_own_settings(exports: Exports, family: Family) -> None:
    for number in range(len(exports.of(family).original.inputs)):
        _tokens_equal(*_ask(exports, family, number))


@EACH
def test_attention_is_the_originals(exports: Exports, family: Family) -> None:
    for number in range(len(exports.of(family).original.inputs)):
        for num_beams in BEAMS.values():
            exported, result, answer = _ask(exports, family, number, num_beams=num_beams)
            found = exported.original.reduced(cross_attention(result))
            np.testing.assert_allclose(found, answer.attention, atol=1e-5)


@EACH
@pytest.mark.parametrize("precision", NEAR)
def test_a_precision_attends_as_the_original(exports: Exports, family: Family, precision: Precision) -> None:
    """Compares along the common prefix of the outputs; the command refuses an unavailable precision."""
    if precision in family.refused:
        refused = export(family, exports.of(family).checkpoint, exports.folder / "none", "--precision", precision)
        assert refused.exit_code == 1
        assert family.refused[precision] in " ".join(refused.output.split())
        assert not (exports.folder / "none").exists()
        return
    off: list[Float32Array] = []
    for number in range(len(exports.of(family).original.inputs)):
        exported, result, answer = _ask(exports, family, number, precision, num_beams=1)
        values, tokens = cross_attention(result), ids_of(result, exported.bundle.manifest.target.vocab_size)
        np.testing.assert_allclose(values.sum(-1), 1, atol=2e-3)
        same = 1 + next(
            (t for t, (a, b) in enumerate(zip(tokens, answer.tokens, strict=False)) if a != b), MAX_NEW_TOKENS
        )
        found = exported.original.reduced(values)[..., :same, :]
        off.append(np.abs(found - answer.attention[..., : found.shape[-2], :]).ravel())
    assert np.concatenate(off).mean() < NEAR[precision]
    assert exports.client(precision).model(family.name).precision == precision


@EACH
def test_given_outputs_have_the_log_probabilities_of_the_steps(exports: Exports, family: Family) -> None:
    """The trace graph's pass over a whole output against the steps, which the export compared with the original."""
    exported = exports.of(family)
    variant = exported.bundle.manifest.variants[0]
    if variant.trace is None:  # recurrent decoders, and models that copy
        return
    manifest, engine = exported.bundle.manifest, VariantEngine(exported.bundle, "float32")
    rng = np.random.default_rng(0)
    (_, source), *_ = sample_sources(exported.bundle, {}, 1)
    banned = {manifest.target.pad_id, manifest.target.start_id}
    labels = np.array([i for i in rng.integers(0, manifest.target.vocab_size, 8).tolist() if i not in banned])
    (forced,) = engine.teacher_force([source], [[manifest.target.start_id, *labels[:-1].tolist()]])
    expected = forced.logits[range(len(labels)), labels] - forced.log_normalizer
    finite = np.isfinite(expected)  # a banned token has another number here, or the same infinity
    np.testing.assert_allclose(engine.score(source, labels)[finite], expected[finite], atol=1e-4)


@pytest.mark.parametrize(
    "family", [each for each in EVERY if each.name.startswith(("joeynmt", "opennmt", "fairseq"))], ids=lambda f: f.name
)
def test_every_logit_is_the_toolkits(exports: Exports, family: Family) -> None:
    exported = exports.of(family)
    original, engine = exported.original, VariantEngine(exported.bundle, "float32")
    assert isinstance(original, Toolkit)
    for number in range(len(original.inputs)):
        source, target, logits = (original.recorded[f"{kind}_{number}"] for kind in ("source", "target", "logits"))
        (forced,) = engine.teacher_force([source.tolist()], [target.tolist()[: len(logits)]])
        np.testing.assert_allclose(forced.logits, logits, atol=1e-4)


@pytest.mark.parametrize(
    "family", [each for each in EVERY if getattr(each.original, "func", None) is Texts], ids=lambda family: family.name
)
def test_special_tokens_that_are_typed_are_text(exports: Exports, family: Family) -> None:
    exported = exports.of(family)
    manifest, original = exported.bundle.manifest, exported.original
    assert isinstance(original, Texts)
    typed, plain = (
        family.ask(exports.client("int8"), manifest.task, text, num_beams=1).source_tokens for text in (TYPED, "a")
    )
    pieces = {token.id for token in typed if not token.special}
    assert not pieces & set(manifest.target.special_ids) - {original.tokenizer.unk_token_id}
    assert [token.id for token in typed if token.special] == [token.id for token in plain if token.special]


@pytest.mark.parametrize(
    "family", [each for each in EVERY if each.name in BEFORE_THE_GRID], ids=lambda family: family.name
)
def test_the_grid_is_in_the_result(exports: Exports, family: Family) -> None:
    _, result, _ = _ask(exports, family, 1, num_beams=1)
    grid = result.image_grid
    assert grid is not None
    assert grid.first_position == BEFORE_THE_GRID[family.name]
    assert cross_attention(result).shape[-1] == grid.first_position + grid.rows * grid.columns


@pytest.mark.parametrize("family", [each for each in EVERY if each.name == "blip"], ids=lambda family: family.name)
def test_self_attention_over_the_grid(exports: Exports, family: Family, tmp_path: Path) -> None:
    """Between all positions, of a bundle whose variants all have a trace graph."""
    exported, folder = exports.of(family), tmp_path / "bundles"
    assert export(family, exported.checkpoint, folder / family.name, "--precision", "float32").exit_code == 0
    with serving(folder) as client:
        result = family.ask(client, "captioning", exported.original.inputs[1], attention=["encoder_self", "rollout"])
    rolled = result.best.find_map("rollout")
    assert rolled is not None
    assert result.source_attention[0].shape == (2, 4, 10, 10)
    assert rolled.shape == (len(result.best.tokens), 10)
    np.testing.assert_allclose(result.source_attention[0].values.sum(-1), 1, atol=1e-3)


@pytest.mark.parametrize("family", [each for each in EVERY if each.name == "prompted"], ids=lambda family: family.name)
def test_self_attention_that_is_not_there_is_refused(exports: Exports, family: Family) -> None:
    with pytest.raises(regard.RegardError, match="encoder_self"):
        _ask(exports, family, 1, attention=["encoder_self"])


def test_no_family_is_left_out() -> None:
    assert {family.family for family in EVERY} == {
        *torch_families.FAMILIES,
        *torch_families.FAMILIES_WITH_OPTIONS,
        *TOOLKITS,
    }


def _cells() -> set[tuple[str, str]]:
    """Family and column of every cell that a test covers."""
    found = set()
    for test, argument in (
        (test_outputs_are_the_originals, "way"),
        (test_attention_is_the_originals, ""),
        (test_a_precision_attends_as_the_original, "precision"),
    ):
        values = {mark.args[0]: mark.args[1] for mark in test.pytestmark}  # type: ignore[union-attr]  # of marks
        found |= {
            (family.name, column) for family in values["family"] for column in values.get(argument, ["attention"])
        }
    return found


def _table() -> Iterator[list[str]]:
    """The rows of the table, from the tests."""
    columns, cells = (*BEAMS, "attention", *NEAR), _cells()
    yield [
        "family",
        "`model_type`",
        *("float16 on a CPU" if each == "float16" else each for each in columns),
        "on a GPU",
    ]
    for row in dict.fromkeys(family.row for family in EVERY):
        members = [family for family in EVERY if family.row == row]
        kind = "none" if members[0].family in TOOLKITS else f"`{members[0].family}`"
        tested = ["✓" if all((each.name, column) in cells for each in members) else "" for column in columns]
        refused = [any(column in each.refused for each in members) for column in columns]
        yield [row, kind, *("refused" if no else yes for yes, no in zip(tested, refused, strict=True)), "not run"]


def test_the_table_in_the_docs_is_what_is_tested() -> None:
    lines = DOCS.read_text(encoding="utf-8").split("\n## Families\n")[1].split("\n## ")[0].splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("| family"))
    documented = list(takewhile(lambda line: line.startswith("|"), lines[first:]))
    expected = [f"| {' | '.join(row)} |" for row in _table()]
    assert [documented[0], *documented[2:]] == expected
