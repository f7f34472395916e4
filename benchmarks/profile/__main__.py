"""`python -m benchmarks.profile`: profiles requests, steps and operators against the machine's peaks."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks.harness.checkouts import REPOSITORY
from benchmarks.harness.measurement import circumstances
from benchmarks.harness.tables import show
from benchmarks.peers import everyday
from benchmarks.peers.jobs import Job, fixed_length_job, free_length_job
from benchmarks.peers.models import EVERYDAY, MARIAN, Model, ModelFiles
from benchmarks.peers.served_load import Load, run
from benchmarks.peers.served_rows import mixed_requests
from benchmarks.peers.worker import worker_process
from benchmarks.profile import peak
from benchmarks.profile.profile_report import EngineProfile, Graph, Peaks, ProfileReport, ServerProfile
from benchmarks.profile.shares_picture import draw
from benchmarks.profile.watched_functions import REST, STAGES
from benchmarks.serving.sentences import SENTENCES
from regard_service.app.cores import cpu_limit

BATCHES = (1, 8, 32)
CLIENTS = (1, 32)
LENGTH = 24  # tokens of sources and outputs for the model with random weights
MODELS = {"everyday": EVERYDAY, "marian-base": MARIAN}
WARMUP_S, DURATION_S = 4.0, 6.0


@click.command(context_settings={"show_default": True})
@click.option("--models", default=",".join(MODELS), help="Comma-separated.")
@click.option(
    "--folder", default=REPOSITORY / "runs" / "peers", type=click.Path(path_type=Path), metavar="FOLDER",
    show_default="runs/peers", help="Folder of the models that benchmarks.peers has made.",
)  # fmt: skip
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="An SVG or PNG.")
@click.pass_context
def main(context: click.Context, models: str, folder: Path, json_file: Path | None, picture: Path | None) -> None:
    """Profiles server, engine and graphs, and measures the machine's peaks."""
    before = circumstances(context, "benchmarks.profile")
    stage = Console(stderr=True, highlight=False).print
    stage("the machine's peaks")
    peaks, engine, server = _peaks(), [], []
    for model in (MODELS[name.strip()] for name in models.split(",")):
        files = ModelFiles(folder, model)
        if not files.bundle.exists():
            raise click.ClickException(f"{model.name} is missing: run python -m benchmarks.peers --prepare")
        for batch in BATCHES:
            stage(f"{model.name}, {batch} at a time")
            engine.append(_engine(files, batch))
        for num_clients in CLIENTS:
            stage(f"{model.name}, clients: {num_clients}")
            server.append(_server(files, num_clients))
    report = ProfileReport(**before, peaks=peaks, engine=tuple(engine), server=tuple(server))
    show(report.tables(), report.notes())
    if json_file is not None:
        report.write(json_file)
    if picture is not None:
        draw(report, picture)


def _peaks() -> Peaks:
    threads = (1, cpu_limit())
    macs, read = ([of(number) / 1e9 for number in threads] for of in (peak.int8_macs_per_s, peak.bytes_read_per_s))
    return Peaks(
        int8_gmacs_per_s=(round(macs[0], 1), round(macs[1], 1)), gb_read_per_s=(round(read[0], 2), round(read[1], 2))
    )


def _engine(files: ModelFiles, batch: int) -> EngineProfile:
    job = _job(files.model, batch)
    arguments: dict[str, Any] = {
        "folder": str(files.bundle), "precision": "int8", "groups": job.groups, "num_slots": batch,
        "one_by_one": job.one_by_one,
    }  # fmt: skip
    answers = {}
    for call in ("stages", "operators"):  # each in its own process
        with worker_process(Path(sys.executable), "benchmarks.profile.engine_worker") as worker:
            answers[call] = worker.call(call, **arguments)
    timed, graphs = answers["stages"], {name: _graph(graph) for name, graph in answers["operators"].items()}
    num_steps = timed["num_steps"]
    by_stage = {name: 1e6 * seconds / num_steps for name, seconds in _with_rest(timed, "rest").items()}
    return EngineProfile(
        model=files.model.name,
        batch=batch,
        num_tokens=timed["num_tokens"],
        num_steps=num_steps,
        cpu_us_by_stage={name: round(value, 2) for name, value in by_stage.items()},
        step_us=round(by_stage["steps"], 2),
        encode=graphs["encode"],
        step=graphs["step"],
    )


def _job(model: Model, batch: int) -> Job:
    if model == EVERYDAY:
        texts = [SENTENCES[number % len(SENTENCES)] for number in range(20 if batch == 1 else 10 * batch)]
        return free_length_job(everyday.ids(texts), batch)
    return fixed_length_job(model, LENGTH, LENGTH, batch, 4 if batch == 1 else 2)


def _graph(profile: dict[str, Any]) -> Graph:
    numbers = {name: round(profile[name], 2) for name in ("us", "num_nodes", "num_macs", "weight_bytes")}
    tables = {
        name: {key: round(value, 2) for key, value in profile[name].items()}
        for name in ("us_by_group", "us_by_operator")
    }
    return Graph(**numbers, **tables)


def _server(files: ModelFiles, num_clients: int) -> ServerProfile:
    with worker_process(Path(sys.executable), "benchmarks.profile.server_worker") as worker:
        opened = worker.call("open", bundles=str(files.bundles), model=files.bundle.name)
        load = Load(
            api="regard", target=f"127.0.0.1:{opened['port']}", model=files.bundle.name,
            requests=tuple(_requests(files)), language=everyday.LANGUAGE if files.model == EVERYDAY else "",
            num_clients=num_clients, warmup_s=0.0, duration_s=WARMUP_S, server_pid=opened["pid"],
        )  # fmt: skip
        run(load)
        worker.call("take")
        result = run(load.model_copy(update={"duration_s": DURATION_S}))
        used = worker.call("take")
    num_requests = result.num_answered  # requests that ended after the measurement used CPU time too
    by_stage = {name: round(1000 * seconds / num_requests, 4) for name, seconds in _with_rest(used, REST).items()}
    timings = result.timings_ms
    return ServerProfile(
        model=files.model.name,
        num_clients=num_clients,
        num_requests=num_requests,
        tokens_per_s=result.tokens_per_s,
        wall_ms={**timings, "beside these": round(result.mean_ms - sum(timings.values()), 2), "all": result.mean_ms},
        cpu_ms_by_stage=by_stage,
    )


def _requests(files: ModelFiles) -> Iterator[tuple[str, int]]:
    if files.model == EVERYDAY:
        yield from ((text, 0) for text in SENTENCES)
    else:
        yield from mixed_requests(files)


def _with_rest(used: dict[str, Any], rest: str) -> dict[str, float]:
    """CPU seconds of the stages in order, and of everything outside them."""
    stages: dict[str, float] = used["cpu_s_by_stage"]
    ordered = {name: stages[name] for name in STAGES if name in stages}
    return {**ordered, rest: used["cpu_s"] - sum(stages.values())}


if __name__ == "__main__":
    main()
