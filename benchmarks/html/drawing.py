"""Measures drawing and writing a heatmap of 40 by 40, in a new process and in one that has drawn before."""

import json
import subprocess
import sys
import time
from io import BytesIO

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.spread import Spread

SIZE = 40


class Drawing(BaseModel):
    """Seconds per file, of wall time and of processor time.

    Attributes:
        form: "png" or "svg".
        first, first_cpu: in a new process, including imports.
        again, again_cpu: in a process that has drawn this format before.
    """

    model_config = ConfigDict(frozen=True)

    form: str
    first: Spread
    first_cpu: Spread
    again: Spread
    again_cpu: Spread


def measure_drawing(form: str, rounds: int) -> Drawing:
    """Draws in `rounds` new processes, then `rounds` times in this process."""
    first = [_draw_elsewhere(form) for _ in range(rounds)]
    draw(form)
    again = [draw(form) for _ in range(rounds)]
    return Drawing(
        form=form,
        first=Spread.of([clock for clock, _ in first], 3),
        first_cpu=Spread.of([cpu for _, cpu in first], 3),
        again=Spread.of([clock for clock, _ in again], 3),
        again_cpu=Spread.of([cpu for _, cpu in again], 3),
    )


def _draw_elsewhere(form: str) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.html.drawing", form]
    clock, cpu = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return clock, cpu


def draw(form: str) -> tuple[float, float]:
    """Draws and writes one heatmap; returns seconds of wall time and of processor time, including imports."""
    started, cpu = time.perf_counter(), time.process_time()
    from benchmarks.html.synthetic import attention
    from regard.plots import plot_attention_weights

    words = [f"word{number}" for number in range(SIZE)]
    plot_attention_weights(attention(SIZE, SIZE), words, words).savefig(BytesIO(), format=form)
    return time.perf_counter() - started, time.process_time() - cpu


if __name__ == "__main__":
    print(json.dumps(draw(sys.argv[1])))
