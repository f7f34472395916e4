"""LibreTranslate's /translate, /detect and /suggest: its fields become a request of ours, and results its answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from regard.v1 import regard_pb2 as pb
from regard_service.domain.results import Result
from regard_service.errors import FieldViolation, Forbidden, InvalidInput, ModelNotFound
from regard_service.http.context import HttpContext
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.door import Answer, Json
from regard_service.http.doors.fields import Fields
from regard_service.http.doors.given import Given
from regard_service.http.doors.libretranslate.catalogue import unknown_language
from regard_service.http.json_fields import shown
from regard_service.languages.detection import DetectedLanguage

AUTO = "auto"
MAX_ALTERNATIVES = 15
MIN_BEAMS = 4  # of a search for alternatives
UNDETERMINED = "und"  # BCP 47's code of a language that nobody could tell

_FORMATS = {"text": pb.FORMAT_PLAIN, "html": pb.FORMAT_HTML}
_OWN_NAMES = {
    "texts": "q",
    "document": "file",
    "media_type": "file",
    "source_language": "source",
    "target_language": "target",
    "text_options.format": "format",
    "generation.num_beams": "alternatives",
    "generation.num_return_sequences": "alternatives",
}


@dataclass(frozen=True)
class Translation:
    """A request of /translate.

    Attributes:
        is_list: whether `q` is a list, and the answer has lists too.
    """

    request: pb.TranslateRequest
    is_list: bool

    @property
    def num_alternatives(self) -> int:
        """How many outputs are answered beside the best one."""
        return max(0, self.request.generation.num_return_sequences - 1)


def read_translation(given: Given) -> Translation:
    """Reads /translate. Raises InvalidInput with every bad field."""
    faults: list[FieldViolation] = []
    fields = given.fields
    texts = read_texts(fields, faults)
    request = pb.TranslateRequest(
        texts=texts,
        source_language=read_language(fields, "source", faults),
        target_language=read_language(fields, "target", faults),
        text_options=pb.TextOptions(format=_format(fields, faults)),
    )
    num_alternatives = _alternatives(fields, faults)
    if faults:
        raise InvalidInput(faults)
    if num_alternatives:
        request.generation.num_return_sequences = 1 + num_alternatives
        request.generation.num_beams = max(MIN_BEAMS, 1 + num_alternatives)
    return Translation(request, isinstance(fields.every("q"), list))


def read_detection(given: Given) -> str:
    """Reads /detect. Raises InvalidInput."""
    faults: list[FieldViolation] = []
    texts = read_texts(given.fields, faults)
    if not faults and isinstance(given.fields.every("q"), list):
        faults.append(FieldViolation("q", "must be one text; it is a list"))
    if faults:
        raise InvalidInput(faults)
    return texts[0]


def read_texts(fields: Fields, faults: list[FieldViolation]) -> list[str]:
    """Returns the texts of `q`: one or a list."""
    given = fields.every("q")
    texts = given if isinstance(given, list) else [given]
    if given is None or given in ("", []):
        faults.append(FieldViolation("q", "is missing or empty; it must be a text, or a list of texts"))
    faults += [
        FieldViolation(f"q[{index}]" if texts is given else "q", f"must be a text; it is {shown(text)}")
        for index, text in enumerate(texts)
        if given is not None and not isinstance(text, str)
    ]
    return [text for text in texts if isinstance(text, str)]


def read_language(fields: Fields, name: str, faults: list[FieldViolation]) -> str:
    """Returns the language code of a field that every request has."""
    code = fields.get(name)
    if code is None or code == "":
        faults.append(FieldViolation(name, "is missing; it must be the code of a language, as /languages lists them"))
    elif not isinstance(code, str):
        faults.append(FieldViolation(name, f"must be the code of a language; it is {shown(code)}"))
    elif name == "target" and code.lower() == AUTO:
        faults.append(FieldViolation(name, f'must be the code of a language; "{AUTO}" is for the source'))
    else:
        return code
    return ""


def _format(fields: Fields, faults: list[FieldViolation]) -> "pb.Format.ValueType":
    name = fields.get("format")
    if name is None or name == "":
        return pb.FORMAT_PLAIN
    if not isinstance(name, str) or name not in _FORMATS:
        faults.append(FieldViolation("format", f'must be "text" or "html"; it is {shown(name)}'))
        return pb.FORMAT_PLAIN
    return _FORMATS[name]


def _alternatives(fields: Fields, faults: list[FieldViolation]) -> int:
    given: Any = fields.get("alternatives")
    if given is None or given == "":
        return 0
    number = given
    if fields.is_form and given.isascii() and given.isdigit():
        number = int(given[:9])
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= MAX_ALTERNATIVES:
        return number
    faults.append(FieldViolation("alternatives", f"must be a number in [0, {MAX_ALTERNATIVES}]; it is {shown(given)}"))
    return 0


async def translate(message: Translation, backend: DoorBackend, context: HttpContext) -> Answer:
    """Translates texts.

    Raises:
        InvalidInput: by LibreTranslate's names of the fields.
    """
    request = message.request
    try:
        results = await backend.translate(request, context)
    except InvalidInput as error:
        raise renamed(error, message.is_list) from error
    except ModelNotFound as error:
        raise unknown_language(backend.models(), request.source_language, request.target_language) from error
    answer: dict[str, Json] = {"translatedText": _one_or_all([r.hypotheses[0].text for r in results], message.is_list)}
    if request.source_language.lower() == AUTO:
        answer["detectedLanguage"] = _one_or_all([_detected(result) for result in results], message.is_list)
    if message.num_alternatives:
        others = [[each.text for each in result.hypotheses[1:]] for result in results]
        answer["alternatives"] = _one_or_all(others, message.is_list)
    return Answer(answer)


def renamed(error: InvalidInput, is_list: bool = True) -> InvalidInput:
    """Returns violations by LibreTranslate's names of the fields."""

    def rename(path: str) -> str:
        name, bracket, index = path.partition("[")
        own = _OWN_NAMES.get(name, name)
        return own + bracket + index if is_list or own != "q" else own

    return error.renamed(rename)


async def detect(message: str, backend: DoorBackend, context: HttpContext) -> Answer:
    """Says which language a text is in, among those that models here read."""
    (found,) = await backend.detect([message])
    return Answer([language_of(found)])


def language_of(found: DetectedLanguage) -> Json:
    """Returns a language with the confidence in percent; UNDETERMINED with 0 if nobody can tell."""
    return {"confidence": round(100 * found.confidence, 1), "language": found.code or UNDETERMINED}


def read_suggestion(given: Given) -> None:
    """Refuses /suggest. Raises Forbidden."""
    raise Forbidden("this server takes no suggestions: its models do not learn from them")


async def suggest(message: None, backend: DoorBackend, context: HttpContext) -> Answer:
    """Is never reached: reading refuses."""
    raise AssertionError("a suggestion was read")


def _detected(result: Result) -> Json:
    return language_of(DetectedLanguage(result.detected_language, result.language_confidence))


def _one_or_all(values: Sequence[Json], is_list: bool) -> Json:
    return [*values] if is_list else values[0]
