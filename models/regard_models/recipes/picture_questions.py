"""Questions about pictures for the answerer: the data set easy-VQA, its vocabulary, batches.

Victor Zhou's easy-VQA (2019, MIT): 5,000 pictures of 64 x 64 pixels with one shape each, and 48,248 questions for its
kind and its colour, whose answers are 13 words. The distribution `easy-vqa` on PyPI holds them as files.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

from regard_models.recipes.tokenizer import PAD, UNKNOWN

CLASS = "<class>"
MEAN = STD = 127.5
NUM_VALIDATION = 200  # pictures at the end of the training set that the net does not learn from


class Question(NamedTuple):
    """A question about a picture. Attributes: answer: one of the data's answers; picture: its index."""

    text: str
    answer: str
    picture: int


def read_questions(data: Path, split: str) -> list[Question]:
    """Reads `SPLIT/questions.json`."""
    rows = json.loads((data / split / "questions.json").read_text(encoding="utf-8"))
    return [Question(*row) for row in rows]


def read_answers(data: Path) -> list[str]:
    """Reads the answers, in order of the alphabet."""
    return sorted((data / "answers.txt").read_text(encoding="utf-8").split())


def read_pictures(data: Path, split: str) -> Tensor:
    """Reads the pictures in the order of their numbers: uint8 [pictures, 3, height, width]."""
    files = sorted((data / split / "images").glob("*.png"), key=lambda file: int(file.stem))
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()


def normalized(pixels: Tensor) -> Tensor:
    """uint8 -> float32, from -1 to 1."""
    return (pixels.float() - MEAN) / STD


def build_tokenizer(texts: Sequence[str]) -> Tokenizer:
    """A tokenizer of lower-cased words and punctuation marks, whose vocabulary is that of the texts."""
    tokenizer = Tokenizer(models.WordLevel({}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words: set[str] = set()
    for text in set(texts):
        normal = tokenizer.normalizer.normalize_str(text)
        words.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
    pieces = [PAD, CLASS, UNKNOWN, *sorted(words)]
    tokenizer.model = models.WordLevel({piece: index for index, piece in enumerate(pieces)}, unk_token=UNKNOWN)
    tokenizer.add_special_tokens([PAD, CLASS, UNKNOWN])
    tokenizer.encode_special_tokens = True  # "<class>" in a question is text
    return tokenizer


@dataclass(frozen=True)
class QuestionBatch:
    """All questions about some pictures.

    Attributes:
        pixels: float32 [pictures, 3, height, width].
        ids: int64 [questions, text], behind a class token.
        mask: bool [questions, text], False on padding.
        picture_of: int64 [questions], indexes of `pixels`.
        labels: int64 [questions], indexes of the answers.
    """

    pixels: Tensor
    ids: Tensor
    mask: Tensor
    picture_of: Tensor
    labels: Tensor

    @property
    def num_tokens(self) -> int:
        """Number of labels."""
        return len(self.labels)

    def to(self, device: str) -> "QuestionBatch":
        """A copy on a device."""
        return QuestionBatch(*(each.to(device) for each in vars(self).values()))


class QuestionData:
    """Questions as ids, by their picture.

    Args:
        pictures: uint8 [pictures, 3, height, width].
        answers: the labels.
        chosen: the pictures to ask about.
    """

    def __init__(
        self,
        pictures: Tensor,
        questions: Sequence[Question],
        tokenizer: Tokenizer,
        answers: Sequence[str],
        chosen: range,
    ) -> None:
        self._pictures = pictures
        self._chosen = list(chosen)
        self._of: dict[int, list[tuple[list[int], int]]] = {picture: [] for picture in chosen}
        vocabulary, label_of = tokenizer.get_vocab(), {answer: index for index, answer in enumerate(answers)}
        for question in questions:
            if question.picture in self._of:
                ids = [vocabulary[CLASS], *tokenizer.encode(question.text).ids]
                self._of[question.picture].append((ids, label_of[question.answer]))

    def epoch(self, num_pictures: int, num_questions: int, *, seed: int) -> Iterator[QuestionBatch]:
        """Yields every picture once, in an order that the seed determines, with at most `num_questions` of its
        questions at random; each is at random mirrored left to right and upside down, which changes no answer.
        """
        source = random.Random(seed)
        order = source.sample(self._chosen, len(self._chosen))
        for first in range(0, len(order), num_pictures):
            part = order[first : first + num_pictures]
            flips = [[axis for axis in (1, 2) if source.random() < 0.5] for _ in part]
            of = {
                picture: source.sample(self._of[picture], min(num_questions, len(self._of[picture])))
                for picture in part
            }
            yield self._batch(part, flips, of)

    def all(self, num_pictures: int = 100) -> Iterator[QuestionBatch]:
        """Yields every picture once, in order, as it is."""
        for first in range(0, len(self._chosen), num_pictures):
            part = self._chosen[first : first + num_pictures]
            yield self._batch(part, [[] for _ in part], self._of)

    def _batch(
        self, part: Sequence[int], flips: Sequence[Sequence[int]], of: Mapping[int, Sequence[tuple[list[int], int]]]
    ) -> QuestionBatch:
        """Args: of: the questions of each picture."""
        pixels = [self._pictures[picture].flip(list(axes)) for picture, axes in zip(part, flips, strict=True)]
        rows = [(index, *each) for index, picture in enumerate(part) for each in of[picture]]
        longest = max(len(ids) for _, ids, _ in rows)
        ids = torch.tensor([[*row, *[0] * (longest - len(row))] for _, row, _ in rows])  # 0 is PAD
        lengths = torch.tensor([len(row) for _, row, _ in rows])
        return QuestionBatch(
            pixels=normalized(torch.stack(pixels)),
            ids=ids,
            mask=torch.arange(longest) < lengths[:, None],
            picture_of=torch.tensor([index for index, _, _ in rows]),
            labels=torch.tensor([label for _, _, label in rows]),
        )
