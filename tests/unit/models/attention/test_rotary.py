import math

import numpy as np
import pytest
import torch

from regard_models.attention.multi_head import MultiHeadAttention
from regard_models.attention.rotary import RotaryAttention
from tests.unit.models.attention.helpers import (
    Array,
    Spec,
    arrays,
    check_equal,
    check_export,
    check_gradients,
    check_masked_is_ignored,
    check_nothing_allowed,
    draw,
    in_heads,
    seeded,
    softmax,
)

SPECS = in_heads(8)


def rotary() -> RotaryAttention:
    return seeded(RotaryAttention(8, 2, base=100.0))


def turned(x: Array, position: int, base: float) -> Array:
    """R_p x with the block-diagonal matrix of equation 15."""
    width = len(x)
    matrix = np.zeros((width, width))
    for i in range(width // 2):
        angle = position * base ** (-2 * i / width)
        cos, sin = math.cos(angle), math.sin(angle)
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[cos, -sin], [sin, cos]]
    turned: Array = matrix @ x
    return turned


def test_equals_numpy() -> None:
    inputs, module = draw(SPECS), rotary()
    p, x = arrays(module.state_dict()), arrays(inputs)
    names = {"query": "query", "key": "memory", "value": "memory"}
    q, k, v = (x[of] @ p[f"{name}.weight"].T + p[f"{name}.bias"] for name, of in names.items())
    contexts, all_weights = [], []
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        scores = np.zeros((2, 3, 5))
        for b, t, s in np.ndindex(2, 3, 5):
            # Turning the key alone by its distance is the other side of the paper's equation.
            scores[b, t, s] = turned(q[b, t, part], t - s, 100.0) @ k[b, s, part] / 2
        all_weights.append(softmax(scores, x["mask"][:, 0]))
        contexts.append(all_weights[-1] @ v[..., part])
    context = np.concatenate(contexts, -1) @ p["output.weight"].T + p["output.bias"]
    tolerance = 1e-6  # of the frequencies, which are float32
    check_equal(module(**inputs), [context, np.stack(all_weights, 1)], tolerance)
    check_equal(module(**inputs, need_weights=False)[:1], [context], tolerance)


def test_at_one_position_it_is_multi_head_attention() -> None:
    inputs, module = draw(SPECS, {"batch": 2, "target": 1, "source": 1}), rotary()
    plain = MultiHeadAttention(8, 2).double()
    plain.load_state_dict(module.state_dict())
    check_equal(module(**inputs), [x.detach().numpy() for x in plain(**inputs)])


def test_an_odd_width_of_heads_is_refused() -> None:
    with pytest.raises(ValueError, match="width 3 is odd"):
        RotaryAttention(6, 2)


def test_step_by_step_gives_the_same() -> None:
    inputs, module = draw(SPECS), rotary()
    context, _ = module(**inputs)
    for t in range(3):
        step = {**inputs, "query": inputs["query"][:, t : t + 1], "mask": inputs["mask"][:, :, t : t + 1]}
        torch.testing.assert_close(module(**step, query_positions=torch.tensor([t]))[0], context[:, t : t + 1])


def test_mask() -> None:
    check_nothing_allowed(rotary(), draw(SPECS))
    check_masked_is_ignored(rotary(), draw(SPECS))


def test_gradients() -> None:
    check_gradients(rotary(), draw(SPECS))


def test_export() -> None:
    positions = Spec(("target",), "int", high=20)
    check_export(rotary(), {**SPECS, "query_positions": positions}, ({"need_weights": True}, {"need_weights": False}))
