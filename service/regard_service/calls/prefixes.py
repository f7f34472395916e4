"""Puts the beginning of an output into the segments that it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from regard_service.calls.passages import CopiedSegment, ModelSegment
from regard_service.domain.calls import TargetPrefix
from regard_service.errors import InvalidInput
from regard_service.passages.segments import cut_text
from regard_service.text.phrases import PhraseWriter, UnwritablePhrase
from regard_service.text.reading import SourceText


@dataclass(frozen=True)
class PrefixReader:
    """Reads the prefixes of one call.

    Attributes:
        prefixes: by the index of their text.
        num_alternatives: outputs that differ behind the prefix.
        max_tokens: that a segment's output may have.
        end_id: ends an output.
        target_language: of the prefixes.
    """

    prefixes: Mapping[int, TargetPrefix]
    num_alternatives: int
    phrases: PhraseWriter
    max_tokens: int
    end_id: int
    target_language: str

    def added(
        self, segments: tuple[ModelSegment | CopiedSegment, ...], index: int
    ) -> tuple[ModelSegment | CopiedSegment, ...]:
        """Returns the segments of a text with the parts of its prefix: a sentence for each segment; all but the last
        sentence are whole outputs.

        Raises:
            InvalidInput: the prefix has more sentences than the text, or a sentence that the model cannot write.
        """
        prefix = self.prefixes.get(index, TargetPrefix())
        sentences = [prefix.text[slice(*each.span)] for each in cut_text(prefix.text, self.target_language)]
        if prefix.tokens:
            sentences = [""]
        models = [number for number, each in enumerate(segments) if isinstance(each, ModelSegment)]
        if len(sentences) > len(models):
            fault = f"has {len(sentences)} sentences; the text has {len(models)} to translate"
            raise InvalidInput.of(field(index), fault)
        made = list(segments)
        for order, number in enumerate(models[: max(1, len(sentences))]):
            segment = made[number]
            if isinstance(segment, ModelSegment):
                is_last = order >= len(sentences) - 1
                own = replace(prefix, text=_as_read(segment, sentences[order])) if sentences else prefix
                made[number] = replace(segment, part=self.of_part(segment.part, own, index, is_whole=not is_last))
        return tuple(made)

    def of_part(self, part: SourceText, prefix: TargetPrefix, index: int, *, is_whole: bool = False) -> SourceText:
        """Returns what a model reads with what its output begins with.

        Args:
            is_whole: whether the prefix is the whole output.

        Raises:
            InvalidInput: as of `added`, or it is longer than the output may be.
        """
        tokens = self._tokens(prefix, index) + ((self.end_id,) if is_whole else ())
        if len(tokens) > self.max_tokens:
            fault = f"has {len(tokens)} tokens in one segment; its output has at most {self.max_tokens}"
            raise InvalidInput.of(field(index), fault)
        num_alternatives = 0 if is_whole else self.num_alternatives
        return replace(part, prefix=tokens, prefix_bias=prefix.bias, num_alternatives=num_alternatives)

    def _tokens(self, prefix: TargetPrefix, index: int) -> tuple[int, ...]:
        if prefix.tokens:
            found = [(number, token, self.phrases.token(token)) for number, token in enumerate(prefix.tokens)]
            unknown = next(((number, token) for number, token, token_id in found if token_id is None), None)
            if unknown is not None:
                raise InvalidInput.of(
                    f"{field(index)}.tokens[{unknown[0]}]", f"{unknown[1]!r} is no entry of the target vocabulary"
                )
            return tuple(token_id for *_, token_id in found if token_id is not None)
        words = prefix.text.split()
        if not words:
            return ()
        try:
            return self.phrases.tokens(" ".join(words))
        except UnwritablePhrase as error:
            raise InvalidInput.of(f"{field(index)}.text", str(error)) from error


def field(index: int) -> str:
    """Returns the path of a text's prefix in its request."""
    return f"target_prefixes[{index}]"


def _as_read(segment: ModelSegment, sentence: str) -> str:
    """Returns a sentence with the stand-ins of what the caller's sentence has verbatim."""
    for span, text in segment.copied:
        stand_in = segment.edited.text[slice(*span)]
        if stand_in and text:
            sentence = sentence.replace(text, stand_in, 1)
    return sentence
