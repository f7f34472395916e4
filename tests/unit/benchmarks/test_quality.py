import asyncio
import gzip
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.progress import Progress

from benchmarks.quality import metrics
from benchmarks.quality.aeslc import Aeslc
from benchmarks.quality.flickr8k import Flickr8k
from benchmarks.quality.multi30k import Multi30k
from benchmarks.quality.reuters import Reuters
from benchmarks.quality.run import ask
from benchmarks.quality.task import Call, LeftOut
from benchmarks.quality.tatoeba import Tatoeba
from regard import AsyncClient, Model, Overloaded, Result

SENTENCES = ["Der kleine Hund läuft über die Wiese.", "Wo ist denn hier der Bahnhof?", "Ich habe Hunger und Durst."]
TOKENS = ["der kleine hund läuft über die wiese .", "wo ist denn hier der bahnhof ?", "ich habe hunger und durst ."]

GERMAN_ONLY = cast(Model, SimpleNamespace(name="some", target_languages=("de",)))


def write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


def test_tatoeba_takes_further_references(tmp_path: Path) -> None:
    folder = tmp_path / "tatoeba" / "en-de"
    write(folder / "dev.en.gz", ["one", "two", "three"])
    write(folder / "dev.de.gz", ["Hier steht etwas ganz anderes.", *SENTENCES[1:]])
    write(folder / "dev.de.alt.gz", [f"Noch etwas.\t{SENTENCES[0]}", "", ""])
    (part,) = Tatoeba().parts(tmp_path, GERMAN_ONLY, None)
    scores = part.score(SENTENCES)
    assert (part.variant, len(part.calls)) == ("de", 3)
    assert scores["bleu_all_references"] == 100
    assert scores["bleu"] < 100


def test_multi30k_scores_tokens_without_case(tmp_path: Path) -> None:
    folder = tmp_path / "multi30k"
    for split in ("val", "test_2016_flickr"):
        write(folder / f"{split}.en.gz", ["one", "two", "three"])
        write(folder / f"{split}.de.gz", SENTENCES)
        write(folder / "tok" / f"{split}.lc.norm.tok.de.gz", TOKENS)
    parts = list(Multi30k().parts(tmp_path, GERMAN_ONLY, 2))
    scores = parts[0].score([sentence.upper() for sentence in SENTENCES[:2]])
    assert [part.split for part in parts] == ["val", "test_2016_flickr"]
    assert scores["bleu_tokenized_lowercased"] == scores["bleu_lowercased"] == 100
    assert scores["bleu"] < 50


SUMMARIZER = cast(Model, SimpleNamespace(name="some", styles=("headline",)))


def test_summaries_are_scored_by_rouge(tmp_path: Path) -> None:
    rows = [{"body": "A long story.", "headline": "FED CUTS RATES"}, {"body": "Another.", "headline": "OIL UP"}]
    write(tmp_path / "reuters21578_headlines" / "dev.jsonl.gz", [json.dumps(row) for row in rows])
    (part,) = Reuters().parts(tmp_path, SUMMARIZER, None)
    assert (part.variant, len(part.calls)) == ("headline", 2)
    assert part.score(["fed cuts rates", "Oil up."]) == {"rouge1": 100, "rouge2": 100, "rougeL": 100}
    # Recall 1/3, precision 1: F = 1/2, of one of two.
    assert part.score(["rates", "nothing"]) == {"rouge1": 25, "rouge2": 0, "rougeL": 25}


def test_styles_that_a_model_lacks_are_not_measured(tmp_path: Path) -> None:
    write(tmp_path / "aeslc" / "dev.jsonl.gz", ["{}"])
    assert list(Aeslc().parts(tmp_path, SUMMARIZER, None)) == []


CAPTIONS = [["A dog runs .", "a brown dog running on grass", "dogs", "a dog", "The dog !"], ["two men"] * 5]


def test_captions_have_five_references_without_case_and_punctuation(tmp_path: Path) -> None:
    folder = tmp_path / "flickr8k"
    rows = [{"image": f"{number}.jpg", "captions": captions} for number, captions in enumerate(CAPTIONS)]
    write(folder / "dev.jsonl.gz", [json.dumps(row) for row in rows])
    with tarfile.open(folder / "dev.tar", "w") as archive:
        for name in ("1.jpg", "0.jpg"):
            archive.addfile(tarfile.TarInfo(name))
    (part,) = Flickr8k().parts(tmp_path, GERMAN_ONLY, None)
    assert len(part.calls) == 2
    assert part.score(["A brown dog running on grass!", "Two men."]) == dict.fromkeys(
        ("bleu1", "bleu2", "bleu3", "bleu4"), 100
    )
    scores = part.score(["a brown dog sleeps on grass", "two men"])
    # All words but one and 4 of 6 bigrams match; there is no brevity penalty.
    assert scores["bleu1"] == pytest.approx(100 * 7 / 8, abs=0.01)
    assert scores["bleu2"] == pytest.approx(100 * (7 / 8 * 4 / 6) ** 0.5, abs=0.01)


def test_missing_data_is_left_out(tmp_path: Path) -> None:
    for task in (Tatoeba(), Aeslc(), Flickr8k()):
        with pytest.raises(LeftOut, match=task.name):
            list(task.parts(tmp_path, GERMAN_ONLY, None))


def test_bleu_of_tokens_does_not_tokenize_again() -> None:
    assert metrics.bleu_of_tokens(["d&apos; un pas à un autre"], ["d&apos; un pas à un autre"]) == 100


async def test_outputs_keep_the_order_of_the_calls() -> None:
    refused = set[int]()

    def call(number: int) -> Call:
        async def answer(client: AsyncClient, num_beams: int) -> Result:
            await asyncio.sleep((7 * number % 5) / 1000)
            if number % 3 == 0 and number not in refused:
                refused.add(number)
                raise Overloaded("RESOURCE_EXHAUSTED", "", retry_after_s=0.001)
            return cast(Result, SimpleNamespace(text=f"{number} {num_beams}"))

        return answer

    client: Any = None
    with Progress(disable=True) as progress:
        outputs = await ask(client, [call(n) for n in range(100)], 4, progress, progress.add_task(""))
    assert outputs == [f"{n} 4" for n in range(100)]
