"""Every parser of model files that others wrote, as a function that accepts or refuses any bytes.

The functions call the families' own readers, below `load_source_model`, which makes an ExportError of any exception: a
refusal here names the file and the cause by itself. An exception that a function raises is a finding.
"""

import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from unittest.mock import patch

import numpy as np
import yaml

from regard_export.checkpoints.source_model import LoadOptions
from regard_export.errors import ExportError
from regard_export.families.bergamot.contents import read_json_settings
from regard_export.families.bergamot.marian_files import read_model
from regard_export.families.bergamot.shortlists import read_shortlist
from regard_export.families.bergamot.student import load as load_student
from regard_export.families.bergamot.student_options import StudentOptions, student_options
from regard_export.families.bergamot.student_weights import describe
from regard_export.families.toolkits.ctranslate2 import load as load_ctranslate2
from tests.unit.export import ctranslate2_checkpoints
from tests.unit.export.families.bergamot.marian_writer import binary, float32, intgemm8, options
from tests.unit.export.student_checkpoints import shortlist_bytes, write_student

SMALL = {
    "type": "transformer",
    "dim-emb": 2,
    "dim-vocabs": [3, 3],
    "enc-depth": 1,
    "dec-depth": 1,
    "transformer-heads": 1,
    "transformer-dim-ffn": 2,
    "transformer-preprocess": "",
    "transformer-postprocess": "dan",
    "transformer-decoder-autoreg": "rnn",
    "transformer-guided-alignment-layer": "last",
    "dec-cell": "ssru",
    "tied-embeddings-all": True,
}
CONFIG = b"models: [model.enpt.bin]\nvocabs: [vocab.enpt.spm, vocab.enpt.spm]\nbeam-size: 2\nnormalize: 0.6\n"
INFO = b'{"modelName": "tiny", "shortName": "en-pt-tiny", "version": 2.0}'
OPTIONS = LoadOptions()


def read_marian(data: bytes) -> None:
    """Reads bytes as a model of Marian's binary format, to weights."""
    _read_weights("model.bin", data)


def read_marian_npz(data: bytes) -> None:
    """Reads bytes as a model of Marian's `.npz`, to weights."""
    _read_weights("model.npz", data)


def read_lexicon(data: bytes) -> None:
    """Reads bytes as a lexical shortlist of three source and three target pieces, compressed or not."""
    for name in ("lex.bin", "lex.bin.gz"):
        _refused(lambda file: read_shortlist(file, 3, 3), _folder() / name, data)


def read_student_settings(data: bytes) -> None:
    """Reads bytes as the options within a model, as the config of a whole folder, and as its description."""
    folder = _student()
    _refused(lambda file: student_options(read_model(file)), folder / "options.bin", _with_options(data))
    _refused(lambda file: load_student(file.parent, OPTIONS), folder / "config.yml", data, CONFIG)
    _refused(read_json_settings, folder / "model_info.json", data, INFO)


def read_ctranslate2(data: bytes) -> None:
    """Reads bytes as a `model.bin` of CTranslate2 in a whole folder."""
    _refused(lambda file: load_ctranslate2(file.parent, OPTIONS), _ctranslate2() / "model.bin", data)


def read_argos_package(data: bytes) -> None:
    """Reads bytes as a package of Argos Translate."""
    _refused(lambda file: load_ctranslate2(file, OPTIONS), _folder() / "translate-en_de.argosmodel", data)


MODEL_PARSERS: dict[str, Callable[[bytes], None]] = {
    "marian": read_marian,
    "marian-npz": read_marian_npz,
    "lexicon": read_lexicon,
    "student-settings": read_student_settings,
    "ctranslate2": read_ctranslate2,
    "argos-package": read_argos_package,
}


def marian_models() -> list[bytes]:
    """Models of every kind of item, of a few weights."""
    return [binary(_items(int8)) for int8 in (False, True)]


