"""Translates files: a document's units go through the same calls as any text, a window of them at a time."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from html import unescape
from itertools import islice

from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.documents.formats import format_of, open_document
from regard_service.documents.unit import Document, DocumentOptions, Fault, Unit, Written
from regard_service.domain.calls import TranslateCall
from regard_service.domain.documents import (
    DocumentCall,
    DocumentEvent,
    DocumentFinished,
    DocumentProgress,
    DocumentStarted,
    DocumentWarning,
)
from regard_service.domain.results import Result
from regard_service.errors import DeadlineUnreachable, InvalidInput, Overloaded

WINDOW = 32
"""Units in flight: a document of 10,000 units takes no more places in the queue at once."""

MAX_EVENTS = 200
"""Most events of progress, whatever the number of units."""

MAX_TEXT = 80
_UNIT_FIELD = "texts[0]"
_TAG = re.compile(r"<[^<>]*>")

Translate = Callable[[TranslateCall], Awaitable[list[Result]]]


async def translate_document(
    call: DocumentCall, translate: Translate, pool: BoundedThreadPool
) -> AsyncIterator[DocumentEvent]:
    """Translates a file and yields its events. Closing the iterator cancels what is in flight.

    A unit that cannot be translated stays as it is, with a warning; what is wrong with the call fails the call.

    Raises:
        InvalidInput: the file is not of its format, or a field of the call is bad.
    """
    options = DocumentOptions(
        target_language=call.target_language,
        replaces_existing=call.replaces_existing,
        max_unit_characters=call.max_unit_characters,
    )
    ((document, num_characters),) = await pool.run([partial(_opened, call, options)])
    media_type = format_of(call.media_type).media_type
    run = _Run(call, translate, document.units)
    yield DocumentStarted(len(run.units), media_type, num_characters)
    step = max(1, len(run.units) // MAX_EVENTS)
    num_told = 0
    async for num_done in run.progress():
        if num_done - num_told >= step or num_done == len(run.units):
            num_told = num_done
            yield DocumentProgress(num_done, len(run.units))
    (written,) = await pool.run([partial(_write, document, run.translations)])
    warnings = (*run.warnings(), *_fault_warnings(written.faults, run.units))
    yield DocumentFinished(written.data, media_type, warnings, run.model, run.version)


def _opened(call: DocumentCall, options: DocumentOptions) -> tuple[Document, int]:
    """Returns a file that has been read, and how many characters its texts have, tags aside."""
    document = open_document(call.document, call.media_type, options)
    texts = (unit.text if unit.format == "plain" else unescape(_TAG.sub("", unit.text)) for unit in document.units)
    return document, sum(map(len, texts))


def _write(document: Document, translations: Sequence[str | None]) -> Written:
    return document.write(translations)


@dataclass
class _Run:
    """The translation of a document's units. Units that are equal are translated once.

    Attributes:
        translations: of each unit; None for one that stays as it is.
        model, version: which answered.
    """

    call: DocumentCall
    translate: Translate
    units: Sequence[Unit]
    translations: list[str | None] = field(init=False)
    model: str = ""
    version: str = ""
    _found: dict[int, list[DocumentWarning]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.translations = [None] * len(self.units)

    async def progress(self) -> AsyncIterator[int]:
        """Translates the units; yields how many are done, each time that some are."""
        groups: dict[tuple[str, str], list[int]] = {}
        for index, unit in enumerate(self.units):
            groups.setdefault((unit.text, unit.format), []).append(index)
        waiting = iter(groups.values())
        running = {asyncio.ensure_future(self._run(group)) for group in islice(waiting, WINDOW)}
        done: set[asyncio.Task[int]] = set()
        num_done = 0
        try:
            while running:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                num_done += sum(task.result() for task in done)
                running |= {asyncio.ensure_future(self._run(group)) for group in islice(waiting, len(done))}
                yield num_done
        finally:
            for task in running:
                task.cancel()
            # Several units may fail at once: the first error ends the call, and the others are no news for the log.
            await asyncio.gather(*running, *done, return_exceptions=True)

    async def _run(self, group: Sequence[int]) -> int:
        """Translates equal units; returns how many they are."""
        unit = self.units[group[0]]
        try:
            result = await self._translated(unit)
        except InvalidInput as error:
            if not all(violation.field.startswith(_UNIT_FIELD) for violation in error.violations):
                raise
            fault = "; ".join(violation.description for violation in error.violations)
            self._warn(group, [DocumentWarning("document", f"the text stays as it is: it {fault}")])
            return len(group)
        for index in group:
            self.translations[index] = result.hypotheses[0].text
        self.model, self.version = result.model, result.version
        self._warn(group, [DocumentWarning(each.reason, each.message) for each in result.warnings])
        return len(group)

    async def _translated(self, unit: Unit) -> Result:
        """Translates a unit; waits as long as the queue is full and the call's deadline allows it."""
        call = _unit_call(self.call, unit)
        while True:
            try:
                return (await self.translate(call))[0]
            except DeadlineUnreachable:
                raise
            except Overloaded as error:
                if call.deadline is not None and time.monotonic() + error.retry_after_s > call.deadline:
                    raise
                await asyncio.sleep(error.retry_after_s)

    def _warn(self, group: Sequence[int], warnings: Sequence[DocumentWarning]) -> None:
        for index in group if warnings else ():
            self._found[index] = [_placed(each, index, self.units[index]) for each in warnings]

    def warnings(self) -> list[DocumentWarning]:
        """Returns the warnings of all units, in their order."""
        return [warning for index in sorted(self._found) for warning in self._found[index]]


def _unit_call(call: DocumentCall, unit: Unit) -> TranslateCall:
    """Returns the call that translates a unit."""
    return TranslateCall(
        model=call.model,
        generation=call.generation,
        is_bulk=call.is_bulk,
        deadline=call.deadline,
        texts=(unit.text,),
        source_language=call.source_language,
        target_language=call.target_language,
        truncation=call.truncation,
        text_options=replace(call.text_options, format=unit.format),
        control=call.control,
    )


def _fault_warnings(faults: Iterable[Fault], units: Sequence[Unit]) -> list[DocumentWarning]:
    found = [(DocumentWarning("document", fault.message), fault.unit) for fault in faults]
    return [each if unit is None else _placed(each, unit, units[unit]) for each, unit in found]


def _placed(warning: DocumentWarning, index: int, unit: Unit) -> DocumentWarning:
    return warning._replace(unit=index, place=unit.id, text=unit.text[:MAX_TEXT])
