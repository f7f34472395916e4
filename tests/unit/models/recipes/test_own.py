"""A recipe for anybody's pairs: read in every layout, trained, exported, served."""

import gzip
import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from regard_export.cli.commands import export_command
from regard_models.checkpoint import Checkpoint
from regard_models.recipes.own import main
from regard_models.recipes.own_data import BadData, read
from regard_models.recipes.pairs import Pair
from regard_service.bundle import Bundle

PAIRS = [Pair("A dog .", "Ein Hund.", "de"), Pair("A cat.", "Un chat.", "fr")]


def write(folder: Path, layout: str) -> Path:
    if layout == "tsv":
        file = folder / "pairs.tsv"
        file.write_text("A  dog .\tEin Hund.\tde\r\nA cat.\tUn chat.\tfr\n\t\tde\n")
        return file
    if layout == "jsonl":
        file = folder / "pairs.jsonl"
        file.write_text("".join(json.dumps(vars(pair)) + "\n" for pair in PAIRS))
        return file
    (folder / "train.en").write_text("A dog .\n\n")
    (folder / "train.de").write_text("Ein Hund.\n\n")
    with gzip.open(folder / "train.fr.gz", "wt") as lines:
        lines.write("Un chien.\n\n")
    return folder


@pytest.mark.parametrize("layout", ["tsv", "jsonl"])
def test_pairs_of_several_languages_are_read_from_a_file(layout: str, tmp_path: Path) -> None:
    assert read(write(tmp_path, layout), layout, "en", ("de", "fr")) == PAIRS


def test_pairs_are_read_from_parallel_files(tmp_path: Path) -> None:
    found = read(write(tmp_path, "lines"), "lines", "en", ("de", "fr"))
    assert found == [PAIRS[0], Pair("A dog .", "Un chien.", "fr")]


@pytest.mark.parametrize(
    ("layout", "text", "reason"),
    [
        ("tsv", "a\tb\nc\n", "line 2: has 1 fields, not 2 divided by tabs"),
        ("tsv", "a\tb\tde\n", "line 1: has 3 fields, not 2"),
        ("tsv", "", "no pair has the target language de"),
        ("jsonl", '{"source": "a"}\n', "line 1: no JSON object with the fields: 'target'"),
        ("jsonl", '{"source": "a", "target": 1}\n', "line 1: source and target must be texts"),
        ("jsonl", "[]\n", "line 1: no JSON object with the fields"),
    ],
)
def test_bad_data_are_named_by_file_and_line(layout: str, text: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "pairs"
    file.write_text(text)
    with pytest.raises(BadData, match=reason) as refused:
        read(file, layout, "en", ("de",))
    assert str(file) in str(refused.value)


def test_a_language_that_was_not_asked_for_and_files_of_different_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="line 2: the target language is 'fr', not one of de, es"):
        read(write(tmp_path, "tsv"), "tsv", "en", ("de", "es"))
    folder = write(tmp_path, "lines")
    (folder / "train.de").write_text("Ein Hund.\n")
    with pytest.raises(BadData, match=r"train.en has 2 lines, train.de 1"):
        read(folder, "lines", "en", ("de",))
    (tmp_path / "latin").write_bytes(b"caf\xe9\tb\n")
    with pytest.raises(BadData, match="latin is not UTF-8"):
        read(tmp_path / "latin", "tsv", "en", ("de",))


def both_languages(folder: Path) -> Path:
    """Pairs of two target languages."""
    file = folder / "both.tsv"
    file.write_text("".join(f"amber {number}\tAMBER\t{code}\n" for number in range(60) for code in ("xx", "yy")))
    return file


def test_a_checkpoint_of_the_recipe_goes_on_and_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("regard_export.verification.workload.MAX_SOURCES", 2)
    monkeypatch.setattr("regard_export.verification.workload.MAX_NEW_TOKENS", 4)
    rng, words = random.Random(0), "amber birch cedar daisy elder fern".split()
    texts = [" ".join(rng.choices(words, k=3)) for _ in range(60)]
    data = tmp_path / "pairs.tsv"
    data.write_text("".join(f"{text}\t{text.upper()}\n" for text in texts))
    sizes = ["--vocabulary", "330", "--width", "32", "--heads", "2", "--layers", "1", "2", "--tokens", "200"]
    options = ["--data", str(data), "--languages", "en-xx", "--dev", "5", "--out", str(tmp_path / "own"), *sizes]
    main([*options, "--steps", "3", "--device", "cpu"])
    checkpoint = Checkpoint.load(tmp_path / "own")
    assert (checkpoint.config["width"], checkpoint.config["encoder_layers"], checkpoint.config["decoder_layers"]) == (
        32,
        1,
        2,
    )
    assert set(checkpoint.card["scores"]) == {"bleu/dev/xx"}
    main([*options, "--steps", "4", "--device", "cpu"])  # goes on, with the same vocabulary
    assert Checkpoint.load(tmp_path / "own").tokenizer.to_str() == checkpoint.tokenizer.to_str()
    for changed, reason in (
        (["--width", "64"], "--width 64 instead of 32"),
        (["--layers", "2", "2", "--vocabulary", "400"], "--vocabulary 400 instead of 330, --layers 2 2 instead of 1 2"),
        (["--languages", "en-xx,en-yy", "--data", str(both_languages(tmp_path))], "en-xx,en-yy instead of en-xx"),
        (["--dev", "6"], "--dev 6 instead of 5"),
        (["--steps", "2"], "has made 4 steps, and 2 steps in total are fewer"),
    ):
        with pytest.raises(SystemExit):
            main([*options, "--steps", "4", "--device", "cpu", *changed])
        assert reason in capsys.readouterr().err
    bundle = tmp_path / "bundle"
    done = CliRunner().invoke(export_command, [str(tmp_path / "own"), "-o", str(bundle), "--precision", "float32"])
    assert done.exit_code == 0, done.output
    manifest = Bundle.load(bundle).manifest
    assert (manifest.source_languages, manifest.target_languages) == (("en",), ("xx",))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--languages", "en"], "pairs with one source are expected"),
        (["--languages", "en-de,fr-de"], "pairs with one source are expected"),
        (["--languages", "en-de", "--heads", "3"], "--width 256 is no multiple of --heads 3"),
        (["--languages", "en-de", "--dev", "2"], "2 pairs are too few: --dev 2 are held out"),
        (["--languages", "en-de", "--layout", "jsonl"], "line 1: no JSON object"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "pairs.tsv"
    data.write_text("a\tb\nc\td\n")
    with pytest.raises(SystemExit):
        main(["--data", str(data), "--out", str(tmp_path / "own"), *options])
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "own").exists()
