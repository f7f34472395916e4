"""The pod's memory: a server of all shipped models stays within the limit of the deployment when it has used each."""

import re
from pathlib import Path

import regard
from tests.deploy.tools import DEPLOY, ROOT
from tests.system.served import served
from tests.waiting import PATIENCE_S

MIB = 1 << 20
MOST_OF_THE_LIMIT = 0.75  # leaves room for calls in flight
EXAMPLES = ROOT / "docs" / "examples"


def _limit() -> int:
    """The memory limit of the deployment's container, in bytes."""
    deployment = (DEPLOY / "kubernetes" / "base" / "deployment.yaml").read_text(encoding="utf-8")
    (gib,) = re.findall(r"limits: .*memory: (\d+)Gi", deployment)
    return int(gib) * 1024 * MIB


def _most_resident(process_id: int) -> int:
    """An upper bound of the memory of a process and its children, in bytes: the sum of the most that each has had."""
    processes = [process_id, *_children(process_id)]
    found = 0
    for each in processes:
        status = Path(f"/proc/{each}/status").read_text(encoding="utf-8")
        (kib,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        found += int(kib) * 1024
    return found


def _children(process_id: int) -> list[int]:
    tasks = Path(f"/proc/{process_id}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text(encoding="utf-8").split()]


def _use(client: regard.Client, name: str, task: str) -> None:
    """Calls a model with its maps."""
    if task == "translation":
        client.translate("Two dogs are running.", to="de", model=name, num_beams=4, attention="alignment")
    elif task == "summarization":
        text = (EXAMPLES / "texts" / "email.txt").read_text(encoding="utf-8")
        client.summarize(text, model=name, truncation="truncate", attention="alignment")
    elif task == "captioning":
        client.caption(EXAMPLES / "photos" / "cat.jpg", model=name, attention="alignment")
    elif task == "detection":
        client.detect(EXAMPLES / "drawings" / "lamps.png", model=name, explain=["alignment", "random"])
    elif task == "answering":
        client.answer(EXAMPLES / "drawings" / "triangle.png", "is there a triangle?", model=name, explain="rollout")
    else:
        assert task == "classification", f"no call for the task of {name}"
        client.classify_images(EXAMPLES / "drawings" / "digits.png", model=name, explain="random")


def test_all_shipped_models_fit_into_the_pod() -> None:
    with served("--num-workers=2") as server, regard.Client(server.target, timeout=PATIENCE_S) as client:
        models = client.models()
        assert len({each.task for each in models}) >= 5
        for model in models:
            _use(client, model.name, model.task)
        assert _most_resident(server.process.pid) < MOST_OF_THE_LIMIT * _limit()
