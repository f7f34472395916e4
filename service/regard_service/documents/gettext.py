"""PO and POT files of GNU gettext: msgid becomes msgstr, marked fuzzy until a person has looked at it.

Only what changes is written anew: the msgstr of an entry, its flags, and fields of the header that a template leaves
open. An entry that has a translation keeps it. A translation that lacks a format directive of its message is refused:
it could crash the program.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from regard_service.documents.accelerators import with_accelerator, without_accelerator
from regard_service.documents.encoding import DecodedText, decode, has_mark
from regard_service.documents.gettext_entries import WIDTH, Entry, read_entries, unescaped, written
from regard_service.documents.html import is_balanced_html
from regard_service.documents.icu import Leaf, is_complex, message_leaves
from regard_service.documents.inline import BrokenTags, unit_text
from regard_service.documents.places import Place, bounded, spliced
from regard_service.documents.plurals import PluralForms, forms_of_language, read_forms
from regard_service.documents.unit import Document, DocumentOptions, Fault, Unit, Written, has_words, refused
from regard_service.domain.results import Span

_CHARSET = re.compile(rb'"Content-Type:[^"]{0,80}?charset=([\w.:-]{1,40})', re.IGNORECASE)
_DIRECTIVE = re.compile(
    r"%(?:\d+\$|\([^()]*\)|<[^<>]*>)?[-+ #0']*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|ll|[hlqjztLI])?[a-zA-Z%@]|\{[^{}]*\}"
)
_FUZZY = "fuzzy"
_FIELD = re.compile(r'"(Language|Plural-Forms|Content-Type): ([^"]*?)(?:\\n)?"')


@dataclass(frozen=True)
class _Message:
    """A text of an entry that is a unit: what it is without the white space around it, which the translation gets too.

    Attributes:
        is_plural: it is the entry's msgid_plural.
        accelerator: the mark of a keyboard shortcut and its letter, which the unit is without; "" if it has none.
        leaf: the branch of an ICU message that the unit is; None for a whole text.
    """

    entry: Entry
    unit: Unit
    is_plural: bool
    before: str
    behind: str
    accelerator: str
    leaf: Leaf | None = None


def open_gettext(data: bytes, options: DocumentOptions) -> Document:
    """Reads a PO or POT file in the encoding of its header. Raises InvalidInput."""
    declared = _CHARSET.search(data)
    charset = declared[1].decode("ascii") if declared and not has_mark(data) else ""
    decoded = decode(data, "" if charset == "CHARSET" else charset or options.charset)
    entries = read_entries(decoded.text)
    header = next((each for each in entries if each.id == "" and each.context is None), None)
    messages = [m for entry in entries if _is_to_translate(entry, options) for m in _messages(entry)]
    _check_language(header, entries, options)
    _, notes = bounded([Place((each.unit,), (), lambda _: ()) for each in messages], options)
    short = [each for each in messages if len(each.unit.text) <= options.max_unit_characters]
    return _GettextDocument(decoded, header, short, options, notes)


def _is_to_translate(entry: Entry, options: DocumentOptions) -> bool:
    return bool(entry.id) and entry.place is not None and (options.replaces_existing or not entry.is_translated)


def _messages(entry: Entry) -> Iterator[_Message]:
    context = "; ".join([*([entry.context] if entry.context else []), *entry.comments])
    if entry.id and not entry.plural and is_complex(entry.id):
        for leaf in message_leaves(entry.id) or ():
            unit = Unit(*unit_text(leaf.pieces), f"line {entry.line} {leaf.branch}".strip(), context)
            yield _Message(entry, unit, is_plural=False, before="", behind="", accelerator="", leaf=leaf)
        return
    for text, is_plural in ((entry.id, False), (entry.plural, True)):
        if text and has_words(text):
            inner = text.strip()
            start = text.index(inner)
            behind = text[start + len(inner) :]
            inner, accelerator = without_accelerator(inner)
            form = "html" if is_balanced_html(inner) else "plain"
            name = f"line {entry.line}" + (" plural" if is_plural else "")
            unit = Unit(inner, form, name, context)  # type: ignore[arg-type]  # mypy widens the literals
            yield _Message(entry, unit, is_plural, text[:start], behind, accelerator)


def _check_language(header: Entry | None, entries: Sequence[Entry], options: DocumentOptions) -> None:
    """Raises InvalidInput if the file's translations are in another language, which the new ones would join."""
    found = _field(header, "Language").partition("_")[0].lower()
    target = options.target_language.replace("_", "-").partition("-")[0].lower()
    has_others = any(entry.id and entry.is_translated for entry in entries) and not options.replaces_existing
    if found and target and found != target and has_others:
        raise refused(f"has translations into {found!r} already; the call asks for {target!r}")


def _field(header: Entry | None, name: str) -> str:
    """Returns a field of the header; "" if it is missing."""
    lines = header.strings.get(0, "").split("\n") if header else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:")), "")


