"""The recipe for Spark in docs/corpora.md, as it stands there, on Spark with two local threads."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.served import Served, served

pyspark = pytest.importorskip("pyspark", reason="missing: pyspark (make spark)")

ROOT = Path(__file__).parents[2]
ADDRESS = "regard.example:50051"
TEXTS = ["Where is the library?", "My sister sleeps.", None, "a" * 30_000, "It is raining."]
TIMES = 40


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served("--models=everyday") as server:
        yield server


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def spark(monkeypatch_module: pytest.MonkeyPatch) -> Iterator[Any]:
    if shutil.which("java") is None:
        assert not os.environ.get("CI"), ".ci/run installs Java"
        pytest.skip("Spark needs Java 17 or later")
    from pyspark.sql import SparkSession

    monkeypatch_module.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch_module.setenv("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", "30").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


def recipe(address: str) -> str:
    page = (ROOT / "docs" / "corpora.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page.partition("## Spark")[2], re.DOTALL)
    assert code.count(ADDRESS) == 1
    return str(code.replace(ADDRESS, address))


def test_the_recipe_translates_a_column(server: Served, spark: Any) -> None:
    """In several batches of several tasks: rows keep their order, and bad ones cost the others nothing."""
    rows = [(number, TEXTS[number % len(TEXTS)]) for number in range(TIMES * len(TEXTS))]
    frame = spark.createDataFrame(rows, "id int, english string").repartition(4, "id")
    names: dict[str, Any] = {"frame": frame}
    exec(recipe(server.target), names)
    found = names["translated"].orderBy("id").collect()
    assert [row["id"] for row in found] == list(range(len(rows)))
    good, sister, empty, long, rain = (found[place :: len(TEXTS)] for place in range(len(TEXTS)))
    assert {row["german"]["text"] for row in good} == {"Wo ist die Bibliothek?"}
    assert {row["german"]["text"] for row in sister} == {"Meine Schwester schläft."}
    assert {tuple(row["german"]) for row in empty} == {("", None)}
    assert {row["german"]["text"] for row in long} == {None}
    assert all("30000 characters; the limit is 20000" in row["german"]["error"] for row in long)
    assert {row["german"]["text"] for row in rain} == {"Es regnet."}
    assert server.metric('grpc_server_handled_total{grpc_code="OK",grpc_method="Translate"') >= 4
