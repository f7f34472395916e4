"""The pictures of docs/architecture.md: `python -m docs.tools.diagrams` writes them into docs/images."""

from collections.abc import Iterator
from itertools import pairwise

from docs.tools.drawing import Arrow, Box, Diagram
from docs.tools.repository import ROOT

FOLDER = ROOT / "docs" / "images"

PROCESSES = {
    "grpc clients": Box(20, 20, 230, 66, "gRPC clients", ["regard: Python, command line;", "Triton's, if switched on"]),
    "browser": Box(266, 20, 230, 66, "Browser, curl", ["playground, JSON API"]),
    "probes": Box(512, 20, 228, 66, "Prometheus, probes", ["metrics, health"]),
    "server": Box(20, 128, 720, 516, "Server process", ["regard serve"], kind="frame"),
    "loop": Box(36, 178, 688, 232, "Event loop: one thread", kind="frame"),
    "grpc": Box(52, 212, 210, 50, "gRPC, port 50051", ["and health on its own port"]),
    "http": Box(278, 212, 210, 50, "HTTP, port 8080", ["JSON, metrics, health, pages"]),
    "watchdog": Box(504, 212, 204, 50, "Watchdog", ["a stuck step: no longer live"]),
    "layers": Box(
        52, 292, 210, 100, "Layers, servicers",
        ["log, trace, metrics, errors,", "token; then message to domain", "and back", "`rpc, convert`"],
    ),
    "calls": Box(
        278, 292, 210, 100, "Calls", ["permit, model, options,", "inputs; at the end text,", "words, maps", "`calls`"]
    ),
    "models": Box(
        504, 292, 204, 100, "Model repository", ["loads, warms up, replaces,", "unloads versions", "`repository`"]
    ),
    "reading": Box(
        52, 438, 210, 84, "Reading pool: threads", ["pictures to pixels, texts to", "tokens; trace graphs"]
    ),
    "workers": Box(
        278, 438, 430, 84, "Engine workers: one thread a core",
        ["take work from the lanes' queues, as the policy decides;", "encode, step, search, keep maps", "`engine`"],
    ),
    "sessions": Box(
        52, 552, 656, 76, "ONNX Runtime sessions, shared by all threads",
        [
            "of each model: encode and step, one thread a run; encode on all cores, if equal to the bit;",
            "trace, loaded when a map first needs it",
        ],
    ),
    "collector": Box(20, 684, 352, 50, "OTLP collector", ["receives traces, if one is configured"], kind="data"),
    "bundles": Box(388, 684, 352, 50, "Model directories", ["bundles: graphs, tokenizer, manifest"], kind="data"),
}  # fmt: skip

REQUEST = {
    "loop": Box(16, 16, 246, 764, "Event loop", kind="frame"),
    "pool": Box(282, 16, 190, 764, "Reading pool", kind="frame"),
    "worker": Box(492, 16, 252, 764, "Engine worker", kind="frame"),
    "in": Box(28, 50, 222, 68, "1. Bytes in", ["a message or a JSON body; id,", "trace, counters, token"]),
    "read": Box(28, 142, 222, 68, "2. Convert", ["message to domain call; lists", "every violation"]),
    "call": Box(
        28, 234, 222, 84, "3. Call", ["takes a permit, or is refused;", "finds the model, fills in its", "defaults"]
    ),
    "inputs": Box(292, 242, 170, 68, "4. Read inputs", ["text to tokens,", "picture to pixels"]),
    "queue": Box(
        28, 356, 222, 84, "5. Engine queue",
        ["of a lane: one model, one", "bucket of source lengths, one", "beam width"], kind="data",
    ),
    "policy": Box(504, 50, 222, 68, "6. Policy", ["which lane, which batch, who", "joins; encode or step"]),
    "encode": Box(504, 142, 222, 68, "7. Encode", ["sources to memory: of a", "transformer, cross K and V"]),
    "join": Box(504, 234, 222, 84, "8. Join", ["a row of the running batch;", "with beam width k, k slots"]),
    "step": Box(504, 364, 222, 68, "9. Step", ["one decoder position for all", "slots: candidates, attention"]),
    "search": Box(504, 456, 222, 68, "10. Search", ["greedy, beam or sampling: a", "token for every slot"]),
    "history": Box(504, 548, 222, 68, "11. Map history", ["keeps cross-attention where", "the request names maps"]),
    "result": Box(504, 692, 222, 68, "12. Result", ["tokens, scores, maps; row and", "permit are free again"]),
    "trace": Box(292, 684, 170, 68, "Trace graph", ["for self-attention", "and rollout only"]),
    "assembly": Box(28, 692, 222, 68, "13. Assembly", ["tokens to text and words; the", "maps of the request"]),
    "write": Box(28, 590, 222, 68, "14. Convert", ["domain to message; numbers to", "float32, float16 or uint8"]),
    "out": Box(28, 488, 222, 68, "15. Bytes out", ["or an error: a gRPC status,", "over HTTP problem JSON"]),
}  # fmt: skip

