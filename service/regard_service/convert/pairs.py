"""Reads requests to score and to align given pairs."""

from dataclasses import replace

from regard.v1 import regard_pb2 as pb
from regard_service.convert import enums
from regard_service.convert.checks import Checks
from regard_service.convert.options import read_attention
from regard_service.convert.requests import RequestReader
from regard_service.domain.calls import AttentionOptions, PairCall, TextPair
from regard_service.validation.texts import text_fault


def read_score(request: pb.ScoreRequest, reader: RequestReader, time_remaining: float | None) -> PairCall:
    """Reads a request to score. Raises InvalidInput with every violation, or DeadlinePassed."""
    checks = Checks()
    call = replace(_read(checks, request, reader, time_remaining), has_confidence=request.confidence)
    checks.raise_if_any()
    return call


def read_align(request: pb.AlignRequest, reader: RequestReader, time_remaining: float | None) -> PairCall:
    """Reads a request to align, which has the alignment among its maps, between words unless it says otherwise."""
    checks = Checks()
    call = _read(checks, request, reader, time_remaining)
    attention = call.attention
    if "alignment" not in attention.kinds:
        attention = replace(attention, kinds=("alignment", *attention.kinds))
    if request.attention.granularity == pb.GRANULARITY_UNSPECIFIED:
        attention = replace(attention, granularity="word")
    call = replace(
        call,
        attention=attention,
        reverse_model=checks.name("reverse_model", request.reverse_model),
        symmetrization=checks.enum("symmetrization", enums.SYMMETRIZATION, request.symmetrization)
        or "grow_diag_final_and",
    )
    checks.raise_if_any()
    return call


def _read(
    checks: Checks, request: pb.ScoreRequest | pb.AlignRequest, reader: RequestReader, time_remaining: float | None
) -> PairCall:
    return PairCall(
        model=checks.name("model", request.model),
        pairs=_read_pairs(checks, request, reader),
        source_language=checks.name("source_language", request.source_language),
        target_language=checks.name("target_language", request.target_language),
        attention=read_attention(checks, request.attention) if request.HasField("attention") else AttentionOptions(),
        is_bulk=checks.enum("priority", enums.PRIORITY, request.priority) == "bulk",
        deadline=reader.deadline(time_remaining),
    )


def _read_pairs(
    checks: Checks, request: pb.ScoreRequest | pb.AlignRequest, reader: RequestReader
) -> tuple[TextPair, ...]:
    if not reader.is_num_inputs_valid(checks, "pairs", len(request.pairs)):
        return ()
    limit = reader.limits.max_text_characters
    for index, pair in enumerate(request.pairs):
        checks.add_if(f"pairs[{index}].source", text_fault(pair.source, limit))
        checks.add_if(f"pairs[{index}].target", text_fault(pair.target, limit))
    return tuple(TextPair(pair.source, pair.target) for pair in request.pairs)
