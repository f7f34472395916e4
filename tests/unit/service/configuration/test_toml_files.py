"""TOML files, and the faults that people write into them."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.configuration.toml_files import TomlError, read_toml

MORE = "is followed by more than its value: a text needs quotes, and a number has no unit"


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfa = 1\nb = 2\n", b"a = 1\r\nb = 2\r\n", b"a = 1\rb = 2"])
def test_marks_and_line_ends_of_editors_are_read(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(content)
    assert read_toml(file) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = 1\nsize = 10MB", f"line 2: size: {MORE}"),
        (b"a = 1\nsize = 10MB\nb = 1\n", f"line 2: size: {MORE}"),
        (b"wait = 5s", f"line 1: wait: {MORE}"),
        (b"a = 1;", f"line 1: a: {MORE}"),
        (b"a = 1\n\na = 2\nb = 3", "line 3: a: is set twice"),
        (b"a = 1\na = 2\n\n\n", "line 2: a: is set twice"),
        (b"[t]\na = 1\n[t]\nb = 2", "line 3: a table that exists already"),
        (b"a: 1", "line 1: must be KEY = VALUE"),
        (b'{"a": 1}', "line 1: must be KEY = VALUE"),
        (b"a = yes", "line 1: a: must be a text in quotes, a number, true, false, a list or a table"),
        (b"a =", "line 1: a: must be a text in quotes, a number, true, false, a list or a table"),
        (
            rb'a = "C:\users"',
            "line 1: a: a backslash in double quotes begins an escape; single quotes take it as it is",
        ),
        (b"a = 1\nb = '\xe4'", "line 2: byte 0xe4 is not UTF-8"),
        ("a = 1".encode("utf-16"), "the file is UTF-16, and must be UTF-8"),
        (b"a = " + b"[" * 5000, "lists or tables are nested too deeply"),
    ],
)
def test_a_fault_is_named_by_line_and_key(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(content)
    with pytest.raises(TomlError) as caught:
        read_toml(file)
    assert str(caught.value) == message


@given(st.binary(max_size=40) | st.text("a=[]{}\"'\\\n 1.,#", max_size=40).map(str.encode))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    with suppress(TomlError):
        assert isinstance(read_toml(file), dict)
