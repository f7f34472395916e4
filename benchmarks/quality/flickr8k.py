"""Captions of photographs: Flickr8k (Hodosh, Young and Hockenmaier 2013), five captions per photograph.

Reads DATA/flickr8k/dev.tar, which contains JPEG files, and dev.jsonl.gz, with {"image": name, "captions": [...]} per
line.
"""

import gzip
import json
import tarfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from benchmarks.quality import metrics
from benchmarks.quality.corpus import data_folder
from benchmarks.quality.task import Call, LeftOut, Part, Task
from regard import AsyncClient, Model, Result

Captioned = tuple[bytes, list[str]]


class Flickr8k(Task):
    """Sends the dev photographs as image files, which the server decodes."""

    name = "flickr8k"
    title = "Captions of photographs (Flickr8k)"
    models = ("flickr8k",)
    num_beams = 4

    def parts(self, data: Path, model: Model, limit: int | None) -> Iterator[Part]:
        photographs = list(_photographs(data_folder(data, self.name), "dev", limit))
        references = [captions for _, captions in photographs]

        def score(outputs: Sequence[str]) -> dict[str, float]:
            return metrics.caption_bleu(outputs, references)

        yield Part("dev", "", [_caption(file, model.name) for file, _ in photographs], score)


def _photographs(folder: Path, split: str, limit: int | None) -> Iterator[Captioned]:
    """Yields each photograph's file and captions."""
    captions, pictures = folder / f"{split}.jsonl.gz", folder / f"{split}.tar"
    for path in (captions, pictures):
        if not path.exists():
            raise LeftOut(f"there is no {path.name} in the folder {folder.name}")
    with gzip.open(captions, "rt", encoding="utf-8") as lines, tarfile.open(pictures) as archive:
        for row in map(json.loads, islice(lines, limit)):
            file = archive.extractfile(row["image"])
            if file is None:
                raise LeftOut(f"{pictures.name} contains no file {row['image']}")
            yield file.read(), row["captions"]


def _caption(file: bytes, model: str) -> Call:
    async def call(client: AsyncClient, num_beams: int) -> Result:
        return await client.caption(file, model=model, num_beams=num_beams)

    return call
