"""Originals of the project's own nets, in PyTorch, and of toolkits, with recorded outputs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from regard.arrays import Float32Array
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.examples.input_readers import open_input_reader
from regard_export.examples.pictures import exact_picture
from regard_export.families.loading import load_source_model
from regard_export.references.protocols import Generated, Source, TextReference
from regard_service.bundle import Bundle, ImageSource
from regard_service.generation import Generation
from tests.parity.families.family import MAX_NEW_TOKENS, Answer, Raw
from tests.parity.families.hugging_face import PHOTOGRAPH, TEXTS


class Nets:
    """A checkpoint in the project's PyTorch nets, with the search of `transformers`.

    Args:
        key: target language or style.
    """

    inputs: Sequence[Raw]

    def __init__(self, checkpoint: Path, bundle: Bundle, *, load_options: LoadOptions, key: str) -> None:
        self.model = load_source_model(checkpoint, load_options)
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
        return Answer(ids, generated.tokens, generated.score, text, self.reduced(forced.cross_attention))

    def generate(self, raw: Raw, source: Source, num_beams: int | None) -> Generated:
        """The nets' output, or a toolkit's recorded one."""
        options = {**self.model.generation.model_dump(), "max_new_tokens": MAX_NEW_TOKENS}
        beams = {} if num_beams is None else {"num_beams": num_beams}
        return self.model.reference.generate(source, Generation(**{**options, **beams}))

    def reduced(self, attention: Float32Array) -> Float32Array:
        return attention

    def _as_text(self, raw: Raw, tokens: list[int]) -> tuple[list[int] | None, str | None]:
        """The source's ids and the output's text, by the training's tokenizer."""
        reference = self.model.reference
        if not isinstance(raw, str) or not isinstance(reference, TextReference):
            return None, None
        has_copies = max(tokens) >= self.model.target.vocab_size
        return reference.tokenize(raw, self._key), None if has_copies else reference.detokenize(tokens)


class Toolkit(Nets):
    """A checkpoint of a toolkit, with its recorded greedy outputs and attention; beams are those of the project's nets.

    Args:
        recorded: the toolkit's arrays (tests/data/*/make.py).
        texts: the recorded inputs.
        recorded_map: which reduction of layers and heads was recorded; None if no attention was.
    """

    def __init__(
        self,
        checkpoint: Path,
        bundle: Bundle,
        *,
        load_options: LoadOptions,
        recorded: Path,
        texts: Sequence[str],
        recorded_map: str | None,
    ) -> None:
        super().__init__(checkpoint, bundle, load_options=load_options, key=bundle.manifest.target_languages[0])
        with np.load(recorded) as file:
            self.recorded = dict(file)
        self.inputs, self._recorded_map = texts, recorded_map

    def answer(self, raw: Raw, num_beams: int | None) -> Answer:
        answer, number = super().answer(raw, num_beams), self.inputs.index(raw)
        assert answer.source == self.recorded[f"source_{number}"].tolist()
        if num_beams != 1 or self._recorded_map is None:
            return answer
        attention = self.recorded[f"attention_{number}"][: len(answer.tokens)]
        return Answer(answer.source, answer.tokens, None, answer.text, attention)

    def generate(self, raw: Raw, source: Source, num_beams: int | None) -> Generated:
        if num_beams != 1:
            return super().generate(raw, source, num_beams)
        target = self.recorded[f"target_{self.inputs.index(raw)}"].tolist()
        return Generated(target[1:][:MAX_NEW_TOKENS], None)

    def reduced(self, attention: Float32Array) -> Float32Array:
        if self._recorded_map is None:
            return attention
        mean: Float32Array = attention[-1].mean(axis=0)
        return mean if self._recorded_map == "mean of heads" else attention[-1, 0]
