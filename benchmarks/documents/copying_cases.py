"""Sentences with what must be copied: generated parts in real sentences, and real parts of help pages.

Where a sentence and its reference share a name or a number, a generated part takes the place of both, so that BLEU
means something. The templates' sentences have no reference.
"""

import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

_NAMES = ("Tom", "Mary", "Boston", "John", "Australia", "Alice", "Jim", "Ken", "Bill", "Mike", "Jack", "Bob")
_NAME = re.compile(rf"(?<![\w'’-])(?:{'|'.join(_NAMES)})(?![\w'’-])")
_NUMBER = re.compile(r"(?<![\w.,:$€£/-])[0-9]{2,4}(?![\w:%/-]|[.,][0-9])")
_WORDS = "alpha river lemon tiger cobalt maple orbit pixel velvet canyon harbor nectar".split()
_HOSTS = ("example.com", "example.org", "shop.example.net", "docs.example.io", "mail.example.de")
_ENDINGS = ("pdf", "txt", "docx", "tar.gz", "png", "csv", "json", "py", "odt")
_EMOJI = "😀 🎉 👍🏽 👩‍👩‍👧‍👦 🇩🇪 ❤️ 🏴‍☠️ 1️⃣ ✅ 🤷🏾‍♀️ :smile: :tada:".split()

_TEMPLATES = (
    "Write to {} before Friday.",
    "You can find more information at {}.",
    "Please open {} and read it again.",
    "I sent {} to my boss yesterday.",
    "Do you know what {} means?",
    "We need {} to open the door.",
    "{} is not here.",
    "The teacher asked me about {} this morning.",
    "She did not understand {}, so she called me.",
    "Use {} if you want to go back.",
    "Is {} the right answer?",
    "Please give {} to your father.",
    "Both {} and {} are wrong.",
    "Read {} first, then {}.",
    "Compare {} with {}, and tell me about {}.",
)
_MARK_TEMPLATES = (
    "I love this song {}",
    "It is raining {} so we are staying at home.",
    "Happy birthday, my friend! {}",
    "{} Good morning!",
    "We won the game {}, and everybody was happy.",
)
_NUMBER_TEMPLATES = (
    "It costs {}.",
    "We need {} chairs for the party.",
    "More than {} people live in this city.",
    "He paid {} for the old car.",
    "The train arrives at {}.",
    "I was born in {}.",
    "My sister bought {} books and {} pens.",
    "The temperature is {} degrees today.",
)


@dataclass(frozen=True)
class Case:
    """A sentence, and what of it must come out.

    Attributes:
        kind: "generated", "real" or "numbers".
        spans: each must come out verbatim and as often as it stands here; for numbers, by value.
        reference: a translation with the same parts; None if there is none.
    """

    kind: str
    source: str
    spans: tuple[str, ...]
    reference: str | None = None


