"""Translations of texts: a request of /v2/translate as one of the API, and results as DeepL writes them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from regard.v1 import regard_pb2 as pb
from regard_service.domain.elements import NO_RULES, ElementRules
from regard_service.domain.results import Result
from regard_service.errors import InvalidInput
from regard_service.http.doors.deepl.language_codes import source_code
from regard_service.http.doors.deepl.parameters import Parameters
from regard_service.http.json_fields import shown

MAX_TEXTS = 50
MAX_GLOSSARIES = 5
QUALITY_BEAMS = 4

UNUSED = ("context", "preserve_formatting", "tag_handling_version", "show_billed_characters")
"""Accepted without an effect."""

LATENCY, QUALITY, PREFERS_QUALITY = "latency_optimized", "quality_optimized", "prefer_quality_optimized"

_NO_NAME = re.compile(r"""[\s<>/&="'*]""")
_FORMALITIES = ("default", "prefer_more", "prefer_less", "more", "less")
_LINE_BREAKS = re.compile(r"[\r\n]+")
MAX_ELEMENT_NAMES = 1000
"""Of a parameter."""

_OF_MARKUP = ("ignore_tags", "splitting_tags", "non_splitting_tags", "outline_detection")


@dataclass(frozen=True)
class Languages:
    """The languages of a request, as it names them. Attributes: source: "" is to be detected."""

    source: str
    target: str


@dataclass(frozen=True)
class TextRequest:
    """A request to translate texts.

    Attributes:
        message: the same request of the API; without the glossaries.
        elements: what it says about tags, which no message of the API has.
        glossary_ids: in order.
        sizes: characters of each text.
        model_type: that answers; "" if the request names none.
    """

    message: pb.TranslateRequest
    languages: Languages
    elements: ElementRules = NO_RULES
    glossary_ids: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    model_type: str = ""
    unused: tuple[str, ...] = field(default=())


def read_texts(parameters: Parameters) -> TextRequest:
    """Reads a request. Raises InvalidInput with every violation."""
    texts = parameters.texts("text")
    if not texts:
        parameters.missing("text", "is missing; it is a text, or a list of them")
    if len(texts) > MAX_TEXTS:
        parameters.fault("text", f"holds {len(texts)} texts; the limit is {MAX_TEXTS}")
    languages = read_languages(parameters)
    glossary_ids = read_glossary_ids(parameters, languages)
    model_type = parameters.choice("model_type", (LATENCY, QUALITY, PREFERS_QUALITY)) or ""
    message = pb.TranslateRequest(
        source_language=languages.source or "auto",
        target_language=languages.target,
        generation=_generation(model_type),
    )
    elements = _set_texts(message, texts, parameters)
    unused = tuple(name for name in UNUSED[:-1] if name in parameters)
    _read_unused(parameters)
    check_formality(parameters)
    refuse_customization(parameters)
    parameters.finish()
    used = model_type and (LATENCY if model_type == LATENCY else QUALITY)
    return TextRequest(message, languages, elements, glossary_ids, tuple(map(len, texts)), used, unused)


def read_languages(parameters: Parameters) -> Languages:
    """Reads the languages of a request."""
    return Languages(parameters.text("source_lang") or "", parameters.needed_text("target_lang"))


def read_glossary_ids(parameters: Parameters, languages: Languages) -> tuple[str, ...]:
    """Reads which glossaries a request names."""
    one, several = parameters.text("glossary_id"), parameters.names("glossary_ids")
    if one and several:
        parameters.fault("glossary_ids", "cannot be given beside glossary_id")
    if len(several) > MAX_GLOSSARIES:
        parameters.fault("glossary_ids", f"holds {len(several)} glossaries; the limit is {MAX_GLOSSARIES}")
    found = (one,) if one else tuple(several)
    if found and not languages.source:
        parameters.missing("source_lang", f"is missing; {'glossary_id' if one else 'glossary_ids'} needs it")
    return found


def check_formality(parameters: Parameters) -> None:
    """Refuses a formality that has to be kept; one that is only preferred is none."""
    if parameters.choice("formality", _FORMALITIES) in ("more", "less"):
        parameters.fault("formality", 'is not supported by the models of this server; "prefer_more" goes on without')


def refuse_customization(parameters: Parameters) -> None:
    """Refuses what changes translations in ways that this server does not have."""
    parameters.refuse("style_id", "names a style rule; this server has none")
    parameters.refuse("translation_memory_id", "names a translation memory; this server has none")
    parameters.refuse("translation_memory_threshold", "is for translation memories; this server has none")
    parameters.refuse("custom_instructions", "are given; the models of this server follow no instructions")


