"""What an answer takes, foretold from the shapes of inputs and the options of the call."""

import pytest

from regard_service.bundle import AttentionLayout, BoxesOutput, Bundle, LabelsOutput, Manifest, zoo_folder
from regard_service.calls.answer_size import AnswerLimits, check_answer
from regard_service.calls.inputs import Input
from regard_service.domain.calls import AttentionKind, AttentionOptions
from regard_service.domain.results import Token
from regard_service.errors import AnswerTooLarge
from regard_service.generation import Generation
from regard_service.text.reading import SourceText

PLAIN, MAPS = AttentionOptions(), AttentionOptions(kinds=("cross",))


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return Bundle.load(zoo_folder() / "everyday").manifest


def texts(number: int, num_tokens: int) -> list[Input]:
    text = SourceText("x", tuple(Token(each % 100, "x", None) for each in range(num_tokens)))
    return [Input((text,))] * number


@pytest.mark.parametrize("num_sequences", [1, 16])
def test_an_answer_of_few_tokens_may_exceed_a_small_limit(manifest: Manifest, num_sequences: int) -> None:
    """Many hypotheses of each: what is sent is what counts, not what was read."""
    generation = Generation(max_new_tokens=60, num_beams=16, num_return_sequences=num_sequences)
    limits = AnswerLimits(max_bytes=100_000)
    inputs = texts(20, 50)
    if num_sequences == 1:
        assert check_answer(manifest, PLAIN, generation, inputs, limits) <= limits.max_bytes
        return
    with pytest.raises(AnswerTooLarge, match="the limit is max_message_bytes, 100000; what helps: fewer inputs"):
        check_answer(manifest, PLAIN, generation, inputs, limits)


def test_maps_grow_with_the_square_of_the_text(manifest: Manifest) -> None:
    generation = Generation(max_new_tokens=200)
    limits = AnswerLimits()
    small, large = (check_answer(manifest, MAPS, generation, texts(1, length), limits) for length in (50, 100))
    assert 3.5 < large / small < 4.5


@pytest.mark.parametrize(
    ("limits", "name"),
    [(AnswerLimits(max_bytes=10_000), "max_message_bytes"), (AnswerLimits(10**9, 10_000), "max_answer_memory_bytes")],
)
def test_the_error_names_the_limit_and_what_helps(manifest: Manifest, limits: AnswerLimits, name: str) -> None:
    with pytest.raises(
        AnswerTooLarge, match=rf"the limit is {name}, 10000; what helps: attention.top_k, encoding UINT8"
    ):
        check_answer(manifest, MAPS, Generation(max_new_tokens=100), texts(4, 60), limits)


def test_of_a_detector_the_rows_of_all_queries_are_kept_and_self_attention_only_on_request(manifest: Manifest) -> None:
    """The trace computes what every query attends to, though a call returns the rows of few."""
    output = BoxesOutput(labels=("a",), queries=100)
    layout = AttentionLayout(layers=6, heads=8, encoder_layers=6, encoder_heads=8, alignment_heads=((5, 0),))
    detector = manifest.model_copy(update={"output": output, "attention": layout})
    sizes = []
    every: tuple[tuple[AttentionKind, ...], ...] = ((), ("alignment",), ("alignment", "encoder_self"))
    for kinds in every:
        options, few = AttentionOptions(kinds=kinds), Generation(max_new_tokens=3)
        sizes.append(check_answer(detector, options, few, texts(1, 600), AnswerLimits(10**9, 10**9)))
    of_queries, of_picture = 6 * 8 * 100 * 600 * 4, 6 * 8 * 600 * 600 * 4
    assert sizes[0] < of_queries < sizes[1] < 1.1 * of_queries
    assert of_picture < sizes[2] - sizes[1] < 2.2 * of_picture  # kept, and sent


def test_gates_grow_with_channels_and_positions_not_with_their_square(manifest: Manifest) -> None:
    output = LabelsOutput(labels=("a",))
    layout = AttentionLayout(layers=0, heads=0, channel_layers=5, channels=2000, spatial_layers=4)
    gated = manifest.model_copy(update={"output": output, "attention": layout, "decoder_target": None})

    def size(*kinds: AttentionKind, layers: tuple[int, ...] = ()) -> int:
        options, limits = AttentionOptions(kinds=kinds, layers=layers), AnswerLimits(10**9, 10**9)
        return check_answer(gated, options, Generation(max_new_tokens=1), texts(1, 3000), limits)

    channel, spatial, both = size("channel"), size("spatial"), size("channel", "spatial")
    assert both - spatial == 4 * 5 * 2000  # sent
    assert both - channel == 4 * 4 * 3000
    assert channel - size("channel", layers=(1,)) == 4 * 4 * 2000
