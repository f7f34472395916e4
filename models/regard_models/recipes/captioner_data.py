"""Flickr8k for the captioners (Hodosh et al. 2013): captions as text and as ids, features, batches."""

import gzip
import io
import json
import random
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor

from regard_models.recipes.corpus import IGNORED_LABEL
from regard_models.recipes.tokenizer import END, PAD, START

MIN_WORDS = 3  # some captions of the data set are truncated
MIRRORED = {"left": "right", "right": "left"}


def read_captions(data: Path, split: str) -> list[list[str]]:
    """Reads the captions of each image from `SPLIT.jsonl.gz`, in its order, and cleans them."""
    with gzip.open(data / f"{split}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [[clean(caption) for caption in json.loads(line)["captions"]] for line in lines]


def read_files(data: Path, split: str) -> Iterator[bytes]:
    """Yields the JPEG files of `SPLIT.tar`, in the captions' order."""
    with tarfile.open(data / f"{split}.tar") as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None:
                yield stream.read()


def read_images(data: Path, split: str) -> Iterator[NDArray[np.uint8]]:
    """The images of `SPLIT.tar`, in the captions' order: uint8 [height, width, 3], RGB."""
    for file in read_files(data, split):
        yield np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def clean(caption: str) -> str:
    """Detokenizes a caption and drops its final stop: "A dog 's ball , outside ." -> "A dog's ball, outside"."""
    text = " ".join(caption.replace('"', " ").split()).rstrip(" .!").lower()
    text = re.sub(r" (?=[,;:.!?)]|'s\b|n't\b)", "", text)
    return text[:1].upper() + text[1:]


def mirror(caption: str) -> str:
    """The caption of the mirrored image: swaps "left" and "right"."""
    return re.sub(r"\b(left|right)\b", lambda word: MIRRORED[word[0]], caption)


@dataclass(frozen=True)
class CaptionBatch:
    """Images with several captions each.

    Attributes:
        features: float16 [images, channels, rows, columns].
        target: int64 [images, captions, target], the start token first.
        labels: int64 [images, captions, target], `IGNORED_LABEL` on padding.
    """

    features: Tensor
    target: Tensor
    labels: Tensor

    @property
    def num_tokens(self) -> int:
        """Number of labels that count."""
        return int((self.labels != IGNORED_LABEL).sum())

    def to(self, device: str) -> "CaptionBatch":
        """A copy on a device."""
        return CaptionBatch(self.features.to(device), self.target.to(device), self.labels.to(device))


@dataclass(frozen=True)
class CaptionVocabulary:
    """A tokenizer and the ids of its special tokens."""

    tokenizer: Tokenizer

    @property
    def start_id(self) -> int:
        """Id of the start token."""
        return self._id(START)

    @property
    def end_id(self) -> int:
        """Id of the end token."""
        return self._id(END)

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""
        return self._id(PAD)

    def encode(self, caption: str) -> list[int]:
        """Pieces and the end token."""
        return [*self.tokenizer.encode(caption).ids, self.end_id]

    def decode(self, ids: Sequence[int]) -> str:
        """The text up to the end token."""
        ids = list(ids)
        end = ids.index(self.end_id) if self.end_id in ids else len(ids)
        return str(self.tokenizer.decode(ids[:end], skip_special_tokens=False))

    def _id(self, piece: str) -> int:
        token_id = self.tokenizer.token_to_id(piece)
        if token_id is None:
            raise ValueError(f"the tokenizer has no piece {piece!r}")
        return int(token_id)


@dataclass(frozen=True)
class TrainingImages:
    """One view of the training images, original or mirrored.

    Attributes:
        features: float16 [images, channels, rows, columns], read from disk as needed.
        captions: ids of each image's captions, each with its end token.
    """

    features: NDArray[np.float16]
    captions: list[list[list[int]]]

    @classmethod
    def of(
        cls, features: NDArray[np.float16], captions: list[list[str]], vocabulary: CaptionVocabulary
    ) -> "TrainingImages":
        """Encodes the captions; drops truncated ones."""
        kept = [[c for c in group if len(c.split()) >= MIN_WORDS] for group in captions]
        return cls(features, [[vocabulary.encode(caption) for caption in group] for group in kept])


def epoch(
    views: Sequence[TrainingImages], vocabulary: CaptionVocabulary, *, num_images: int, rng: random.Random
) -> Iterator[CaptionBatch]:
    """Yields batches of one pass over the images, each in one drawn view, with all of its captions.

    Args:
        views: views of the same images.
        num_images: images per batch.
    """
    order = [(rng.choice(views), image) for image in range(len(views[0].captions))]
    rng.shuffle(order)
    # Batches collect images whose longest captions have similar lengths, which reduces padding.
    order.sort(key=lambda entry: max(map(len, entry[0].captions[entry[1]])) // 2)
    groups = [order[first : first + num_images] for first in range(0, len(order), num_images)]
    rng.shuffle(groups)
    for group in groups:
        features = torch.from_numpy(np.stack([view.features[image] for view, image in group]))
        target, labels = pad_captions([view.captions[image] for view, image in group], vocabulary)
        yield CaptionBatch(features, target, labels)


def pad_captions(captions: Sequence[Sequence[Sequence[int]]], vocabulary: CaptionVocabulary) -> tuple[Tensor, Tensor]:
    """Pads captions to one block; images may have different numbers of captions.

    Returns:
        target: int64 [images, captions, target]: the labels moved right by the start token.
        labels: int64 [images, captions, target]; `IGNORED_LABEL` on padding.
    """
    most = max(map(len, captions))
    longest = max(len(caption) for group in captions for caption in group)
    labels = np.full((len(captions), most, longest), IGNORED_LABEL, np.int64)
    for image, group in enumerate(captions):
        for row, caption in enumerate(group):
            labels[image, row, : len(caption)] = caption
    target = np.where(labels == IGNORED_LABEL, vocabulary.pad_id, labels)
    target = np.concatenate([np.full((*labels.shape[:2], 1), vocabulary.start_id), target[:, :, :-1]], axis=2)
    return torch.from_numpy(target), torch.from_numpy(labels)
