"""Writes models as protobuf messages."""

from dataclasses import fields

from regard.v1 import regard_pb2 as pb
from regard_service.bundle import (
    PROVIDER_NAMES,
    BoxesOutput,
    GenerationDefaults,
    LabelsOutput,
    Manifest,
    Output,
    PiecesOutput,
    Provenance,
    QuestionSource,
    VectorOutput,
)
from regard_service.convert import enums
from regard_service.domain.calls import GenerationOptions
from regard_service.domain.models import ModelInfo
from regard_service.domain.offered_maps import (
    contribution_kinds,
    default_method,
    has_value_norms,
    num_layers_and_heads,
    offered_kinds,
)

_GENERATION_OPTIONS = tuple(option.name for option in fields(GenerationOptions))


def write_model(info: ModelInfo) -> pb.Model:
    """Writes a model as ListModels describes it. Without a manifest, few fields are set."""
    model = pb.Model(
        name=info.name,
        is_default=info.is_default,
        state=enums.MODEL_STATE.number(info.state),
        state_reasons=info.reasons,
        provider="" if info.provider is None else PROVIDER_NAMES[info.provider],
        precision=info.precision or "",
        size_bytes=info.size_bytes,
        is_demonstration=info.is_demonstration,
    )
    if info.manifest is not None:
        model.MergeFrom(_described(info.manifest))
        model.has_shortlist = any(
            variant.listed_step is not None
            for variant in info.manifest.variants
            if info.precision in (None, variant.precision)
        )
    return model


def _described(manifest: Manifest) -> pb.Model:
    is_text = manifest.text_source is not None
    model = pb.Model(
        version=manifest.version,
        task=enums.TASK.number(manifest.task),
        family=manifest.family,
        description=manifest.description,
        source_languages=manifest.source_languages,
        target_languages=manifest.target_languages,
        styles=manifest.styles,
        default_style=manifest.styles[0] if manifest.styles else "",
        control_tokens=_control_tokens(manifest),
        max_source_tokens=manifest.max_source_tokens if is_text else 0,
        max_new_tokens=manifest.max_target_tokens,
        default_truncation=(
            enums.TRUNCATION.number(manifest.default_truncation) if is_text else pb.TRUNCATION_UNSPECIFIED
        ),
        unit=enums.UNIT.number(manifest.text_unit) if is_text else pb.UNIT_UNSPECIFIED,
        unit_tokens=(manifest.unit_tokens or manifest.max_source_tokens) if manifest.text_unit == "passage" else 0,
        attention_kinds=_attention_kinds(manifest),
        alignment_heads=[pb.LayerHead(layer=layer, head=head) for layer, head in manifest.attention.alignment_heads],
        alignment_method=(
            enums.ALIGNMENT_METHOD.number(default_method(manifest.attention))
            if manifest.has_decoder
            else pb.ALIGNMENT_METHOD_UNSPECIFIED
        ),
        value_norms=has_value_norms(manifest),
        contribution_kinds=[enums.ATTENTION_KIND.number(kind) for kind in contribution_kinds(manifest)],
        scores_pairs=manifest.task == "translation" and manifest.scores_targets,
        has_confidence=bool(manifest.target_languages) and set(manifest.target_languages) <= manifest.confidence.keys(),
        num_parameters=manifest.num_parameters,
        provenance=_provenance(manifest.provenance),
        scores=manifest.scores,
        reads_pictures=manifest.image_source is not None,
        reads_questions=isinstance(manifest.source, QuestionSource),
    )
    if manifest.has_decoder:
        model.generation_defaults.CopyFrom(_generation_defaults(manifest.generation))
        model.generation_options.extend(_GENERATION_OPTIONS)
    _describe_output(model, manifest.output)
    return model


def _describe_output(model: pb.Model, output: Output) -> None:
    """Fills the fields of models without a decoder."""
    match output:
        case VectorOutput():
            model.vector_size = output.width
            model.pooling = enums.POOLING.number(output.pooling)
            model.normalizes = output.is_normalized
        case LabelsOutput():
            model.labels.extend(output.labels)
            model.labels_tokens = output.of == "token"
            model.labels_exclude_each_other = output.is_exclusive
        case PiecesOutput():
            model.mask_token = output.mask
        case BoxesOutput():
            model.labels.extend(output.labels)
            model.labels_exclude_each_other = output.is_exclusive
            model.num_queries = output.queries


def _control_tokens(manifest: Manifest) -> list[str]:
    source = manifest.text_source
    return [] if source is None else [token.content for token in source.control_tokens]


def _generation_defaults(defaults: GenerationDefaults) -> pb.GenerationConfig:
    return pb.GenerationConfig(
        num_beams=defaults.num_beams,
        max_new_tokens=defaults.max_new_tokens,
        min_new_tokens=defaults.min_new_tokens,
        length_penalty=defaults.length_penalty,
        early_stopping=enums.EARLY_STOPPING.number(defaults.early_stopping),
        no_repeat_ngram_size=defaults.no_repeat_ngram_size,
        repetition_penalty=defaults.repetition_penalty,
    )


def _attention_kinds(manifest: Manifest) -> list[pb.AttentionLayout]:
    layouts = []
    for kind in offered_kinds(manifest):
        num_layers, num_heads = num_layers_and_heads(manifest, kind)
        number = enums.ATTENTION_KIND.number(kind)
        layouts.append(pb.AttentionLayout(kind=number, num_layers=num_layers, num_heads=num_heads))
    return layouts


def _provenance(provenance: Provenance) -> pb.Provenance:
    written = pb.Provenance(
        source=provenance.source,
        data=provenance.data,
        data_license=provenance.data_license,
        weights_license=provenance.weights_license,
        exporter_version=provenance.exporter_version,
    )
    if provenance.export_time is not None:
        written.export_time.FromDatetime(provenance.export_time)
    return written