def marian_npz_models() -> list[bytes]:
    """Models, stored and compressed by each method that a zip has."""
    content = np.frombuffer(options(SMALL)[2], np.int8)
    file = BytesIO()
    np.savez(file, allow_pickle=False, **_weights(), **{"special:model.yml": content})
    methods = (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    return [file.getvalue(), *(_compressed(file.getvalue(), method) for method in methods)]


def lexicons() -> list[bytes]:
    """One shortlist."""
    return [shortlist_bytes([0, 1, 2, 4], [0, 1, 1, 2], num_first=1)]


def student_settings() -> list[bytes]:
    """Settings of each file; and YAML of which PyYAML makes other errors than its own."""
    hostile = (
        *(b"dim-emb: !!timestamp x", b'dim-emb: !!int ""', b'dim-emb: !!float ""', b"dim-emb: !!bool x"),
        *(b"dim-emb: 2001-99-99", b"? [a]\n: b", b"normalize: .nan", b"normalize: 1e999", b"beam-size: 1:1:1:1"),
        *(b"[" * 3000, b"{a: " * 3000, b"- " * 3000, b"a: &a [*a]", b'models: ["\\0"]'),
        b"beam-size: 0x" + b"f" * 5000,
        b'transformer-guided-alignment-layer: "' + b"9" * 5000 + b'"',
    )
    return [yaml.safe_dump(SMALL).encode(), CONFIG, INFO, *hostile, *(_small_with(each) for each in hostile)]


def ctranslate2_models() -> list[bytes]:
    """Models of every precision, of one narrow layer."""
    return [(_write_narrow(kind) / "model.bin").read_bytes() for kind in (None, "int8", "int16", "float16")]


def argos_packages() -> list[bytes]:
    """A package; damage of what is compressed; and entries that are in each other's way."""
    with tempfile.TemporaryDirectory() as folder:
        model = _write_narrow(None)
        whole = ctranslate2_checkpoints.write_package(Path(folder) / "a.argosmodel", model).read_bytes()
    long_name = "model/" + "a" * 300 + ".json"
    hostile = [_zip({"a.bin": b"", "a.bin/metadata.json": b"{}"}), _zip({long_name: b"", "metadata.json": b"{}"})]
    hostile += [_zip({"#": b"", "metadata.json": b"{}"}).replace(b"#", b"\0")]  # a name ends at its first NUL
    return [whole, _compressed(whole, zipfile.ZIP_LZMA), _compressed(whole, zipfile.ZIP_BZIP2), *hostile]


MODEL_SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "marian": marian_models,
    "marian-npz": marian_npz_models,
    "lexicon": lexicons,
    "student-settings": student_settings,
    "ctranslate2": ctranslate2_models,
    "argos-package": argos_packages,
}


def _refused(read: Callable[[Path], object], file: Path, data: bytes, original: bytes | None = None) -> None:
    """Reads a file of these bytes, which may be refused. Puts its original content back."""
    file.write_bytes(data)
    # What becomes infinite is refused, here or by verification.
    with suppress(ExportError), np.errstate(all="ignore"):
        read(file)
    if original is not None:
        file.write_bytes(original)


def _read_weights(name: str, data: bytes) -> None:
    def read(file: Path) -> None:
        model = read_model(file)
        describe(student_options(model), model.items, ())

    _refused(read, _folder() / name, data)


def _small_with(settings: bytes) -> bytes:
    """Small options, with those of other settings in front."""
    names = {line.split(":")[0] for line in settings.decode("latin-1").split("\n")}
    return settings + b"\n" + yaml.safe_dump({k: v for k, v in SMALL.items() if k not in names}).encode()


def _items(int8: bool) -> dict[str, tuple[int, tuple[int, ...], bytes]]:
    items = {
        name: intgemm8(weight, is_table=name == "Wemb") if int8 and "_W" in f"_{name}" and "_ln_" not in name
        else float32(weight)
        for name, weight in _weights().items()
    }  # fmt: skip
    return {**items, "special:model.yml": options(SMALL)}


def _weights() -> dict[str, np.ndarray]:
    names = StudentOptions(
        *(2, 1, 1, 1, 2, 2, 3, 3),
        cell="ssru",
        norm="post",
        has_final_norms=False,
        activation="relu",
        tables=("Wemb", "Wemb"),
        has_tied_output=True,
        has_output_bias=True,
        alignment_layer=0,
    ).shapes()
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in names.items()}


def _with_options(content: bytes) -> bytes:
    """A model whose options are these bytes."""
    data = content + b"\0"
    return binary({**_items(False), "special:model.yml": (0x101, (len(data),), data)})


def _zip(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def _compressed(archive: bytes, method: int) -> bytes:
    """The same entries, compressed by a method."""
    with zipfile.ZipFile(BytesIO(archive)) as entries:
        return _zip({name: entries.read(name) for name in entries.namelist()}, method)


@cache
def _folder() -> Path:
    """An empty folder, which the system removes."""
    return Path(tempfile.mkdtemp(prefix="regard-fuzz-models-"))


@cache
def _student() -> Path:
    folder = write_student(_folder() / "enpt")
    (folder / "model_info.json").write_bytes(INFO)
    return folder


@cache
def _ctranslate2() -> Path:
    return _write_narrow(None)


def _write_narrow(quantization: str | None) -> Path:
    """A model of CTranslate2 with one layer a side, of width 4: its file is small enough for a fuzzer."""
    with patch.multiple(ctranslate2_checkpoints, WIDTH=4, HEADS=1, INNER=4, LAYERS=1):
        folder = Path(tempfile.mkdtemp(dir=_folder())) / "model"
        return ctranslate2_checkpoints.write_ctranslate2(folder, quantization=quantization)
