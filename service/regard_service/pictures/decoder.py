"""The program that decodes expensive pictures for the server: pictures on standard input, pixels on standard output.

The system ends it first where memory is short, and it may take only so much.
"""

import json
import os
import resource
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from regard_service.bundle import ImageSource
from regard_service.pictures.decoder_process import HEADER, pack
from regard_service.pictures.reader import ImageLimits, ImageReader, Refused

MAX_BYTES = 768 * 2**20  # 40 million pixels take some 400 MB


def main() -> None:
    """Decodes until the input ends."""
    _limit_memory()
    source, output = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing else gets into the answers
    while (head := _read(source, HEADER.size)) is not None:
        described = json.loads(_read(source, *HEADER.unpack(head)) or b"{}")
        content = _read(source, described["size"])
        if content is None:
            return
        output.write(_decoded(described, content))
        output.flush()


def _decoded(described: dict[str, Any], content: bytes) -> bytes:
    reader = ImageReader(ImageSource.model_validate(described["source"]), ImageLimits(**described["limits"]))
    try:
        image = reader.decode(content)
    except Refused as refused:
        return pack({"refused": str(refused)})
    except MemoryError:
        return pack({"is_out_of_memory": True})
    return pack({"shape": image.array.shape, "grid": asdict(image.grid)}, image.array.tobytes())


def _limit_memory() -> None:
    with suppress(OSError, ValueError):  # other systems have neither file
        Path("/proc/self/oom_score_adj").write_text("1000")
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + MAX_BYTES, most))


def _read(source: IO[bytes], size: int) -> bytes | None:
    """Returns this many bytes; None if the input ends first."""
    content = source.read(size)
    return content if len(content) == size else None


if __name__ == "__main__":
    main()