EXPORT = {
    "checkpoint": Box(
        16, 16, 232, 90, "Checkpoint", ["a folder, a file, or a name on", "the hub; its code is never run"], kind="data"
    ),
    "family": Box(264, 16, 232, 90, "1. Family", ["weights, config, tokenizer, in", "one form for all", "`families`"]),
    "description": Box(
        512, 16, 232, 90, "2. Description", ["layers, widths, positions, norms", "by one scheme", "`descriptions`"]
    ),
    "float32": Box(
        16, 146, 232, 90, "3. Graphs in float32",
        ["encode, step; trace, where the", "model allows it", "`architectures, onnx_graph`"],
    ),
    "calibration": Box(
        264, 146, 232, 90, "4. Calibration", ["the range of the numbers that", "enter each linear layer", "`tuning`"]
    ),
    "precisions": Box(
        512, 146, 232, 90, "5. Other precisions",
        ["int8, int4, float16, from the", "same description", "`architectures, precision`"],
    ),
    "heads": Box(
        16, 276, 232, 90, "6. Alignment heads",
        ["those that agree best with IBM", "Model 1; needs dev examples", "`tuning`"]
    ),
    "verification": Box(
        264, 276, 232, 90, "7. Verification", ["against the original, by the", "engine that serves", "`verification`"]
    ),
    "writing": Box(
        512, 276, 232, 90, "8. Writing", ["manifest with the report; the", "hidden folder gets its name", "`writing`"]
    ),
    "none": Box(264, 406, 232, 68, "No bundle", ["the report names the check", "that did not hold"], kind="data"),
    "bundle": Box(512, 406, 232, 68, "Bundle", ["graphs, tokenizer, manifest,", "checksums"], kind="data"),
}  # fmt: skip


def processes() -> Diagram:
    """Which processes and threads there are, and what calls what."""
    at = PROCESSES
    loop_to_pool = [(320, at["calls"].bottom), (320, 424), (157, 424), at["reading"].at("top")]
    arrows = [
        Arrow([(235, at["grpc clients"].bottom), (235, at["grpc"].y)]),
        Arrow([(340, at["browser"].bottom), (340, at["http"].y)]),
        Arrow([(600, at["probes"].bottom), (600, 108), (440, 108), (440, at["http"].y)]),
        *_chain(at, "grpc", "layers", "calls"),
        Arrow([(300, at["http"].bottom), (300, 277), (220, 277), (220, at["layers"].y)]),
        Arrow([at["models"].at("left"), at["calls"].at("right")]),
        Arrow(loop_to_pool),
        Arrow([(400, at["calls"].bottom), (400, at["workers"].y)]),
        Arrow([at["watchdog"].at("right"), (716, 237), (716, 480), at["workers"].at("right")], is_optional=True),
        *_chain(at, "reading", "sessions"),
        *_chain(at, "workers", "sessions"),
        Arrow([at["layers"].at("left"), (28, 342), (28, at["collector"].y)], is_optional=True),
        Arrow([(600, at["bundles"].y), (600, at["sessions"].bottom)]),
    ]
    return Diagram("Processes and threads of a Regard server", 760, 754, [*at.values()], arrows)


def request() -> Diagram:
    """The way of a request, by the thread that each part runs in."""
    at = REQUEST
    again = [at["history"].at("right"), (735, 582), (735, 398), at["step"].at("right")]
    ended = [at["history"].at("bottom", 0.2), at["result"].at("top", 0.2)]
    streamed = [at["history"].at("left"), (270, 582), (270, 709), at["assembly"].at("right", 0.25)]
    returned = [at["result"].at("left", 0.9), (482, 753), (482, 766), (270, 766), (270, 753)]
    arrows = [
        *_chain(at, "in", "read", "call"),
        Arrow([at["call"].at("right"), at["inputs"].at("left")]),
        Arrow([at["inputs"].at("bottom"), (377, 398), at["queue"].at("right")]),
        Arrow([at["queue"].at("right", 0.8), (482, 423), (482, 84), at["policy"].at("left")]),
        *_chain(at, "policy", "encode", "join", "step", "search", "history"),
        Arrow(again),
        Arrow(ended, "finished, cancelled, overdue", (558, 660)),
        Arrow(streamed, "tokens of a stream", (290, 576)),
        Arrow([at["result"].at("left", 0.35), at["trace"].at("right", 0.47)], is_optional=True),
        Arrow([at["trace"].at("left", 0.47), at["assembly"].at("right", 0.35)], is_optional=True),
        Arrow([*returned, at["assembly"].at("right", 0.9)]),
        *_chain(at, "assembly", "write", "out"),
    ]
    return Diagram("The way of a request through the server", 760, 796, [*at.values()], arrows)


def export() -> Diagram:
    """The way from a checkpoint to a bundle."""
    at = EXPORT
    arrows = [
        *_chain(at, "checkpoint", "family", "description"),
        _to_the_next_row(at["description"], at["float32"]),
        *_chain(at, "float32", "calibration", "precisions"),
        _to_the_next_row(at["precisions"], at["heads"]),
        *_chain(at, "heads", "verification", "writing", "bundle"),
        Arrow([at["verification"].at("bottom"), at["none"].at("top")], "a check failed", (390, 390), is_optional=True),
    ]
    return Diagram("The way of an export from a checkpoint to a bundle", 760, 490, [*at.values()], arrows)


def _chain(boxes: dict[str, Box], *names: str) -> Iterator[Arrow]:
    """Arrows from each box to the next: to the right if they stand in a row, else straight down or up."""
    for first, second in pairwise(boxes[name] for name in names):
        x = first.x + first.width / 2
        if first.y == second.y:
            yield Arrow([first.at("right"), second.at("left")])
        elif first.y < second.y:
            yield Arrow([(x, first.bottom), (x, second.y)])
        else:
            yield Arrow([(x, first.y), (x, second.bottom)])


def _to_the_next_row(last: Box, first: Box) -> Arrow:
    """An arrow from the end of a row to the beginning of the one below."""
    between = (last.bottom + first.y) / 2
    return Arrow([last.at("bottom"), (last.at("bottom")[0], between), (first.at("top")[0], between), first.at("top")])


DIAGRAMS = {"architecture-processes": processes, "architecture-request": request, "architecture-export": export}


def main() -> None:
    for name, draw in DIAGRAMS.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
