"""What reading a damaged zip raises."""

import lzma
import struct
import zipfile
import zlib

# zipfile's own errors, those of each decompressor, and those of wrong numbers.
ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, LookupError, OSError, OverflowError, RuntimeError, ValueError),
)
