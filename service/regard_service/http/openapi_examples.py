"""Examples of requests in the OpenAPI document, by message; tests read each one."""

from typing import Any

_PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"  # a red pixel
_MAIL = (
    "Dear all, the meeting of tomorrow is moved to Friday at noon, because the room is being painted. Please bring your"
    " reports with you."
)


def _named(**values: dict[str, Any]) -> dict[str, Any]:
    return {name: {"summary": name.replace("_", " ").capitalize(), "value": value} for name, value in values.items()}


EXAMPLES: dict[str, dict[str, Any]] = {
    "TranslateRequest": _named(
        a_sentence={"texts": ["Could you tell me where the library is?"], "target_language": "de"},
        with_its_alignment={
            "texts": ["Could you tell me where the library is?"],
            "target_language": "de",
            "generation": {"num_beams": 4},
            "attention": {"kinds": ["alignment"], "granularity": "word", "encoding": "json"},
        },
    ),
    "StreamTranslateRequest": _named(a_sentence={"text": "One word at a time.", "target_language": "es"}),
    "TranslateDocumentRequest": _named(
        markdown={"document": "IyBXaGVyZSBpcyBpdD8K", "media_type": "markdown", "target_language": "de"}
    ),
    "SummarizeRequest": _named(a_mail={"texts": [_MAIL], "style": "subject"}),
    "StreamSummarizeRequest": _named(a_mail={"text": _MAIL, "style": "subject"}),
    "CaptionRequest": _named(a_picture={"images": [_PICTURE]}),
    "StreamCaptionRequest": _named(a_picture={"image": f"data:image/png;base64,{_PICTURE}"}),
    "EncodeRequest": _named(
        two_texts={"texts": ["Where is the library?", "The old house is empty."]},
        of_the_class_token={"texts": ["Where is the library?"], "pooling": "class", "normalized": True},
    ),
    "ClassifyRequest": _named(
        a_text={"texts": ["I like this book."], "top_k": 2}, a_picture={"images": [_PICTURE], "threshold": 0.1}
    ),
    "FillMaskRequest": _named(a_text={"texts": ["Where is the [MASK]?"], "top_k": 3}),
    "DetectRequest": _named(
        a_picture={"images": [_PICTURE], "threshold": 0.3},
        with_the_map_of_each_box={"images": [_PICTURE], "attention": {"kinds": ["alignment"], "encoding": "json"}},
    ),
    "LoadModelRequest": _named(a_version={"version": "2"}),
    "UnloadModelRequest": _named(every_version={}),
}
