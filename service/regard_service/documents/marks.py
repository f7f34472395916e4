"""How many parts a file may have: counted before it is read, since a reader makes objects of them.

A list of four million Markdown items, 16 MB, would take five minutes and nine gigabytes. The limits are those of about
200 MB and ten seconds: far more than a book.
"""

from dataclasses import dataclass

from regard_service.documents.unit import refused

SLICE_BYTES = 1 << 16


@dataclass(frozen=True)
class Marks:
    """A limit.

    Attributes:
        counted: the bytes that mark a part, in any encoding; one each.
        name: what they are, in the plural.
    """

    counted: tuple[bytes, ...]
    name: str
    limit: int

    def check(self, data: bytes) -> None:
        """Raises InvalidInput if a file has too many. Counts slice by slice, to the limit at most: counting holds the
        interpreter, 40 ms for four million tags.
        """
        number = 0
        for start in range(0, len(data) if self.counted else 0, SLICE_BYTES):
            number += sum(data.count(mark, start, start + SLICE_BYTES) for mark in self.counted)
            if number > self.limit:
                raise refused(f"has more than {self.limit} {self.name}")


_ENDS = (b"\n", b"\r")
NONE = Marks((), "parts", 0)  # of formats of XML, whose elements are counted as they are parsed
LINES_OF_TEXT = Marks(_ENDS, "lines", 500_000)
LINES_OF_MARKDOWN = Marks((*_ENDS, b"|", b"<"), "lines, cells and tags", 100_000)
LINES = Marks(_ENDS, "lines", 400_000)
TAGS_OF_HTML = Marks((b"<", b"&"), "tags and entities", 200_000)
VALUES = Marks((b",", b"[", b"{", b":"), "values", 400_000)
