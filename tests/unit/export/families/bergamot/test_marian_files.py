import gzip
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regard_export.errors import ExportError
from regard_export.families.bergamot.marian_files import read_model
from tests.unit.export.families.bergamot.marian_writer import binary, float32, intgemm8, options, quantized

RNG = np.random.default_rng(0)
TABLE, MATRIX, BIAS = (RNG.normal(size=shape).astype(np.float32) for shape in ((12, 4), (4, 6), (1, 6)))
OPTIONS = {"type": "transformer", "dec-cell": "ssru", "dim-vocabs": [12, 12]}
ITEMS = {
    "Wemb": intgemm8(TABLE, is_table=True),
    "encoder_l1_ffn_W1": intgemm8(MATRIX),
    "encoder_l1_ffn_b1": float32(BIAS),
    "special:model.yml": options(OPTIONS),
}
FILE = binary(ITEMS)


def _written(tmp_path: Path, content: bytes, name: str = "model.bin") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def _refusal(path: Path) -> str:
    """Why a file is refused; its name if it is read."""
    try:
        read_model(path)
    except ExportError as error:
        return str(error)
    return path.name


def test_reads_every_kind_of_item(tmp_path: Path) -> None:
    model = read_model(_written(tmp_path, FILE))
    assert model.options == OPTIONS
    assert set(model.items) == set(ITEMS) - {"special:model.yml"}
    for name, weight in (("Wemb", TABLE), ("encoder_l1_ffn_W1", MATRIX)):
        numbers, multiplier = quantized(weight)
        item = model.items[name]
        assert item.values.dtype == np.int8
        np.testing.assert_array_equal(item.values, numbers)
        assert item.multiplier == multiplier
        np.testing.assert_allclose(item.weight, weight, atol=0.5 / multiplier * 1.001)
    np.testing.assert_array_equal(model.items["encoder_l1_ffn_b1"].weight, BIAS)
    assert model.items["encoder_l1_ffn_b1"].multiplier is None


def test_reads_half_precision(tmp_path: Path) -> None:
    half = (0x402, BIAS.shape, BIAS.astype("<f2").tobytes())
    item = read_model(_written(tmp_path, binary({**ITEMS, "half": half}))).items["half"]
    assert item.values.dtype == np.float32
    np.testing.assert_array_equal(item.weight, BIAS.astype(np.float16).astype(np.float32))


def test_reads_npz(tmp_path: Path) -> None:
    content = np.frombuffer(options(OPTIONS)[2], np.int8)
    np.savez(tmp_path / "model.npz", **{"Wemb": TABLE, "special:model.yml": content})  # type: ignore[arg-type]
    model = read_model(tmp_path / "model.npz")
    assert model.options == OPTIONS
    np.testing.assert_array_equal(model.items["Wemb"].weight, TABLE)


def test_reads_compressed_files(tmp_path: Path) -> None:
    model = read_model(_written(tmp_path, gzip.compress(FILE), "model.bin.gz"))
    assert model.options == OPTIONS
    np.testing.assert_array_equal(model.items["encoder_l1_ffn_b1"].weight, BIAS)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (gzip.compress(FILE)[:-9], "damaged or no gzip file"),
        (FILE, "damaged or no gzip file"),
        (gzip.compress(bytes(2**25)), "unpacks to more than"),
    ],
)
def test_damaged_compressed_files_are_refused(tmp_path: Path, content: bytes, cause: str) -> None:
    with pytest.raises(ExportError, match=rf"model\.bin\.gz .*{cause}|model\.bin\.gz is {cause}"):
        read_model(_written(tmp_path, content, "model.bin.gz"))


@pytest.mark.parametrize("arrays", [{"a": np.array([{}], object)}, {"a": np.zeros(3, np.complex64)}])
def test_npz_holds_numbers_alone(tmp_path: Path, arrays: dict[str, Any]) -> None:
    np.savez(tmp_path / "model.npz", **arrays)
    with pytest.raises(ExportError, match=r"model\.npz"):
        read_model(tmp_path / "model.npz")


def test_npz_whose_header_promises_more_than_is_there_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", a=np.zeros((3, 3), np.float32))
    with zipfile.ZipFile(tmp_path / "whole.npz") as whole, zipfile.ZipFile(tmp_path / "model.npz", "w") as archive:
        archive.writestr("a.npy", whole.read("a.npy").replace(b"(3, 3)", b"(9, 9)"))
    with pytest.raises(ExportError, match="a is an array of 81 numbers"):
        read_model(tmp_path / "model.npz")


