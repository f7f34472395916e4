"""The shipped detector over a real port: what the recipe draws is found, and lamps look at the sign far away."""

import io

import numpy as np
from PIL import Image

import regard
from regard_models.recipes.scenes import LABELS, Scene, draw_scene

SCENES = [draw_scene(3, number) for number in range(40)]  # of the recipe's test seed


def _png(scene: Scene) -> bytes:
    file = io.BytesIO()
    Image.fromarray(scene.pixels).save(file, "PNG")
    return file.getvalue()


def _side_overlap(first: float, second: float, other_first: float, other_second: float) -> float:
    return max(0.0, min(second, other_second) - max(first, other_first))


def _is_found(box: regard.Box, expected: tuple[float, float, float, float]) -> bool:
    """Whether boxes overlap by half of their union."""
    left, top, right, bottom = expected
    shared = _side_overlap(box.left, box.right, left, right) * _side_overlap(box.top, box.bottom, top, bottom)
    areas = (box.right - box.left) * (box.bottom - box.top) + (right - left) * (bottom - top)
    return shared >= 0.5 * (areas - shared)


def test_nearly_every_object_is_found_with_its_label(client: regard.Client) -> None:
    results = client.detect([_png(scene) for scene in SCENES], model="lamps")
    num_found = num_objects = 0
    for scene, result in zip(SCENES, results, strict=True):
        for box, label in zip(scene.boxes.tolist(), scene.labels.tolist(), strict=True):
            num_objects += 1
            num_found += any(each.label == LABELS[label] and _is_found(each.box, box) for each in result.detections)
    assert num_found >= 0.97 * num_objects


def test_most_of_a_lamps_attention_lies_on_the_sign(client: regard.Client) -> None:
    results = client.detect([_png(scene) for scene in SCENES], model="lamps", attention=["alignment"])
    weights = []
    for scene, result in zip(SCENES, results, strict=True):
        grid = result.input.image_grid
        assert grid is not None
        left, top, right, bottom = scene.boxes[scene.labels == LABELS.index("sign")][0]
        x, y = ((np.arange(count) + 0.5) * side / count for count, side in ((grid.columns, 80), (grid.rows, 80)))
        is_sign = ((y >= top) & (y <= bottom))[:, None] & ((x >= left) & (x <= right))
        for index, found in enumerate(result.detections):
            if found.label.endswith("lamp"):
                weights.append(float(np.asarray(result.map_of(index)).reshape(grid.rows, grid.columns)[is_sign].sum()))
    assert len(weights) >= 40
    assert np.mean(weights) > 0.5


def test_a_picture_of_one_colour_has_no_boxes(client: regard.Client) -> None:
    file = io.BytesIO()
    Image.new("RGB", (80, 80), (200, 200, 200)).save(file, "PNG")
    assert client.detect([file.getvalue()], model="lamps")[0].detections == ()