def cases(data: Path, language: str, num_cases: int, seed: int) -> list[Case]:
    """Returns sentences in English with parts to copy, half of them with references in a language.

    Args:
        data: holds `tatoeba` and `libreoffice_help`; the pairs of German serve other languages without references.
    """
    random = Random(seed)
    pairs = list(_pairs(data, "tatoeba", language))
    generated = [
        *_replaced(pairs, _NAME, _part, random, "generated"),
        *islice(_filled(_TEMPLATES, _part, random, "generated"), num_cases // 4),
        *islice(_filled(_MARK_TEMPLATES, lambda r: r.choice(_EMOJI), random, "generated"), num_cases // 10),
    ]
    numbers = [
        *_replaced(pairs, _NUMBER, _plain_number, random, "numbers"),
        *islice(_filled(_NUMBER_TEMPLATES, _number, random, "numbers"), num_cases // 3),
    ]
    random.shuffle(generated)
    return [*generated[:num_cases], *_real(data, language), *numbers[:num_cases]]


def _pairs(data: Path, name: str, language: str) -> Iterator[tuple[str, str | None]]:
    folder = data / name
    has_references = _dev(folder, language, "en").exists()
    pair = language if has_references else "de"
    sources = _lines(_dev(folder, pair, "en"))
    references = _lines(_dev(folder, pair, language)) if has_references else [None] * len(sources)
    yield from zip(sources, references, strict=True)


def _dev(folder: Path, language: str, side: str) -> Path:
    pair = f"en-{language}"
    return folder / pair / f"dev.{side}.gz" if (folder / "en-de").is_dir() else folder / f"dev.{pair}.{side}.gz"


def _lines(path: Path) -> list[str]:
    return gzip.open(path, "rt", encoding="utf-8", newline="\n").read().splitlines()


_Make = Callable[[Random], str]


def _replaced(
    pairs: Sequence[tuple[str, str | None]], pattern: re.Pattern[str], make: _Make, random: Random, kind: str
) -> Iterator[Case]:
    """Yields the pairs of which both sides hold what a pattern finds, once, with a part in its place."""
    for source, reference in pairs:
        found = pattern.findall(source)
        if len(found) != 1 or (reference is not None and pattern.findall(reference) != found):
            continue
        part = make(random)
        placed = None if reference is None else reference.replace(found[0], part)
        yield Case(kind, source.replace(found[0], part), (part,), placed)


def _filled(templates: Sequence[str], make: _Make, random: Random, kind: str) -> Iterator[Case]:
    while True:
        template = random.choice(templates)
        parts = [make(random) for _ in range(template.count("{}"))]
        if len(set(parts)) == len(parts):
            yield Case(kind, template.format(*parts), tuple(parts))


def _real(data: Path, language: str) -> Iterator[Case]:
    """Yields the help's sentences with file names, variables, cells and options that the reference has, too."""
    for source, reference in _pairs(data, "libreoffice_help", language):
        parts = tuple(dict.fromkeys(match[0] for match in _REAL.finditer(source)))
        if parts and len(source) < 250 and (reference is None or all(_is_in(p, source, reference) for p in parts)):
            yield Case("real", source, parts, reference)


_REAL = re.compile(
    r"(?<!\w)(?:[A-Z]{1,3}[0-9]{1,5}|\*?\.[a-z]{3}|\w+\.(?:exe|odt|ods|xml|txt|html|conf|so|py)|%\w+%?|--[a-z][\w-]+"
    r"|[a-z]+[A-Z]\w+(?:\(\))?|\w+_\w+|\[[A-Z]\w+\]|https?://[^\s<>()]+[\w/])(?!\w)"
)


def _is_in(part: str, source: str, reference: str) -> bool:
    return source.count(part) == reference.count(part)


def _part(random: Random) -> str:
    """Returns an address, a placeholder, a code or a name."""
    return random.choice(_PARTS)(random)


def _word(random: Random) -> str:
    return random.choice(_WORDS)


def _letters(random: Random, count: int) -> str:
    return "".join(random.choice("ABCDEFGHKLMNPRSTXYZ") for _ in range(count))


_PARTS: tuple[_Make, ...] = (
    lambda r: f"https://www.{r.choice(_HOSTS)}/{_word(r)}?id={r.randint(1, 99)}&{_word(r)}={_word(r)}",
    lambda r: f"http://{r.choice(_HOSTS)}/{_word(r)}/{_word(r)}.html#{_word(r)}",
    lambda r: f"{_word(r)}.{_word(r)}@{r.choice(_HOSTS)}",
    lambda r: f"{_word(r)}{r.randint(1, 99)}@{r.choice(_HOSTS)}",
    lambda r: f"{_word(r)}_{r.randint(2000, 2030)}.{r.choice(_ENDINGS)}",
    lambda r: f"{_word(r)}-{_word(r)}.{r.choice(_ENDINGS)}",
    lambda r: f"/home/{_word(r)}/{_word(r)}/{_word(r)}.{r.choice(_ENDINGS)}",
    lambda r: f"C:\\{_word(r).title()}\\{_word(r)}.{r.choice(_ENDINGS)}",
    lambda r: f"{_letters(r, 2)}-{r.randint(100, 999)}-{_letters(r, 1)}",
    lambda r: f"{_letters(r, 3)}{r.randint(1000, 99999)}",
    lambda r: f"{{{_word(r)}}}",
    lambda r: f"{{{r.randint(0, 4)}}}",
    lambda r: f"{{{{ {_word(r)}.{_word(r)} }}}}",
    lambda r: f"${{{_word(r)}}}",
    lambda r: r.choice(("%s", "%1$s", "%2$s", "%@")),
    lambda r: f"%({_word(r)})s",
    lambda r: f"@{_word(r)}_{_word(r)}",
    lambda r: f"#{_word(r).title()}{_word(r).title()}",
    lambda r: f"`{_word(r)} --{_word(r)}`",
    lambda r: f"`{_word(r)}()`",
    lambda r: f"[{_word(r).title()} {_word(r).title()}]",
    lambda r: f"{_word(r)}_{_word(r)}",
    lambda r: f"v{r.randint(1, 9)}.{r.randint(0, 20)}.{r.randint(0, 9)}",
)


def _plain_number(random: Random) -> str:
    return random.choice(
        (
            str(random.randint(2, 19)),
            str(random.randint(20, 999)),
            f"{random.randint(1, 999)},{random.randint(0, 999):03}",
            f"{random.randint(1, 99)}.{random.randint(1, 9)}",
        )
    )


def _number(random: Random) -> str:
    return random.choice(
        (
            _plain_number(random),
            f"${random.randint(1, 99)}.{random.randint(0, 99):02}",
            f"€{random.randint(2, 900)}",
            f"{random.randint(2, 99)}%",
            str(random.randint(1750, 2040)),
            f"{random.randint(1, 12)}:{random.randint(0, 59):02}",
            f"{random.randint(1, 9)},{random.randint(0, 999):03},{random.randint(0, 999):03}",
            f"{random.randint(2000, 2030)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}",
        )
    )
