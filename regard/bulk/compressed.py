"""Files that may be compressed with gzip, as streams of bytes with errors that name the file."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from regard.bulk.rows import CorpusError

_OTHER_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\0\0\xfe\xff": "UTF-32"}
UTF8_BOM = b"\xef\xbb\xbf"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, expanded if its name ends in .gz.

    Raises:
        CorpusError: the file is no file of gzip, or ends within one; it begins with the mark of UTF-16 or UTF-32.
        OSError: the file cannot be read.
    """
    try:
        is_compressed = path.suffix.lower() == ".gz"
        with gzip.open(path) if is_compressed else path.open("rb") as stream:
            _refuse_other_encodings(path, cast(BufferedReader, stream))
            yield cast(BinaryIO, stream)
    except EOFError:
        raise CorpusError(f"{path} is truncated: its end is missing") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise CorpusError(f"{path} is no whole file of gzip: {error}") from None


def _refuse_other_encodings(path: Path, stream: BufferedReader) -> None:
    begin = stream.peek(4)[:4]
    encoding = next((name for mark, name in _OTHER_BOMS.items() if begin.startswith(mark)), None)
    if encoding is not None:
        raise CorpusError(f"{path} is {encoding}, and must be UTF-8: iconv -f {encoding} -t UTF-8 converts it")
