"""From a checkpoint to a verified bundle: the whole bundle, or nothing."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from regard_export.architectures.architecture import has_int8_weights
from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.exporting.options import ExportOptions
from regard_export.exporting.preflight import refuse_occupied, refuse_unwritable
from regard_export.precision.precision_builders import CALIBRATED_PRECISIONS
from regard_export.precision.quantization import ActivationRange
from regard_export.resources.memory import release_memory, return_large_allocations
from regard_export.tuning.alignment_heads import AlignmentChoice, choose_alignment_heads, needs_alignment_heads
from regard_export.tuning.calibration import calibrate
from regard_export.tuning.confidence import learn_confidence, novelty_sources
from regard_export.tuning.learned_shortlists import learn_shortlist
from regard_export.tuning.usual_sources import learn_novelty
from regard_export.verification.check_report import CheckReport, VerificationFailed
from regard_export.verification.verifier import StageCallback, Verifier
from regard_export.writing.manifest import write_manifest, write_shortlist, write_tokenizers
from regard_export.writing.staging import staging_folder
from regard_export.writing.text_use import text_use_of, with_outputs
from regard_export.writing.variants import write_novelty, write_variant
from regard_service.bundle import Bundle, Confidence, Precision, TextSource, Variant


def export(model: SourceModel, output: Path, options: ExportOptions, on_stage: StageCallback) -> Bundle:
    """Writes a bundle that passed its verification.

    Float32 graphs are always built, since they are compared with the original; the bundle holds them only if the
    caller chose them. The bundle is made in a folder beside `output` and renamed last, so that an interrupted export
    leaves nothing that loads.

    Raises:
        VerificationFailed: a check did not keep its limit; nothing is written.
        ExportError: `output` is occupied, the disk has no room, or another export to `output` is running.
    """
    return_large_allocations()
    release_memory()
    refuse_unwritable(model, output, options)
    output.resolve().parent.mkdir(parents=True, exist_ok=True)
    with staging_folder(output, "export") as folder:
        refuse_occupied(output)  # another export may have ended since
        _Export(model, folder, options, on_stage).run()
        refuse_occupied(output)  # another process may have written there since
        os.replace(folder, output.resolve())
    return Bundle.load(output)


class _Export:
    """One export into a staging folder."""

    def __init__(self, model: SourceModel, folder: Path, options: ExportOptions, on_stage: StageCallback) -> None:
        self._model = model
        self._folder = folder
        self._options = options
        self._on_stage = on_stage
        self._text_use = text_use_of(model, options.unit, options.unit_tokens, options.dev)
        self._precisions: list[Precision] = list(dict.fromkeys(options.precisions))

    def run(self) -> None:
        """Builds, verifies and writes the bundle."""
        write_tokenizers(self._folder, self._model.tokenizers)
        self._learn_shortlist()
        write_shortlist(self._folder, self._model)
        variants = self._build_variants()
        candidate = self._write_manifest(variants)
        alignment = self._choose_alignment(candidate)
        variants, candidate = self._learn_novelty(variants, candidate)
        unwanted = {variant.precision for variant in variants} - set(self._precisions)
        confidence = self._learn_confidence(candidate)
        report = Verifier(candidate, self._model, self._options.dev, self._on_stage, comparison_only=unwanted).run()
        if report.failures and not self._options.is_mismatch_allowed:
            raise VerificationFailed(report)
        self._on_stage("writing the bundle")
        self._text_use = with_outputs(self._text_use, self._options.dev, report.dev_outputs)
        if "float32" not in self._precisions:
            shutil.rmtree(self._folder / "float32")
        wanted = [variant for variant in variants if variant.precision in self._precisions]
        self._write_manifest(wanted, report, alignment, confidence)

    def _learn_shortlist(self) -> None:
        """Gives the model the shortlist that the caller's texts teach. The graphs for it are not kept."""
        if not self._options.training:
            return
        self._on_stage("learning a shortlist")
        bundle = self._write_manifest([write_variant(self._folder, self._model, "float32")])
        content = learn_shortlist(bundle, self._options.training)
        shutil.rmtree(self._folder / "float32")
        release_memory()
        self._model = replace(self._model, shortlist=content)

    def _build_variants(self) -> list[Variant]:
        """The graphs of the chosen precisions, in their order, and of float32."""
        self._on_stage("float32: building graphs")
        float32 = write_variant(self._folder, self._model, "float32")
        ranges = self._calibrate(float32)
        built = {"float32": float32}
        for precision in self._precisions:
            if precision not in built:
                self._on_stage(f"{precision}: building graphs")
                built[precision] = write_variant(self._folder, self._model, precision, ranges)
        return [built[precision] for precision in dict.fromkeys([*self._precisions, "float32"])]

    def _calibrate(self, float32: Variant) -> dict[str, ActivationRange]:
        """The ranges of layers' inputs, if a chosen precision uses them."""
        if has_int8_weights(self._model.architecture) or not set(self._precisions) & set(CALIBRATED_PRECISIONS):
            return {}
        self._on_stage("float32: calibrating activation ranges")
        bundle = self._write_manifest([float32])
        try:
            return calibrate(self._model.architecture, bundle, self._options.dev)
        finally:
            release_memory()

    def _choose_alignment(self, candidate: Bundle) -> AlignmentChoice | None:
        """The heads that align best on the dev examples, if the model needs a choice."""
        if not self._options.dev or not needs_alignment_heads(self._model):
            return None
        self._on_stage("choosing alignment heads")
        return choose_alignment_heads(candidate, self._options.dev)

    def _learn_novelty(self, variants: list[Variant], candidate: Bundle) -> tuple[list[Variant], Bundle]:
        """Teaches the graphs of summarizers and captioners how unlike the dev examples a source is.

        A translator's doubtful outputs show in their probabilities; a summary or a caption is fluent whatever it is of.
        """
        if not self._options.dev or self._model.task == "translation":
            return variants, candidate
        self._on_stage("learning which sources are usual")
        engine = VariantEngine(candidate, self._precisions[0])
        learned = learn_novelty(engine, novelty_sources(candidate, self._options.dev))
        del engine
        release_memory()
        if learned is None:
            return variants, candidate
        has_lengths = isinstance(candidate.manifest.source, TextSource)
        written = [write_novelty(self._folder, each, learned, has_lengths=has_lengths) for each in variants]
        return written, self._write_manifest(written)

    def _learn_confidence(self, candidate: Bundle) -> dict[str, Confidence]:
        """How sure outputs are, by target language or style, of the precision that serves."""
        if not self._options.dev:
            return {}
        self._on_stage("learning which outputs to doubt")
        return learn_confidence(candidate, self._precisions[0], self._options.dev)

    def _write_manifest(
        self,
        variants: list[Variant],
        report: CheckReport | None = None,
        alignment: AlignmentChoice | None = None,
        confidence: Mapping[str, Confidence] | None = None,
    ) -> Bundle:
        return write_manifest(
            self._folder,
            self._model,
            variants,
            name=self._options.name,
            version=self._options.version,
            verification={} if report is None else report.to_json(),
            alignment=alignment,
            confidence=confidence or {},
            text_use=self._text_use,
        )
