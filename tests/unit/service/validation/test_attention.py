"""Attention options against what the model offers."""

import pytest

from regard_service.domain.calls import AttentionOptions
from regard_service.validation.attention import check_attention
from regard_service.validation.violations import Violations
from tests.integration.fake_backend import MANIFEST


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (AttentionOptions(kinds=("cross", "alignment"), layers=(0, 1), heads=(3,)), {}),
        (
            AttentionOptions(kinds=("cross", "rollout")),
            {"attention.kinds[1]": "rollout is not offered by model 'everyday'; it offers cross, alignment"},
        ),
        (
            AttentionOptions(layers=(0, 2), heads=(4,)),  # without a kind they have no effect, and are still checked
            {
                "attention.layers[1]": "is 2; model 'everyday' has 2 layers",
                "attention.heads[0]": "is 4; model 'everyday' has 4 heads",
            },
        ),
        (
            AttentionOptions(kinds=("cross",), weighting="value_norm"),
            {"attention.weighting": "model 'everyday' carries no value norms"},
        ),
    ],
)
def test_what_the_model_lacks_is_a_violation(options: AttentionOptions, found: dict[str, str]) -> None:
    violations = Violations()
    check_attention(options, MANIFEST, violations)
    assert {each.field: each.description for each in violations.found} == found
