"""Which evidence is true of the shipped models that see: `python docs/examples/faithfulness_shipped.py EASY_VQA_DATA`.

Explains the objects that `lamps` finds in scenes of its recipe, and the answers of `shapes` to questions of easy-VQA's
test split (`pip install easy-vqa`; the argument is its folder `data`), and prints the tables of docs/encoders.md. Takes
about a minute of one core.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

from evidence_table import show
from own_server import server
from PIL import Image

import regard
from regard.names import Evidence
from regard.values.encodings import Explanation
from regard_models.recipes.picture_questions import read_questions
from regard_models.recipes.scenes import draw_scene

OF_OBJECTS: tuple[Evidence, ...] = ("alignment", "value_norm", "random")
OF_ANSWERS: tuple[Evidence, ...] = ("rollout", "value_norm", "occlusion", "random")
TEST_SEED, NUM_SCENES = 3, 60  # the recipe's
NUM_PICTURES = 120


def main() -> None:
    with server() as ports, regard.Client(f"127.0.0.1:{ports.grpc}") as client:
        objects = list(of_objects(client))
        for title, chosen in (("lamps", "lamp"), ("balls", "ball"), ("signs", "sign")):
            print(title)
            show([each for label, each in objects if chosen in label])
        print("answers to what is asked of a shape")
        show(list(of_answers(client, Path(sys.argv[1]))))


def of_objects(client: regard.Client) -> Iterator[tuple[str, tuple[Explanation, ...]]]:
    """Yields labels and explanations of the objects in scenes."""
    for number in range(NUM_SCENES):
        stream = io.BytesIO()
        Image.fromarray(draw_scene(TEST_SEED, number).pixels).save(stream, "PNG")
        for found in client.detect(stream.getvalue(), model="lamps", explain=OF_OBJECTS).detections:
            yield found.label, found.explanations


def of_answers(client: regard.Client, data: Path) -> Iterator[tuple[Explanation, ...]]:
    """Yields the explanations of right answers to the first question about each picture, which asks what is there."""
    first = {question.picture: question for question in reversed(read_questions(data, "test"))}
    for picture in range(NUM_PICTURES):
        file = data / "test" / "images" / f"{picture}.png"
        result = client.answer(file, first[picture].text, model="shapes", explain=OF_ANSWERS)
        if result.answer == first[picture].answer:
            yield result.explanations


if __name__ == "__main__":
    main()
