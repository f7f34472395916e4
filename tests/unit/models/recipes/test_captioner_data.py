"""Flickr8k's captions: cleaned, encoded, and in batches."""

import gzip
import io
import json
import random
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tokenizers import Tokenizer

from regard_models.recipes.captioner_data import (
    CaptionVocabulary,
    TrainingImages,
    clean,
    epoch,
    mirror,
    pad_captions,
    read_captions,
    read_images,
)
from regard_models.recipes.corpus import IGNORED_LABEL
from regard_models.recipes.tokenizer import train_tokenizer

CAPTIONS = [
    ["A dog runs through the grass", "Brown dog on the left", "A dog"],
    ["Two children play in the snow with a sledge", "Kids outside in winter", "Snow and two kids"],
]


@pytest.fixture(scope="module")
def vocabulary() -> CaptionVocabulary:
    tokenizer: Tokenizer = train_tokenizer([c for group in CAPTIONS for c in group], vocab_size=340, language_tokens=[])
    return CaptionVocabulary(tokenizer)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A child in a pink dress .", "A child in a pink dress"),
        ("a DOG 's ball , outside", "A dog's ball, outside"),
        ('The " big " one does n\'t move !', "The big one doesn't move"),
        ("  Two   dogs  . ", "Two dogs"),
        ("A", "A"),
    ],
)
def test_captions_are_written_as_people_write(caption: str, expected: str) -> None:
    assert clean(caption) == expected


def test_mirrored_captions_change_sides() -> None:
    assert mirror("The left dog looks to the right, leftover in hand") == (
        "The right dog looks to the left, leftover in hand"
    )


def test_reads_a_split(tmp_path: Path) -> None:
    colours = [(200, 10, 30), (20, 220, 40)]
    with tarfile.open(tmp_path / "dev.tar", "w") as archive:
        for number, colour in enumerate(colours):
            stream = io.BytesIO()
            Image.new("RGB", (8, 6), colour).save(stream, format="PNG")
            member = tarfile.TarInfo(f"{number}.png")
            member.size = stream.tell()
            archive.addfile(member, io.BytesIO(stream.getvalue()))
    with gzip.open(tmp_path / "dev.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.write(json.dumps({"image": "0.png", "captions": ["A red one ."]}) + "\n")
        lines.write(json.dumps({"image": "1.png", "captions": ["a green one"]}) + "\n")
    images = list(read_images(tmp_path, "dev"))
    assert [image.shape for image in images] == [(6, 8, 3)] * 2
    assert [tuple(image[0, 0].tolist()) for image in images] == colours
    assert read_captions(tmp_path, "dev") == [["A red one"], ["A green one"]]


def test_ids_come_back_as_text(vocabulary: CaptionVocabulary) -> None:
    ids = vocabulary.encode(CAPTIONS[0][0])
    assert ids[-1] == vocabulary.end_id
    assert vocabulary.decode([*ids, vocabulary.pad_id, 7]) == CAPTIONS[0][0]
    assert vocabulary.decode(ids[:-1]) == CAPTIONS[0][0]


def test_padding(vocabulary: CaptionVocabulary) -> None:
    target, labels = pad_captions([[[5, 6, 7], [8]], [[9, 10]]], vocabulary)
    start, pad, none = vocabulary.start_id, vocabulary.pad_id, IGNORED_LABEL
    assert labels.tolist() == [[[5, 6, 7], [8, none, none]], [[9, 10, none], [none, none, none]]]
    assert target.tolist() == [[[start, 5, 6], [start, 8, pad]], [[start, 9, 10], [start, pad, pad]]]


def test_an_epoch_holds_every_image_once_with_its_captions(vocabulary: CaptionVocabulary) -> None:
    features = np.arange(2, dtype=np.float16).reshape(2, 1, 1, 1)
    plain = TrainingImages.of(features, CAPTIONS, vocabulary)
    mirrored = TrainingImages.of(features + 10, [[mirror(c) for c in group] for group in CAPTIONS], vocabulary)
    seen = set()
    for seed in range(8):
        images = []
        for batch in epoch([plain, mirrored], vocabulary, num_images=1, rng=random.Random(seed)):
            image, is_mirrored = int(batch.features) % 10, int(batch.features) >= 10
            texts = [vocabulary.decode(row[row != IGNORED_LABEL].tolist()) for row in batch.labels[0]]
            kept = [c for c in CAPTIONS[image] if c != "A dog"]  # two words only: truncated
            assert texts == ([mirror(c) for c in kept] if is_mirrored else kept)
            assert batch.num_tokens == sum(len(vocabulary.encode(text)) for text in texts)
            images.append(image)
            seen.add(is_mirrored)
        assert sorted(images) == [0, 1]
    assert seen == {False, True}
