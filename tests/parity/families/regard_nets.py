"""Checkpoints of the project's own nets, in PyTorch, and of toolkits, which said themselves what they compute."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.examples.input_readers import open_input_reader
from regard_export.examples.pictures import exact_picture
from regard_export.families.loading import load_source_model
from regard_export.references.protocols import Generated, Source, TextReference
from regard_service.bundle import Bundle, ImageSource
from regard_service.generation import Generation

from regard.arrays import Float32Array
from tests.parity.families.family import MAX_NEW_TOKENS, Answer, Raw
from tests.parity.families.hugging_face import PHOTOGRAPH, TEXTS


class Nets:
    """A checkpoint in our own PyTorch nets, whose search is that of `transformers`.

    Args:
        key: target language or style.
    """

    inputs: Sequence[Raw]

    def __init__(self, checkpoint: Path, bundle: Bundle, *, wanted: LoadOptions, key: str) -> None:
        self.model = load_source_model(checkpoint, wanted)
        self.name = self.model.reference.name
        self._inputs, self._key = open_input_reader(bundle), key
        source = bundle.manifest.source
        pictures = isinstance(source, ImageSource)
        self.inputs = (exact_picture(32, 32)[0], PHOTOGRAPH.read_bytes()) if pictures else TEXTS

    def answer(self, raw: Raw, num_beams: int | None) -> Answer:
        source = self._inputs.read(raw, self._key)
        generated = self.generate(raw, source, num_beams)
        forced = self.model.reference.teacher_force(source, [self.model.target.start_id, *generated.tokens[:-1]])
        ids, text = self._as_text(raw, generated.tokens)
        return Answer(ids, generated.tokens, generated.score, text, self.tells(forced.cross_attention))

    def generate(self, raw: Raw, source: Source, num_beams: int | None) -> Generated:
        """What the nets write, or what a toolkit says that it wrote."""
        options = {**self.model.generation.model_dump(), "max_new_tokens": MAX_NEW_TOKENS}
        beams = {} if num_beams is None else {"num_beams": num_beams}
        return self.model.reference.generate(source, Generation(**{**options, **beams}))

    def tells(self, attention: Float32Array) -> Float32Array:
        return attention

    def _as_text(self, raw: Raw, tokens: list[int]) -> tuple[list[int] | None, str | None]:
        """The source's ids and the output's text, by the tokenizer of the training."""
        reference = self.model.reference
        if not isinstance(raw, str) or not isinstance(reference, TextReference):
            return None, None
        said = max(tokens) < self.model.target.vocab_size  # and not copied
        return reference.tokenize(raw, self._key), reference.detokenize(tokens) if said else None


class Toolkit(Nets):
    """A checkpoint of a toolkit, with its greedy outputs and attention as recorded; of beams, what our own nets find.

    Args:
        recorded: the toolkit's arrays (tests/data/*/make.py).
        texts: what it was asked.
        told: which map it tells of all layers and heads; None where it told none.
    """

    def __init__(
        self,
        checkpoint: Path,
        bundle: Bundle,
        *,
        wanted: LoadOptions,
        recorded: Path,
        texts: Sequence[str],
        told: str | None,
    ) -> None:
        super().__init__(checkpoint, bundle, wanted=wanted, key=bundle.manifest.target_languages[0])
        with np.load(recorded) as file:
            self.recorded = dict(file)
        self.inputs, self._told = texts, told

    def answer(self, raw: Raw, num_beams: int | None) -> Answer:
        answer, number = super().answer(raw, num_beams), self.inputs.index(raw)
        assert answer.source == self.recorded[f"source_{number}"].tolist()
        if num_beams != 1 or self._told is None:
            return answer
        attention = self.recorded[f"attention_{number}"][: len(answer.tokens)]
        return Answer(answer.source, answer.tokens, None, answer.text, attention)

    def generate(self, raw: Raw, source: Source, num_beams: int | None) -> Generated:
        if num_beams != 1:
            return super().generate(raw, source, num_beams)
        target = self.recorded[f"target_{self.inputs.index(raw)}"].tolist()
        return Generated(target[1:][:MAX_NEW_TOKENS], None)

    def tells(self, attention: Float32Array) -> Float32Array:
        if self._told is None:
            return attention
        mean: Float32Array = attention[-1].mean(axis=0)
        return mean if self._told == "mean of heads" else attention[-1, 0]
