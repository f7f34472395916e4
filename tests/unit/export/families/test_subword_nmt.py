"""Argos packages of subword-nmt's pieces: tokens and texts as Argos Translate has them, the whole way, and refusals."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given

import regard
from regard_export.checkpoints.source_model import LoadOptions
from regard_export.cli.commands import export_command
from regard_export.errors import ExportError
from regard_export.examples.sentences import EXAMPLE_SENTENCES
from regard_export.families.loading import load_source_model
from regard_export.families.toolkits.subword_nmt import Codes, read_codes
from regard_service.generation import Generation
from regard_service.text.moses.tokenizer import MosesTokenizer
from tests.parity.families.exports import serving
from tests.unit.export.ctranslate2_checkpoints import translate, write_package
from tests.unit.export.subword_checkpoints import moses, subwords, vocabulary, write_subword_model
from tests.unit.service.text.moses.odd_texts import TEXTS

PAGE = "He said: \"I can't\", and left (at 5 p.m.).\n\nThe house & the dog, Dr. Smith's."
HTML = "<p>The <b>red</b> dog can't go, see https://a.b/c?d=1 &amp; <i>Dr. Smith</i>'s.</p>"
TO_DE: Any = {"to": "de", "source_language": "en"}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("subwords")
    model = write_subword_model(folder / "model", alignment_layer=0, alignment_heads=1)
    return write_package(folder / "translate-en_de-1_0.argosmodel", model)


@pytest.fixture(scope="module")
def tokenizer(package: Path) -> MosesTokenizer:
    return MosesTokenizer.parse(load_source_model(package).tokenizers["source.moses.json"])


@pytest.fixture(scope="module")
def client(package: Path) -> Iterator[regard.Client]:
    out = package.parent / "bundles"
    options = ["-o", str(out / "argos"), "--precision", "float32"]
    result = CliRunner().invoke(export_command, [str(package), *options])
    assert result.exit_code == 0, result.output
    with serving(out) as client:
        yield client


def test_the_pieces_and_ids_of_argos_translate(tokenizer: MosesTokenizer) -> None:
    ids = {piece: i for i, piece in enumerate(vocabulary())}

    @given(TEXTS)
    def compare(text: str) -> None:
        pieces, encoding = subwords(text), tokenizer.encode(text)
        assert encoding.tokens == pieces
        assert encoding.ids == [ids.get(piece, 0) for piece in pieces]
        assert all(0 <= start < end <= len(text) for start, end in encoding.offsets)

    compare()


def test_the_tokens_of_ctranslate2(package: Path) -> None:
    model, pieces = load_source_model(package), vocabulary()
    reference: Any = model.reference
    for text in EXAMPLE_SENTENCES[:4]:
        ids = reference.tokenize(text, "de")
        ours = reference.generate(ids, Generation(max_new_tokens=12)).tokens
        theirs = translate(package.parent / "model", subwords(text), beam_size=1, max_decoding_length=12)
        assert [pieces[i] for i in ours if i not in model.target.end_ids] == theirs


def test_outputs_are_written_as_argos_translate_writes_them(client: regard.Client) -> None:
    for text in EXAMPLE_SENTENCES[:3]:
        best = client.translate(text, raw=True, max_new_tokens=16, **TO_DE).best
        words = (" ".join(token.piece for token in best.tokens if not token.special) + " ").replace("@@ ", "").split()
        assert best.text == moses.MosesDetokenizer("de").detokenize(words)


@pytest.mark.parametrize("text", [PAGE, EXAMPLE_SENTENCES[1]])
def test_streams_write_what_calls_write(client: regard.Client, text: str) -> None:
    options: Any = {"max_new_tokens": 12, "repetition_penalty": 3.0, **TO_DE}
    streamed = "".join(getattr(event, "text_delta", "") for event in client.stream_translate(text, **options))
    assert streamed == client.translate(text, **options).text


def test_each_target_token_is_a_part_of_the_text(client: regard.Client) -> None:
    result = client.translate(EXAMPLE_SENTENCES[2], raw=True, max_new_tokens=16, repetition_penalty=3.0, **TO_DE)
    for token in result.best.tokens:
        if token.span is not None and token.piece.rstrip("@").isalnum():
            assert result.text[token.span.start : token.span.end] == token.piece.removesuffix("@@")


def test_tags_links_and_terms_come_through(client: regard.Client) -> None:
    written = client.translate(HTML, format="html", max_new_tokens=16, **TO_DE).text
    assert all(written.count(tag) == 1 for tag in ("<b>", "</b>", "<i>", "</i>", "https://a.b/c?d=1"))
    for num_beams in (1, 3):
        text = client.translate("The dog is here.", terms={"dog": "Hund"}, num_beams=num_beams, **TO_DE).text
        assert "Hund" in text.split()


def test_given_targets_are_read_by_the_rules_of_their_language(client: regard.Client) -> None:
    (scored,) = client.score([("The dog.", "The dog's house.")], **TO_DE)
    pieces = [token.piece for token in scored.best.tokens]
    assert pieces[:-1] == subwords("The dog's house.", "de")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"\xff\xfe\x00", "is no text in UTF-8"),
        (b"", "has no pairs"),
        (b"#version: 0.2\n", "has no pairs"),
        (b"#version: 7\na b\n", "has version '7' of subword-nmt; known are 0.1 and 0.2"),
        (b"#version: 0.2\na b\na b c\n", "line 3 is no pair of subword-nmt: 'a b c'"),
        (b"#version: 0.2\na b\n\nc d\n", "line 3 is no pair"),
        (b"a  b\n", "line 1 is no pair"),
        (b"a " + b"b" * 2000 + b"\n", "line 1 is no pair"),
    ],
)
def test_damaged_files_are_refused_with_their_line(tmp_path: Path, content: bytes, cause: str) -> None:
    file = tmp_path / "bpe.model"
    file.write_bytes(content)
    with pytest.raises(ExportError, match=cause) as caught:
        read_codes(file)
    assert "bpe.model" in str(caught.value)


def test_old_files_have_no_version(tmp_path: Path) -> None:
    (tmp_path / "bpe.model").write_text("a b\nab c</w>\n")
    assert read_codes(tmp_path / "bpe.model").version == "0.1"
    (tmp_path / "bpe.model").write_bytes(b"\xef\xbb\xbf#version: 0.2\r\na b\r\n")  # as editors on Windows save it
    assert read_codes(tmp_path / "bpe.model") == Codes((("a", "b"),), "0.2")


def test_a_folder_needs_one_pair_of_languages(package: Path) -> None:
    with pytest.raises(ExportError, match=r"bpe\.model: Moses' rules are of one language; name it, .* by --languages"):
        load_source_model(package.parent / "model")
    model = load_source_model(package.parent / "model", LoadOptions(languages=(("en", "de"),)))
    assert model.source_languages == ("en",)


def test_a_piece_with_white_space_is_refused(tmp_path: Path) -> None:
    folder = write_subword_model(tmp_path / "model")
    file = folder / "shared_vocabulary.json"
    file.write_text(file.read_text().replace('"dog"', '"d g"').replace('"the"', '"t e"'))
    with pytest.raises(ExportError, match="pieces with white space"):
        load_source_model(folder, LoadOptions(languages=(("en", "de"),)))


def test_without_sacremoses_the_command_that_installs_it_is_named(package: Path, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ExportError, match=r"bpe\.model: .* pip install sacremoses"):
        load_source_model(package)


def test_another_file_is_no_tokenizer() -> None:
    with pytest.raises(ValueError, match="not a tokenizer of Moses' tokens"):
        MosesTokenizer.parse("{}")
