"""Caption and StreamCaption over a real port, with a model that names the colours of a picture's quarters."""

import contextlib
import json
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import regard
from regard.calls.options import CallOptions
from regard.cli import main
from regard_service.app.settings import Settings
from tests.integration.conftest import running
from tests.toys import COLOURS, write_captioner


def picture(*colours: str, size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Returns a picture of four colours, row by row."""
    image = Image.new("RGB", (2, 2))
    image.putdata([COLOURS[colour] for colour in colours])
    return image.resize(size, Image.Resampling.NEAREST)


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


WORDS = ("red", "blue", "white", "grey")
TEXT = " ".join(WORDS)
FILE = saved(picture(*WORDS))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("bundles")
    write_captioner(folder / "colours")
    write_captioner(folder / "middle", name="middle", resize="crop")
    settings = Settings(grpc_port=0, http_port=0, model_directories=(folder,))
    with running(settings) as server:
        yield f"127.0.0.1:{server.grpc_port}"


@pytest.fixture(scope="module")
def client(target: str) -> Iterator[regard.Client]:
    with regard.Client(target) as client:
        yield client


def run(target: str, *arguments: str, stdin: str | bytes = "") -> str:
    """Runs a command and returns its output."""
    result = CliRunner().invoke(main, [*arguments, "--server", target], input=stdin)
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("beams", [1, 3])
def test_a_caption_comes_with_its_grid_and_map(client: regard.Client, beams: int) -> None:
    result = client.caption(FILE, attention=["alignment", "cross"], num_beams=beams)
    assert (result.text, result.model, result.best.finish_reason) == (TEXT, "colours", "end")
    assert result.source_tokens == ()
    assert result.source_words == ()
    grid = result.image_grid
    assert grid is not None
    assert (grid.rows, grid.columns, grid.first_position) == (2, 2, 0)
    assert (grid.image_width, grid.image_height, grid.box) == (60, 40, (0, 0, 60, 40))
    assert result.alignment is not None
    assert result.alignment.shape == (5, 4)
    np.testing.assert_allclose(result.alignment.values.sum(-1), 1, atol=1e-6)
    assert result.alignment.values[:4].argmax(1).tolist() == [0, 1, 2, 3]
    assert result.best.pharaoh == "0-0 1-1 2-2 3-3"
    assert len(result.best.entropy) == len(result.best.coverage) == 5
    assert len(result.best.source_coverage) == 4
    cross = result.best.find_map("cross")
    assert cross is not None
    assert cross.shape == (1, 1, 5, 4)


def test_words_merge_the_target_only(client: regard.Client) -> None:
    result = client.caption(FILE, attention=True, words=True)
    assert [word.text for word in result.best.words] == [*WORDS, "</s>"]
    assert result.alignment is not None
    assert (result.alignment.shape, result.alignment.granularity) == ((5, 4), "word")


def test_many_pictures_come_back_in_order(client: regard.Client) -> None:
    names = list(COLOURS)
    every = [tuple(names[(start + step) % len(names)] for step in range(4)) for start in range(24)]
    results = client.caption([saved(picture(*colours)) for colours in every])
    assert [result.text for result in results] == [" ".join(colours) for colours in every]


def test_a_stream_equals_the_unary_call(client: regard.Client) -> None:
    whole = client.caption(FILE, attention=True)
    events = list(client.stream_caption(FILE, attention=True))
    started, *tokens, finished = events
    assert isinstance(started, regard.Started)
    assert started.image_grid == whole.image_grid
    made = [event for event in tokens if isinstance(event, regard.TokenMade)]
    assert "".join(event.text_delta for event in made) == TEXT
    rows = np.concatenate([event.attention[0].values for event in made])
    assert whole.alignment is not None
    np.testing.assert_allclose(rows, whole.alignment.values, atol=1e-6)
    assert isinstance(finished, regard.Finished)
    assert finished.result.text == TEXT


def test_the_grid_lies_on_the_upright_picture(client: regard.Client) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = saved(picture(*WORDS).transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif.tobytes())
    result = client.caption(turned)
    assert result.text == TEXT
    assert result.image_grid is not None
    assert (result.image_grid.image_width, result.image_grid.image_height) == (60, 40)


def test_the_grid_of_a_cropped_picture_is_the_crop(client: regard.Client) -> None:
    image = Image.new("RGB", (100, 40), "green")
    image.paste(picture(*WORDS, size=(40, 40)), (30, 0))
    result = client.caption(saved(image), model="middle")
    assert result.text == TEXT
    assert result.image_grid is not None
    assert result.image_grid.box == (30, 0, 70, 40)


def test_samples_differ_by_their_seed(client: regard.Client) -> None:
    options: CallOptions = {"temperature": 5.0, "num_return_sequences": 6, "seed": 1}
    texts = [[h.text for h in client.caption(FILE, **options).hypotheses] for _ in range(2)]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 1


TAKEN = {
    "JPEG": saved(picture(*WORDS), "JPEG", quality=95),
    "WebP": saved(picture(*WORDS), "WEBP", lossless=True),
    "CMYK": saved(picture(*WORDS).convert("CMYK"), "JPEG", quality=95),
    "palette": saved(picture(*WORDS).convert("P", palette=Image.Palette.ADAPTIVE)),
    "animated": saved(
        picture(*WORDS), "WEBP", save_all=True, append_images=[picture(*["green"] * 4)], lossless=True, duration=9
    ),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_pictures_of_every_kind(client: regard.Client, kind: str) -> None:
    assert client.caption(TAKEN[kind]).text == TEXT


def test_shades_of_grey_at_8_and_16_bits(client: regard.Client) -> None:
    grey = np.array([[0, 255], [128, 0]], np.uint8).repeat(20, 0).repeat(20, 1)
    for shades in (grey, grey.astype(np.uint16) * 257):
        assert client.caption(saved(Image.fromarray(shades))).text == "black white grey black"


def test_transparent_parts_of_a_picture_are_white(client: regard.Client) -> None:
    image = picture(*WORDS).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 30, 20))
    assert client.caption(saved(image)).text == "white blue white grey"


def png(width: int, height: int, depth: int, data: bytes) -> bytes:
    """Returns a greyscale PNG with this header and any data."""
    header, chunks = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0), b""
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(data, 9)), (b"IEND", b"")):
        chunks += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return b"\x89PNG\r\n\x1a\n" + chunks


BAD = {
    "no picture": (b"no picture at all", "is not a JPEG, PNG or WebP file"),
    "empty": (b"", "is empty"),
    "truncated JPEG": (TAKEN["JPEG"][: len(TAKEN["JPEG"]) // 2], "cannot be read.*[Tt]runcated"),
    "truncated PNG": (saved(Image.effect_noise((80, 80), 90))[:2000], "cannot be read.*[Tt]runcated"),
    "truncated WebP": (TAKEN["WebP"][:60], "cannot be read|damaged"),
    "a gigabyte in 44 KB": (png(19_000, 19_000, 1, bytes(2376 * 19_000)), "more pixels than the limit, 40000000"),
    "50,000 pixels wide": (png(50_000, 1, 8, bytes(50_001)), "50000 x 1 pixels; the limit of a side is 16384"),
    "too many pixels": (png(16_000, 3_000, 8, b""), "48000000 pixels, 16000 x 3000; the limit is 40000000"),
    "GIF": (saved(picture(*WORDS), "GIF"), "is a GIF file"),
    "too many bytes": (FILE + bytes(11 * 2**20), r"bytes; the limit is 10485760"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_pictures_are_refused_with_a_reason_and_other_calls_continue(client: regard.Client, kind: str) -> None:
    file, message = BAD[kind]
    with pytest.raises(regard.InvalidArgument, match=message) as raised:
        client.caption([FILE, file])
    assert [violation.field for violation in raised.value.violations] == ["images[1]"]
    with pytest.raises(regard.InvalidArgument, match=message) as raised:
        list(client.stream_caption(file))
    assert [violation.field for violation in raised.value.violations] == ["image"]
    assert client.caption(FILE).text == TEXT


def test_every_bad_picture_is_listed(client: regard.Client) -> None:
    with pytest.raises(regard.InvalidArgument) as raised:
        client.caption([b"no", FILE, TAKEN["JPEG"][:400]], max_new_tokens=99, attention=["cross"], heads=[4])
    fields = [violation.field for violation in raised.value.violations]
    assert fields == ["generation.max_new_tokens", "attention.heads[0]", "images[0]", "images[2]"]


def test_bad_pictures_do_not_delay_good_ones(client: regard.Client) -> None:
    bomb = BAD["a gigabyte in 44 KB"][0]

    def ask(number: int) -> str:
        with contextlib.suppress(regard.InvalidArgument):
            return client.caption(bomb if number % 2 else FILE).text
        return "refused"

    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(ask, range(48)))
    assert answers == [TEXT, "refused"] * 24


def test_a_captioner_refuses_texts(client: regard.Client) -> None:
    with pytest.raises(regard.NotFound, match="no model for translation"):
        client.translate("hello", to="de")
    with pytest.raises(regard.NotFound, match="'colours' for summarization"):
        client.summarize("hello", model="colours")


def test_the_command_line_captions_files(target: str, tmp_path: Path) -> None:
    files = [tmp_path / "one.png", tmp_path / "two.jpg"]
    files[0].write_bytes(FILE)
    files[1].write_bytes(TAKEN["JPEG"])
    assert run(target, "caption", *map(str, files)) == f"{TEXT}\n{TEXT}\n"
    assert run(target, "caption", "-", stdin=FILE) == f"{TEXT}\n"
    assert run(target, "caption", str(files[0]), "--attention").splitlines() == [
        TEXT, "red  blue  white  grey", "█     █", "           █       █"
    ]  # fmt: skip
    lines = "".join(json.dumps({"image": str(file)}) + "\n" for file in files)
    bulk = run(target, "caption", "-", "--jsonl", "--beams", "2", stdin=lines)
    assert [json.loads(line)["hypotheses"][0]["text"] for line in bulk.splitlines()] == [TEXT, TEXT]


def test_a_caption_as_json_has_its_map(target: str, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(FILE)
    printed = json.loads(run(target, "caption", str(tmp_path / "one.png"), "--json", "--attention"))
    [alignment] = printed["hypotheses"][0]["attention"]
    assert alignment["shape"] == [len(printed["hypotheses"][0]["tokens"]), 4]
    np.testing.assert_allclose(np.sum(alignment["data"], axis=1), 1, atol=1e-6)
    assert printed["image_grid"]["box"] == {"left": 0, "top": 0, "right": 60, "bottom": 40}
