"""Verifies a finished bundle again."""

import shutil

from regard_export.checkpoints.any_model import AnyModel
from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.examples.dev_sets import DevSet
from regard_export.verification.check_report import CheckReport
from regard_export.verification.encoder_verifier import EncoderVerifier
from regard_export.verification.verifier import StageCallback, Verifier
from regard_export.writing.staging import staging_folder
from regard_export.writing.variants import write_encoder_variant, write_variant
from regard_service.bundle import Bundle


def verify_bundle(bundle: Bundle, model: AnyModel | None, dev: DevSet, on_stage: StageCallback) -> CheckReport:
    """Verifies a bundle, against its original model if that is given.

    Args:
        model: the model that the bundle was exported from. Float32 graphs are built for the comparison if the bundle
            has none.

    Raises:
        ExportError: a variant cannot be loaded, or another verification of the bundle is running.
    """
    if isinstance(model, EncoderModel) or not bundle.manifest.has_decoder:
        return _verify_encoder(bundle, model if isinstance(model, EncoderModel) else None, on_stage)
    if model is None or any(variant.precision == "float32" for variant in bundle.manifest.variants):
        return Verifier(bundle, model, dev, on_stage).run()
    with staging_folder(bundle.folder, "verification") as folder:
        shutil.copytree(bundle.folder, folder, dirs_exist_ok=True)
        on_stage("float32: building graphs")
        variants = [*bundle.manifest.variants, write_variant(folder, model, "float32")]
        manifest = bundle.manifest.model_copy(update={"variants": tuple(variants)})
        complete = Bundle.write_manifest(folder, manifest)
        return Verifier(complete, model, dev, on_stage, comparison_only={"float32"}).run()


def _verify_encoder(bundle: Bundle, model: EncoderModel | None, on_stage: StageCallback) -> CheckReport:
    """As `verify_bundle`, for a model without a decoder."""
    if model is None or any(variant.precision == "float32" for variant in bundle.manifest.variants):
        return EncoderVerifier(bundle, None if model is None else model.reference, on_stage).run()
    with staging_folder(bundle.folder, "verification") as folder:
        shutil.copytree(bundle.folder, folder, dirs_exist_ok=True)
        on_stage("float32: building graphs")
        variants = [*bundle.manifest.variants, write_encoder_variant(folder, model, "float32")]
        manifest = bundle.manifest.model_copy(update={"variants": tuple(variants)})
        return EncoderVerifier(Bundle.write_manifest(folder, manifest), model.reference, on_stage).run()
