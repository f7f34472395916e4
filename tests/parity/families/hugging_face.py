"""Originals of `transformers`: the library's own outputs, for inputs that its users would prepare."""

import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer, BlipForConditionalGeneration, ByT5Tokenizer, VisionEncoderDecoderModel

from regard.arrays import Float32Array
from regard_export.examples.pictures import exact_picture
from regard_export.families.hugging_face.image_preprocessing import load_processor
from regard_service.bundle import Bundle, ImageSource
from regard_service.pictures.reader import ImageReader
from tests.parity.families.family import MAX_NEW_TOKENS, Answer, Raw
from tests.unit.export.family_checkpoints import TinyFamily
from tests.unit.export.vision_checkpoints import DONUT_TASK

TEXTS = (
    "Could you tell me where the library is?",
    "An emoji 🙂, a flag 🇫🇷, naïve façades, 日本語",
    "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 3,
)
PHOTOGRAPH = Path("docs/examples/photos/cat.jpg")


class _Original:
    """The shared parts of originals of texts and of pictures."""

    def __init__(self, net: Any, checkpoint: Path, bundle: Bundle) -> None:
        self._net = net.from_pretrained(checkpoint, attn_implementation="eager").eval()
        self.name = type(self._net).__name__
        self._special_ids = set(bundle.manifest.target.special_ids)
        self._end_ids = set(bundle.manifest.target.end_ids)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")
            self.tokenizer = AutoTokenizer.from_pretrained(checkpoint)

    def reduced(self, attention: Float32Array) -> Float32Array:
        return attention

    @torch.inference_mode()
    def _generate(self, inputs: dict[str, Any], **options: Any) -> tuple[list[int], list[int], float | None]:
        """The output with the start token; the output up to its end without the start token; its score."""
        fixed = {"max_new_tokens": MAX_NEW_TOKENS, "max_length": None, "forced_eos_token_id": None}
        output = self._net.generate(**inputs, **options, **fixed, output_scores=True, return_dict_in_generate=True)
        start, *tokens = output.sequences[0].tolist()
        end = next((place for place, token in enumerate(tokens) if token in self._end_ids), len(tokens))
        tokens, score = tokens[: end + 1], getattr(output, "sequences_scores", None)
        return [start, *tokens], tokens, None if score is None else float(score[0])

    def _written(self, tokens: list[int]) -> str:
        kept = [token for token in tokens if token not in self._special_ids]
        if isinstance(self.tokenizer, ByT5Tokenizer):  # it drops invalid bytes, of which random weights write many
            first = self.tokenizer.offset
            return bytes(token - first for token in kept if first <= token < first + 256).decode(errors="replace")
        return str(self.tokenizer.decode(kept, clean_up_tokenization_spaces=False))


class Texts(_Original):
    """A model of texts.

    Args:
        family: says how users of `transformers` prepare a text.
    """

    inputs: Sequence[Raw] = TEXTS

    def __init__(self, family: TinyFamily, checkpoint: Path, bundle: Bundle) -> None:
        super().__init__(family.net, checkpoint, bundle)
        self._family = family
        source: Any = bundle.manifest.source
        self._needs_source_language = source.needs_source_language

    def answer(self, raw: Raw, num_beams: int | None) -> Answer:
        options = {**self._family.applied, **self._options(), **({} if num_beams is None else {"num_beams": num_beams})}
        ending = self._family.ending
        text = f"{self._family.prompt}{raw!s}{ending}"
        encoding = self.tokenizer(text, return_tensors="pt", add_special_tokens=not ending)
        inputs = {name: encoding[name] for name in ("input_ids", "attention_mask")}
        output, tokens, score = self._generate(inputs, **options)
        with torch.inference_mode():
            forced = self._net(**inputs, decoder_input_ids=torch.tensor([output[:-1]]), output_attentions=True)
        attention = torch.cat(forced.cross_attentions).numpy()
        return Answer(inputs["input_ids"][0].tolist(), tokens, score, self._written(tokens), attention)

    def _options(self) -> dict[str, Any]:
        """Options of a call; sets the source's language in the tokenizer."""
        if self._net.config.model_type == "marian":  # as in the checkpoints of opus-mt
            return {"bad_words_ids": [[self.tokenizer.pad_token_id]], "renormalize_logits": True}
        if not self._needs_source_language:
            return {}
        self.tokenizer.src_lang, target = self._family.languages
        # The first mBART's config names the target's language as the decoder's start token.
        if self._net.generation_config.decoder_start_token_id != self.tokenizer.eos_token_id:
            return {}
        token = f"__{target}__" if hasattr(self.tokenizer, "lang_code_to_token") else target
        return {"forced_bos_token_id": self.tokenizer.convert_tokens_to_ids(token)}


class Pictures(_Original):
    """A captioner. Its own image processor reads only the picture that needs no resizing, which differs slightly."""

    net: Any = VisionEncoderDecoderModel

    def __init__(self, checkpoint: Path, bundle: Bundle) -> None:
        super().__init__(self.net, checkpoint, bundle)
        source = bundle.manifest.source
        assert isinstance(source, ImageSource)
        self._processor, self._reader = load_processor(checkpoint), ImageReader(source)
        exact, _ = exact_picture(*(round(side / source.crop_fraction) for side in (source.height, source.width)))
        self.inputs: Sequence[Raw] = (exact, PHOTOGRAPH.read_bytes())

    def answer(self, raw: Raw, num_beams: int | None) -> Answer:
        assert isinstance(raw, bytes)
        pixels = torch.from_numpy(self._pixels(raw))[None]
        output, tokens, score = self._generate(self._asked(pixels), num_beams=num_beams or 1)
        return Answer(None, tokens, score, self._written(tokens), self._attention(pixels, output[:-1]))

    def _asked(self, pixels: torch.Tensor) -> dict[str, Any]:
        """Arguments of `generate`."""
        return {"pixel_values": pixels}

    def _pixels(self, file: bytes) -> Float32Array:
        """float32 [3, height, width]."""
        if file != self.inputs[0]:
            return np.asarray(self._reader.read(file, field="image").array)
        with Image.open(BytesIO(file)) as image:
            return np.asarray(self._processor(image.convert("RGB"), return_tensors="np")["pixel_values"][0])

    @torch.inference_mode()
    def _attention(self, pixels: torch.Tensor, target: list[int]) -> Float32Array:
        forced = self._net(pixels, decoder_input_ids=torch.tensor([target]), output_attentions=True)
        return np.asarray(torch.cat(forced.cross_attentions))


class Donut(Pictures):
    """Its users give the token of the task to `generate`."""

    def _asked(self, pixels: torch.Tensor) -> dict[str, Any]:
        task = self.tokenizer.convert_tokens_to_ids(DONUT_TASK)
        return {"pixel_values": pixels, "decoder_input_ids": torch.tensor([[task]])}


class Blip(Pictures):
    """A captioner whose decoder attends to the picture like any text decoder."""

    net: Any = BlipForConditionalGeneration

    @torch.inference_mode()
    def _attention(self, pixels: torch.Tensor, target: list[int]) -> Float32Array:
        states = self._net.vision_model(pixels).last_hidden_state
        forced = self._net.text_decoder(torch.tensor([target]), encoder_hidden_states=states, output_attentions=True)
        return np.asarray(torch.cat(forced.cross_attentions))
