"""Labels of rows and columns, for every kind of map."""

from regard.calls.results import Result
from regard.v1 import regard_pb2 as pb
from regard.values.labels import START, Label, axes_of, printable, readable
from tests.unit.regard.sample_results import END, message_map, rows, text_result

A, B, C, END_LABEL = Label("a"), Label("b"), Label("c"), Label(END, special=True)


def test_every_kind_has_labels_as_long_as_its_axes() -> None:
    result = text_result(["a", "b"], ["c"])
    expected = {
        "alignment": ([C, END_LABEL], [A, B, END_LABEL]),
        "cross": ([C, END_LABEL], [A, B, END_LABEL]),
        "rollout": ([C, END_LABEL], [A, B, END_LABEL]),
        "decoder_self": ([C, END_LABEL], [START, C, END_LABEL]),
        "encoder_self": ([A, B, END_LABEL], [A, B, END_LABEL]),
    }
    for attention in [*result.best.attention, *result.source_attention]:
        labels = axes_of(result, result.best, attention)
        assert labels == expected[attention.kind]
        assert tuple(map(len, labels)) == attention.shape[-2:]


def test_labels_of_tokens_lack_the_tokenizers_marks() -> None:
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
    pieces = [Label("Bib"), Label("liothek"), END_LABEL]
    assert axes_of(result, result.best, result.best.attention[0]) == (pieces, [A, B, END_LABEL])
    assert axes_of(result, result.best, result.best.attention[1]) == (pieces, [START, *pieces[:2]])


def test_labels_are_one_line_without_control_characters() -> None:
    assert readable(" two\nlines ") == "two lines"
    assert readable("\u202eabc\x1b[2J") == "\ufffdabc\ufffd[2J"
    assert readable("  ") == "␣"


def test_control_characters_are_not_printable() -> None:
    assert (
        printable("red \x1b[31m and \x07bell \u202eback\n\tnext") == "red \ufffd[31m and \ufffdbell \ufffdback\n\tnext"
    )
    assert printable("Bücher 👩‍🚀 עברית") == "Bücher 👩‍🚀 עברית"