@dataclass(frozen=True)
class _GettextDocument:
    """A PO file."""

    _source: DecodedText
    _header: Entry | None
    _messages: Sequence[_Message]
    _options: DocumentOptions
    _notes: tuple[Fault, ...]

    @property
    def units(self) -> Sequence[Unit]:
        """The messages without a translation."""
        return [each.unit for each in self._messages]

    def write(self, translations: Sequence[str | None]) -> Written:
        """Returns the file with the translations, marked fuzzy."""
        faults = list(self._notes)
        texts: dict[int, dict[bool, str]] = {}
        branches: dict[int, list[tuple[Span, str]]] = {}
        entries: dict[int, Entry] = {}
        for index, (message, translation) in enumerate(zip(self._messages, translations, strict=True)):
            if not translation or not translation.strip():
                continue
            if message.leaf is not None:
                try:
                    branch = message.leaf.span, message.leaf.write(translation.strip())
                except BrokenTags as error:
                    faults.append(Fault(f"left untranslated: {error}", index))
                    continue
                branches.setdefault(message.entry.line, []).append(branch)
                entries[message.entry.line] = message.entry
                continue
            if _lacks_directives(message, translation):
                faults.append(Fault("left untranslated: the translation lacks a format directive", index))
                continue
            label = with_accelerator(translation.strip(), message.accelerator)
            text = f"{message.before}{label}{message.behind}"
            texts.setdefault(message.entry.line, {})[message.is_plural] = text
            entries[message.entry.line] = message.entry
        texts |= {line: {False: spliced(entries[line].id or "", found)} for line, found in branches.items()}
        if not texts:
            return Written(self._source.encode(self._source.text), tuple(faults))
        replacements = [r for line, found in texts.items() for r in self._replacements(entries[line], found)]
        return self._written(replacements, faults)

    def _replacements(self, entry: Entry, texts: dict[bool, str]) -> Iterator[tuple[Span, str]]:
        """Yields what replaces the flags and the translations of an entry."""
        if entry.plural and True not in texts:
            return
        if entry.flag_place is not None and _FUZZY not in entry.flags:
            flags = ", ".join([_FUZZY, *entry.flags])
            yield entry.flag_place, f"#, {flags}" + ("" if entry.has_flags else self._line_end)
        if entry.place is not None:
            lines = [
                written(keyword, text, self._line_end, is_wrapped=self._is_wrapped)
                for keyword, text in self._strings(entry, texts)
            ]
            yield entry.place, self._line_end.join(lines)

    def _strings(self, entry: Entry, texts: dict[bool, str]) -> Iterator[tuple[str, str]]:
        """Yields the keywords of an entry's translations with their strings."""
        if not entry.plural:
            yield "msgstr", texts[False]
            return
        forms = self._forms
        # Where other numbers share the form of 1, a singular that leaves the number out ("one file") does not fit.
        is_singular = False in texts and (forms.is_one_alone or _directives(texts[False]) == _directives(texts[True]))
        for form in range(forms.number):
            yield f"msgstr[{form}]", texts[not (form == forms.one and is_singular)]

    @cached_property
    def _forms(self) -> PluralForms:
        found = read_forms(_field(self._header, "Plural-Forms"))
        forms = found or read_forms(forms_of_language(self._options.target_language))
        return forms or PluralForms(2, 0, is_one_alone=True)

    @cached_property
    def _line_end(self) -> str:
        return "\r\n" if "\r\n" in self._source.text else "\n"

    @cached_property
    def _is_wrapped(self) -> bool:
        """Whether the file's strings are broken at gettext's width."""
        strings = (line for line in self._source.text.splitlines() if line.startswith('"'))
        return all(len(line) <= WIDTH + 1 for line in strings)

    def _written(self, replacements: list[tuple[Span, str]], faults: list[Fault]) -> Written:
        replacements += self._header_fields()
        text = spliced(self._source.text, sorted(replacements))
        if self._header is None:
            text = _NEW_HEADER.replace("\n", self._line_end) + text
        data, widened = self._source.encode_or_widen(text)
        if widened:
            text = re.sub(r"(Content-Type:[^\"]*charset=)[\w.:-]+", r"\g<1>UTF-8", text, count=1)
            data = text.encode(errors="replace")
        return Written(data, (*faults, *widened))

    def _header_fields(self) -> Iterator[tuple[Span, str]]:
        """Yields the fields of the header that a template leaves open."""
        header, language = self._header, self._options.target_language
        if header is None or header.place is None:
            return
        has_plurals = any(message.is_plural for message in self._messages)
        for match in _FIELD.finditer(self._source.text, header.place.start, header.place.end):
            name, value = match[1], unescaped(f'"{match[2]}"')
            new = value
            if name == "Language" and not value.strip() and language:
                new = language.replace("-", "_")
            elif name == "Plural-Forms" and has_plurals and read_forms(value) is None:
                new = forms_of_language(language)
            elif name == "Content-Type":
                new = value.replace("charset=CHARSET", "charset=UTF-8")
            if new != value:
                yield Span(*match.span()), f'"{name}: {new}\\n"'
        if has_plurals and not _field(header, "Plural-Forms"):
            end = Span(header.place.end, header.place.end)
            yield end, f'{self._line_end}"Plural-Forms: {forms_of_language(language)}\\n"'


_NEW_HEADER = """msgid ""
msgstr ""
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def _lacks_directives(message: _Message, translation: str) -> bool:
    """Whether the translation of a message with format directives has not the same ones."""
    if not any(flag.endswith("-format") and not flag.startswith("no-") for flag in message.entry.flags):
        return False
    return _directives(message.unit.text) != _directives(translation)


def _directives(text: str) -> Counter[str]:
    return Counter(_DIRECTIVE.findall(text))