@pytest.mark.parametrize("end", range(0, len(FILE), 37))
def test_truncated_files_are_refused(tmp_path: Path, end: int) -> None:
    with pytest.raises(ExportError, match=r"model\.bin is damaged or no model of Marian: it ends within"):
        read_model(_written(tmp_path, FILE[:end]))


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (binary(ITEMS, version=2), "it begins with the number 2"),
        (FILE + b"x", "1 bytes behind the last item"),
        (struct.pack("<QQ", 1, 2**60), "items, more than"),
        (binary({**ITEMS, "w": (0x4101, (4, 6), b"\1" * 24 + struct.pack("<f", 0))}), "w has the multiplier 0.0"),
        (binary({**ITEMS, "w": (0x4101, (4, 6), b"\1" * 24 + struct.pack("<f", -2))}), "w has the multiplier -2.0"),
        (binary({**ITEMS, "w": (0x4101, (1, 1), b"\1" + struct.pack("<f", np.nan))}), "w has the multiplier nan"),
        (binary({**ITEMS, "w": (0x4101, (1, 1), b"\1" + struct.pack("<f", 1e30))}), "w has the multiplier 1.0"),
        (binary({**ITEMS, "w": (0x4101, (4, 6), b"\1" * 24)}), "too few for int8 with a multiplier"),
        (binary({**ITEMS, "w": (0x404, (4, 6), b"\1" * 24)}), r"w, \(4, 6\), has 24 bytes, too few"),
        (binary({**ITEMS, "w": (0x5101, (4, 6), b"\1" * 24)}), "w is of type intgemm8avx2"),
        (binary({**ITEMS, "w": (0x777, (4, 6), b"\1" * 24)}), "w is of type 0x777"),
        (binary({**ITEMS, "w": (0x404, (-4, 6), b"\1" * 24)}), "w has shape"),
        (binary({**ITEMS, "w": (0x404, (1,) * 9, b"\1" * 4)}), "w has 9 axes"),
        (binary({**ITEMS, "w": float32(np.array([np.inf]))}), "w is not finite"),
        (binary({"Wemb": ITEMS["Wemb"]}), "no options"),
        (binary({**ITEMS, "special:model.yml": float32(BIAS)}), "its options are"),
        (binary({**ITEMS, "special:model.yml": (0x101, (4,), b"a: [")}), "special:model.yml is no YAML"),
        (binary({**ITEMS, "special:model.yml": (0x101, (3,), b"one")}), "special:model.yml holds str"),
        (binary({**ITEMS, "special:model.yml": (0x101, (20,), b"a: &x [1]\nb: [*x, *x]")}), "it has YAML aliases"),
        (binary({**ITEMS, "special:model.yml": (0x101, (9999,), b"[" * 9999)}), "is nested more than 8 deep"),
    ],
)
def test_malformed_files_are_refused_by_name_and_cause(tmp_path: Path, content: bytes, cause: str) -> None:
    with pytest.raises(ExportError, match=cause) as refusal:
        read_model(_written(tmp_path, content))
    assert "model.bin" in str(refusal.value)


def test_items_of_one_name_are_refused(tmp_path: Path) -> None:
    content = binary({**ITEMS, "encoder_l1_ffn_b2": float32(BIAS)}).replace(b"ffn_b2", b"ffn_b1")
    with pytest.raises(ExportError, match="items of the same name: encoder_l1_ffn_b1"):
        read_model(_written(tmp_path, content))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.integers(0, 8 * len(FILE) - 1), min_size=1, max_size=4), cut=st.integers(0, len(FILE)))
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, flips: list[int], cut: int) -> None:
    content = bytearray(FILE)
    for flip in flips:
        content[flip // 8] ^= 1 << flip % 8
    for damaged in (bytes(content), bytes(content[:cut])):
        assert "model.bin" in _refusal(_written(tmp_path, damaged))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    for name, head in (("model.bin", struct.pack("<QQ", 1, 3)), ("model.npz", b"PK\x03\x04")):
        for damaged in (content, head + content):
            assert name in _refusal(_written(tmp_path, damaged, name))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.integers(0, 2**16), min_size=1, max_size=4))
def test_a_damaged_npz_is_read_or_refused(tmp_path: Path, flips: list[int]) -> None:
    options_item = np.frombuffer(options(OPTIONS)[2], np.int8)
    np.savez_compressed(tmp_path / "whole.npz", **{"Wemb": TABLE, "special:model.yml": options_item})  # type: ignore[arg-type]
    content = bytearray((tmp_path / "whole.npz").read_bytes())
    for flip in flips:
        content[flip // 8 % len(content)] ^= 1 << flip % 8
    assert "model.npz" in _refusal(_written(tmp_path, bytes(content), "model.npz"))
