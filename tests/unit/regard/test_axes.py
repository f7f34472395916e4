"""Labels of rows and columns, for every kind of map."""

from regard.axes import START, Label, axes_of, readable
from regard.results import Result
from regard.v1 import regard_pb2 as pb
from tests.unit.regard.results_made_up import END, message_map, rows, text_result

A, B, C, STOP = Label("a"), Label("b"), Label("c"), Label(END, special=True)


def test_every_kind_has_labels_as_long_as_its_axes() -> None:
    result = text_result(["a", "b"], ["c"])
    expected = {
        "alignment": ([C, STOP], [A, B, STOP]),
        "cross": ([C, STOP], [A, B, STOP]),
        "rollout": ([C, STOP], [A, B, STOP]),
        "decoder_self": ([C, STOP], [START, C, STOP]),
        "encoder_self": ([A, B, STOP], [A, B, STOP]),
    }
    maps = [*result.best.attention, *result.source_attention]
    for found in maps:
        labels = axes_of(result, result.best, found)
        assert labels == expected[found.kind]
        assert tuple(map(len, labels)) == found.shape[-2:]


def test_tokens_are_shown_without_their_tokenizers_marks() -> None:
    values = rows(3, 3)
    alignment = message_map(pb.ATTENTION_KIND_ALIGNMENT, values)
    alignment.granularity = pb.GRANULARITY_TOKEN
    decoder = message_map(pb.ATTENTION_KIND_DECODER_SELF, rows(1, 1, 3, 3))
    decoder.granularity = pb.GRANULARITY_TOKEN
    tokens = [
        pb.TargetToken(piece="▁Bib", span=pb.Span(start=0, end=3)),
        pb.TargetToken(piece="liothek", span=pb.Span(start=3, end=10)),
        pb.TargetToken(piece=END, special=True),
    ]
    source = [pb.SourceToken(piece="▁a"), pb.SourceToken(piece="Ġb"), pb.SourceToken(piece=END, special=True)]
    hypothesis = pb.Hypothesis(text="Bibliothek", tokens=tokens, attention=[alignment, decoder])
    result = Result.from_message(pb.Result(hypotheses=[hypothesis], source_tokens=source))
    pieces = [Label("Bib"), Label("liothek"), STOP]
    assert axes_of(result, result.best, result.best.attention[0]) == (pieces, [A, B, STOP])
    assert axes_of(result, result.best, result.best.attention[1]) == (pieces, [START, *pieces[:2]])


def test_labels_are_one_line_and_steer_nothing() -> None:
    assert readable(" two\nlines ") == "two lines"
    assert readable("\u202eabc\x1b[2J") == "\ufffdabc\ufffd[2J"
    assert readable("  ") == "␣"
