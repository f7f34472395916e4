"""Generation options and the model's defaults as the settings of a decoding."""

import pytest

from regard_service.domain.calls import GenerationOptions
from regard_service.errors import FieldViolation
from regard_service.generation import Generation, Sampling
from regard_service.validation.generation import GenerationResolver, resolve_generation
from regard_service.validation.violations import Violations
from tests.integration.fake_backend import MANIFEST


def resolve(options: GenerationOptions) -> tuple[Generation, list[FieldViolation]]:
    violations = Violations()
    return resolve_generation(options, MANIFEST, "de", violations), violations.found


def test_the_models_defaults_fill_unset_options() -> None:
    assert resolve(GenerationOptions()) == (Generation(max_new_tokens=128, num_beams=4), [])
    found, _ = resolve(GenerationOptions(num_beams=1, min_new_tokens=3))
    assert found == Generation(max_new_tokens=128, num_beams=1, min_new_tokens=3)


def test_settings_are_resolved_once_but_for_seeds_and_violations() -> None:
    resolver, violations = GenerationResolver(MANIFEST), Violations()

    def twice(options: GenerationOptions) -> list[Generation]:
        return [resolver.resolve(options, "de", violations) for _ in range(2)]

    first, again = twice(GenerationOptions(num_beams=2))
    assert first is again
    assert first == resolve(GenerationOptions(num_beams=2))[0]
    one, other = twice(GenerationOptions(temperature=1.0))
    assert one.sampling is not None
    assert one.sampling != other.sampling  # each call draws its own seed
    assert not violations.found
    twice(GenerationOptions(max_new_tokens=10_000))
    assert [each.field for each in violations.found] == 2 * ["generation.max_new_tokens"]


def test_any_field_of_sampling_switches_it_on_with_one_beam() -> None:
    found, violations = resolve(GenerationOptions(top_k=5, seed=7))
    assert (found.num_beams, found.sampling, violations) == (1, Sampling(top_k=5, seed=7), [])
    greedy, _ = resolve(GenerationOptions(temperature=0, top_k=5))
    assert (greedy.num_beams, greedy.sampling) == (4, None)


@pytest.mark.parametrize(
    ("options", "path", "description"),
    [
        ({"max_new_tokens": 201}, "max_new_tokens", "is 201; model 'everyday' makes at most 200"),
        ({"max_new_tokens": 5, "min_new_tokens": 6}, "min_new_tokens", "is 6, more than max_new_tokens, 5"),
        ({"num_return_sequences": 5}, "num_return_sequences", "is 5, more than num_beams, 4"),
        ({"num_beams": 2, "top_p": 0.5}, "num_beams", "is 2; sampling has one beam"),
    ],
)
def test_contradictions_are_violations(options: dict[str, float], path: str, description: str) -> None:
    _, violations = resolve(GenerationOptions(**options))  # type: ignore[arg-type]
    assert violations == [FieldViolation(f"generation.{path}", description)]
