"""`python -m tests.faults.fuzz PARSER --seconds 600`: feeds one parser from atheris, guided by code coverage.

Needs atheris (`pip install atheris`), which the tests do not. The first finding ends it with status 1 and is written
to `crash-...`. docs/fuzzing.md has the results of our runs.
"""

import argparse
import logging
import sys
from pathlib import Path

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

WATCHED = [
    *("regard_service", "regard_models", "google.protobuf.json_format", "opentelemetry.trace", "PIL"),
    *("regard_export.checkpoints", "regard_export.families", "yaml", "zipfile", "numpy.lib.format"),
]


def main() -> None:
    # Modules imported here are instrumented: the parsers, and the Python libraries below them.
    with atheris.instrument_imports(include=WATCHED):
        from tests.faults import parsers, seeds

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("parser", choices=parsers.PARSERS)
    options.add_argument("--seconds", type=int, default=600)
    options.add_argument("--slowest", type=int, default=20, help="seconds by the clock that an input may take")
    options.add_argument("--longest", type=int, default=8192, help="bytes of an input")
    options.add_argument(
        "--corpus", type=Path, default=Path("fuzz-corpus"), help="where inputs that reach more are kept"
    )
    given = options.parse_args()

    logging.disable(logging.CRITICAL)  # each refusal logs a line
    corpus = given.corpus / given.parser
    corpus.mkdir(parents=True, exist_ok=True)
    for position, seed in enumerate(seeds.of(given.parser)):
        (corpus / f"seed-{position}").write_bytes(seed)
    arguments = [f"-max_total_time={given.seconds}", f"-max_len={given.longest}", "-rss_limit_mb=3000"]
    arguments += [f"-timeout={given.slowest}", str(corpus)]
    atheris.Setup([sys.argv[0], *arguments], parsers.PARSERS[given.parser])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
