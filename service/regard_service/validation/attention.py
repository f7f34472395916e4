"""Checks attention options against what the model offers."""

from regard_service.bundle import BoxesOutput, Manifest
from regard_service.domain.calls import AttentionOptions
from regard_service.domain.offered_maps import (
    contribution_kinds,
    has_value_norms,
    num_layers_and_heads,
    offered_kinds,
)
from regard_service.validation.violations import Violations


def check_attention(options: AttentionOptions, manifest: Manifest, violations: Violations) -> None:
    """Adds the kinds, layers, heads and weighting that the model does not offer."""
    if not (options.kinds or options.layers or options.heads):
        return  # most calls
    offered = offered_kinds(manifest)
    for index, kind in enumerate(options.kinds):
        if kind not in offered:
            violations.add(
                f"attention.kinds[{index}]",
                f"{kind} is not offered by model {manifest.name!r}; it offers {', '.join(offered) or 'none'}",
            )
    _check_indexes(options, manifest, violations)
    if options.weighting == "value_norm" and options.kinds and not has_value_norms(manifest):
        violations.add("attention.weighting", f"model {manifest.name!r} carries no value norms")
    if options.weighting == "contribution":
        _check_contributions(options, manifest, violations)
    if options.method == "shifted" and isinstance(manifest.output, BoxesOutput):
        what = f"shifted is for outputs that are written step by step; model {manifest.name!r} finds boxes"
        violations.add("attention.alignment_method", what)


def _check_contributions(options: AttentionOptions, manifest: Manifest, violations: Violations) -> None:
    offered = contribution_kinds(manifest)
    missing = [kind for kind in options.kinds if kind not in offered and kind in offered_kinds(manifest)]
    if missing:
        known = f"it has those of {', '.join(offered)}" if offered else "its bundle has none"
        what = f"model {manifest.name!r} carries no contributions for {', '.join(missing)}; {known}"
        violations.add("attention.weighting", what)


def _check_indexes(options: AttentionOptions, manifest: Manifest, violations: Violations) -> None:
    sizes = [num_layers_and_heads(manifest, kind) for kind in options.kinds if kind in offered_kinds(manifest)]
    # Without a kind, layers and heads have no effect; they are checked against the decoder's all the same.
    sizes = sizes or [num_layers_and_heads(manifest, "cross")]
    for axis, (name, indexes) in enumerate((("layers", options.layers), ("heads", options.heads))):
        size = min(each[axis] for each in sizes)
        for position, index in enumerate(indexes):
            if not 0 <= index < size:
                violations.add(
                    f"attention.{name}[{position}]", f"is {index}; model {manifest.name!r} has {size} {name}"
                )
