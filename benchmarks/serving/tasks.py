"""Measures the latency of a single caller for a translation, a caption and a summary, all greedy."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.checkouts import REPOSITORY
from benchmarks.harness.served_model import ServedModel
from benchmarks.harness.servers import serve
from benchmarks.serving.latency import Ask, Latency, measure_latency
from benchmarks.serving.sentences import SENTENCES
from regard import Client
from regard.names import Task

EXAMPLES = REPOSITORY / "docs" / "examples"
NUM_WARMUP = 8


class TaskLatency(BaseModel):
    """The latency of a task with its default model."""

    model_config = ConfigDict(frozen=True)

    what: str
    model: ServedModel
    latency: Latency


def measure_translation(client: Client, model: str, language: str, num_requests: int) -> Latency:
    """Measures translations of `SENTENCES`, in turn."""
    ask = [partial(client.translate, text, to=language, model=model, num_beams=1) for text in SENTENCES]
    return measure_latency(ask, 2 * len(ask), num_requests)


def measure_tasks(bundles: Path | None, num_requests: int) -> list[TaskLatency]:
    """Measures captions and summaries, if the bundles offer them."""
    with serve(bundles) as server:
        server.wait_until_healthy()
        with Client(server.target) as client:
            photographs = [path.read_bytes() for path in sorted((EXAMPLES / "photos").glob("*.jpg"))]
            story = (EXAMPLES / "texts" / "news.txt").read_text(encoding="utf-8")
            captions: list[Ask] = [partial(client.caption, file, num_beams=1) for file in photographs]
            summary = partial(client.summarize, story, num_beams=1, truncation="truncate")
            measured = [
                _measured(client, "captioning", "caption of a photograph, 480 pixels wide", captions, num_requests),
                _measured(client, "summarization", f"summary of {len(story.split())} words", [summary], num_requests),
            ]
    return [each for each in measured if each is not None]


def _measured(client: Client, task: Task, what: str, ask: Sequence[Ask], num_requests: int) -> TaskLatency | None:
    model = next((model for model in client.models(task) if model.is_default), None)
    if model is None:
        return None
    latency = measure_latency(ask, NUM_WARMUP, num_requests)
    return TaskLatency(what=what, model=ServedModel.of(model), latency=latency)
