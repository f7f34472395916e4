"""The row that compares servers of vectors: Regard, sentence-transformers, and ONNX Runtime in LitServe."""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tokenizers import Tokenizer

from benchmarks.peers.engines import LITSERVE_ENCODER, REGARD, SENTENCE_TRANSFORMERS
from benchmarks.peers.environments import python_of
from benchmarks.peers.inside.words import made_up_words
from benchmarks.peers.lengths import length_pairs
from benchmarks.peers.models import BERT, ModelFiles
from benchmarks.peers.rows import Context, Findings
from benchmarks.peers.served_rows import (
    DELAY_MS,
    NUM_CLIENTS,
    NUM_REQUESTS,
    SEED,
    RunningServer,
    Targets,
    compare,
    engine_result,
    regard,
    text_of,
    throughput_and_p95,
)
from benchmarks.peers.worker import worker_process
from regard_service.app.cores import cpu_limit

IN_FLOAT32 = f"{REGARD}, float32"
NEEDED: dict[str, Targets] = {SENTENCE_TRANSFORMERS: (2.0, 3.0), LITSERVE_ENCODER: (1.2, 1.5)}

Requests = Sequence[tuple[str, int]]


@dataclass(frozen=True)
class EncodeRow:
    """Compares Regard's `Encode`, in int8 and in float32, with the peers' servers."""

    def __call__(self, context: Context) -> Findings:
        files = ModelFiles(context.models, BERT)
        requests = texts_to_encode(files)
        with ExitStack() as stack:
            servers = [_regard(stack, context, requests, REGARD), _regard(stack, context, requests, IN_FLOAT32)]
            if SENTENCE_TRANSFORMERS in context.peers:
                arguments: dict[str, Any] = {"num_workers": 1, "num_threads": cpu_limit()}
                peer = _peer(context, SENTENCE_TRANSFORMERS, "sentence_transformers_server", requests, arguments)
                servers.append(stack.enter_context(peer))
            if LITSERVE_ENCODER in context.peers:
                arguments = {"num_workers": cpu_limit(), "checkpoint": str(files.checkpoint)}
                peer = _peer(context, LITSERVE_ENCODER, "litserve_encoder_server", requests, arguments)
                servers.append(stack.enter_context(peer))
            results = compare(servers, context)
        others = [server.name for server in servers[1:]]
        figures = [
            figure
            for name in others
            for figure in throughput_and_p95(name, results, NEEDED.get(name, (None, None)), (None, None))
        ]
        return Findings(tuple(figures), tuple(engine_result(each, results[each.name]) for each in servers))


def texts_to_encode(files: ModelFiles) -> list[tuple[str, int]]:
    """Texts of made-up words with real lengths in the checkpoint's pieces; the length of an output is 0, not set."""
    tokenizer = Tokenizer.from_file(str(files.checkpoint / "tokenizer.json"))
    words = list(made_up_words())
    sizes = {word: len(read.ids) - 2 for word, read in zip(words, tokenizer.encode_batch(words), strict=True)}
    drawn = random.Random(SEED)
    lengths = drawn.choices(length_pairs("translation"), k=NUM_REQUESTS)
    return [(text_of(sizes, source, drawn), 0) for source, _ in lengths]


def _regard(stack: ExitStack, context: Context, requests: Requests, name: str) -> RunningServer:
    flags = ("--precision=float32",) if name == IN_FLOAT32 else ()
    server = stack.enter_context(regard(context, BERT, requests, *flags))
    return replace(server, name=name, load={**server.load, "api": "regard-encode"})


@contextmanager
def _peer(
    context: Context, name: str, module: str, requests: Requests, arguments: dict[str, Any]
) -> Iterator[RunningServer]:
    """A peer's server, with batches of as many texts as there are clients for each of its workers."""
    files = ModelFiles(context.models, BERT)
    is_http = name == LITSERVE_ENCODER
    folder = files.quantized if is_http else files.checkpoint
    with worker_process(python_of(context.environments, "encoders"), module) as worker:
        max_batch = NUM_CLIENTS // arguments["num_workers"]
        answer = worker.call("open", max_batch=max_batch, delay_ms=DELAY_MS, folder=str(folder), **arguments)
        load = {
            "api": "http" if is_http else "thin", "target": f"127.0.0.1:{answer['port']}", "model": "",
            "requests": requests, "server_pid": worker.pid,
        }  # fmt: skip
        how = "HTTP" if is_http else "thin gRPC servicer"
        setting, is_slow = f"{how}, {answer['setting']}", name == SENTENCE_TRANSFORMERS
        yield RunningServer(name, setting, answer["versions"], load, slow=is_slow)
