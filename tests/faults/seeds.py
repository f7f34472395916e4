"""The seeds of fuzzing: whole inputs of every kind."""

from io import BytesIO

from PIL import Image

from regard.v1 import regard_pb2 as pb
from regard_service.open_inference import open_inference_pb2 as v2
from tests.faults import parsers
from tests.faults.model_parsers import MODEL_SEEDS

DEEP = 20_000


def of(parser: str) -> list[bytes]:
    """Returns the seeds of a parser of `parsers.PARSERS`."""
    makers = {
        "manifest": _manifests,
        "image": _images,
        "message": _messages,
        "text": _texts,
        "http": _bodies,
        "headers": _headers,
        **MODEL_SEEDS,
    }
    return makers[parser]()


def _manifests() -> list[bytes]:
    whole = parsers.manifest_text()
    return [
        whole,
        b"[" * DEEP,
        b'{"name": "\\ud800"}',
        b'{"name": 1e999}',
        whole.replace(b'"file": "encode.onnx"', b'"file": "' + b"e" * 300 + b'"').replace(
            b'"files": {', b'"files": {"' + b"e" * 300 + b'": "0",'
        ),
        whole.replace(b'"step.onnx"', b'"../step.onnx"'),
        whole.replace(b'"step.onnx"', b'"step\\u0000.onnx"'),
    ]


def _images() -> list[bytes]:
    image = Image.effect_noise((24, 16), 50).convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 6
    made = []
    for form, mode, options in (
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "I;16", {}),
        ("PNG", "P", {"transparency": 0}),
        ("JPEG", "RGB", {"exif": turned}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "L", {"progressive": True}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGB", {}),
    ):
        file = BytesIO()
        (image.convert("L") if mode == "I;16" else image).convert(mode).save(file, form, **options)
        made.append(file.getvalue())
    return made


def _messages() -> list[bytes]:
    generation = pb.GenerationConfig(num_beams=4, temperature=0.5, top_p=0.9, max_new_tokens=7)
    attention = pb.AttentionConfig(kinds=[pb.ATTENTION_KIND_CROSS, pb.ATTENTION_KIND_ALIGNMENT], layers=[0], top_k=3)
    messages = [
        pb.TranslateRequest(texts=["Hello.", "You?"], target_language="de", generation=generation, attention=attention),
        pb.StreamTranslateRequest(text="Hello.", target_language="de"),
        pb.SummarizeRequest(texts=["Hello."], style="headline"),
        pb.CaptionRequest(images=[b"\x89PNG"]),
        pb.StreamCaptionRequest(image=b"\x89PNG"),
        pb.ListModelsRequest(page_size=3, page_token="WyJhIiwiYiIsImMiXQ=="),
        pb.GetModelRequest(name="everyday"),
        pb.LoadModelRequest(name="everyday", version="1"),
        v2.ModelInferRequest(
            model_name="beginnings",
            inputs=[v2.ModelInferRequest.InferInputTensor(name="text", datatype="BYTES", shape=[1])],
            raw_input_contents=[b"\x02\0\0\0hi"],
            parameters={"num_beams": v2.InferParameter(int64_param=2)},
        ),
    ]
    return [bytes([position]) + message.SerializeToString() for position, message in enumerate(messages)]


def _texts() -> list[bytes]:
    return [
        text.encode()
        for text in (
            "Where is the library?",
            "½ ﬁ Å e\u0301 \u200d👩\u200d👧",
            "</s> <pad> <unk>",
            "a" * 3000,
            "\u0301" * 3000,
            "." * 3000,
            "\0\t\ufeff",
            "、。" * 9,
        )
    ]


def _bodies() -> list[bytes]:
    return [
        b'{"texts": ["Hello."], "targetLanguage": "de", "generation": {"num_beams": 4}, "attention": {"kinds": [1]}}',
        b'{"image": "iVBORw0KGgo="}',
        b'{"page_size": 3, "task": "TASK_TRANSLATION"}',
        b'{"texts": ["\\ud800"], "\\udfff": 1}',
        b'{"generation": {"seed": 1e999, "top_p": "NaN", "early_stopping": {"\\ud800": []}}}',
        b'{"seed": ' + b"9" * 5000 + b"}",
        b"[" * DEEP,
        b'{"a":' * DEEP,
        b"attention.kinds.x=1&attention.kinds=2",
        b"generation=2&generation.x=1&texts=a&texts=b&=&.=&..=1",
        b".".join([b"a"] * 2000) + b"=1",
    ]


def _headers() -> list[bytes]:
    return [
        b"authorization: Bearer secret\nx-request-id: 7",
        b"Authorization: bearer  secret \nauthorization: Bearer other",
        b"authorization: Basic c2VjcmV0",
        b"authorization: Bearer \xff\x00\nx-request-id: \xe9\x7f",
        b"x-request-id: " + b"a" * 129,
        b"x-request-id\n:\n: :",
        b"traceparent: 00-" + b"a1" * 16 + b"-" + b"b2" * 8 + b"-01\ntracestate: a=1,b@c=2",
        b"traceparent: 00-" + b"0" * 32 + b"-" + b"b2" * 8 + b"-ff-more",
        b"traceparent: 00-" + b"a1" * 16 + b"-" + b"b2" * 8 + b"-00\ntracestate: " + b"a=1, " * 1500 + b"=\xff",
    ]