def write_texts(request: TextRequest, results: Sequence[Result]) -> dict[str, Any]:
    """Returns the answer. Characters are Unicode code points of the request's texts."""
    translations = []
    for result, size in zip(results, request.sizes, strict=True):
        source = request.languages.source or result.detected_language
        translation: dict[str, Any] = {
            "detected_source_language": source_code(source),
            "text": result.hypotheses[0].text,
            "billed_characters": size,
        }
        if request.model_type:
            translation["model_type_used"] = request.model_type
        translations.append(translation)
    return {"translations": translations}


def with_own_names(error: InvalidInput, glossary_ids: Sequence[str] = ()) -> InvalidInput:
    """Returns the violations of a request of the API with the names of DeepL's parameters."""

    def renamed(path: str) -> str:
        name, bracket, rest = path.partition("[")
        if name == "glossaries" and len(glossary_ids) == 1:
            return "glossary_id"
        if name in _OWN_NAMES:
            return f"{_OWN_NAMES[name]}{bracket}{rest}"
        return "model_type" if name.startswith("generation") else path

    return error.renamed(renamed)


_OWN_NAMES = {
    "texts": "text",
    "source_language": "source_lang",
    "target_language": "target_lang",
    "glossaries": "glossary_ids",
    "text_options.format": "tag_handling",
    "text_options.unit": "split_sentences",
    "document": "file",
    "media_type": "file",
}


def _generation(model_type: str) -> pb.GenerationConfig | None:
    """Returns how to search: greedily for latency, with beams for quality."""
    if not model_type:
        return None
    return pb.GenerationConfig(num_beams=1 if model_type == LATENCY else QUALITY_BEAMS)


def _set_texts(message: pb.TranslateRequest, texts: Sequence[str], parameters: Parameters) -> ElementRules:
    """Sets the texts, and what is said about their sentences; returns what is said about their tags."""
    split = parameters.choice("split_sentences", ("0", "1", "nonewlines"))
    handling = parameters.choice("tag_handling", ("xml", "html")) if parameters.text("tag_handling") else None
    if handling is not None:
        message.text_options.format = pb.FORMAT_XML if handling == "xml" else pb.FORMAT_HTML
    if split == "0":
        message.text_options.unit = pb.UNIT_WHOLE
    if split == "nonewlines" and handling is None:
        texts = [_in_one_line(text) for text in texts]
    message.texts.extend(texts)
    return _elements(parameters, handling)


def _elements(parameters: Parameters, handling: str | None) -> ElementRules:
    """Returns what is said about tags. Args: handling: "xml" or "html"; None: the texts have none."""
    if not any(name in parameters for name in _OF_MARKUP):
        return NO_RULES
    ignored, splitting, non_splitting = (_names(parameters, parameter, handling) for parameter in _OF_MARKUP[:3])
    has_outline = parameters.flag("outline_detection") is not False
    elements = ElementRules(ignored, splitting, non_splitting, has_outline)
    if handling is None and elements != NO_RULES:
        for name in _OF_MARKUP:
            if name in parameters:
                parameters.fault(name, "is about tags, and needs tag_handling")
    if handling == "html" and not has_outline:
        parameters.fault("outline_detection", 'is for tag_handling "xml"; HTML itself says where sentences end')
    if both := splitting & non_splitting:
        parameters.fault("non_splitting_tags", f"names {', '.join(sorted(both))}, as splitting_tags does")
    return elements


def _names(parameters: Parameters, parameter: str, handling: str | None) -> frozenset[str]:
    """Returns the names of elements that a parameter lists."""
    names = parameters.names(parameter)
    if len(names) > MAX_ELEMENT_NAMES:
        parameters.fault(parameter, f"names {len(names)} elements; the limit is {MAX_ELEMENT_NAMES}")
        return frozenset()
    for name in names:
        if _NO_NAME.search(name):
            parameters.fault(parameter, f"{shown(name)} is no name of an element; names stand without angle brackets")
    return frozenset(name.lower() if handling == "html" else name for name in names)


def _in_one_line(text: str) -> str:
    """Returns a text whose line breaks, and the white space around them, are spaces. Takes time in proportion to it."""
    first, *others = _LINE_BREAKS.split(text)
    if not others:
        return text
    parts = (first.rstrip(), *(each.strip() for each in others[:-1]), others[-1].lstrip())
    return " ".join(part for part in parts if part)


def _read_unused(parameters: Parameters) -> None:
    parameters.text("context")
    parameters.flag("preserve_formatting")
    parameters.choice("tag_handling_version", ("v1", "v2"))
    parameters.flag("show_billed_characters")
