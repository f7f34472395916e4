import numpy as np
import torch

from regard_models.attention.multi_head import MultiHeadAttention
from regard_models.attention.talking_heads import TalkingHeadsAttention
from tests.unit.models.attention.helpers import (
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


def talking() -> TalkingHeadsAttention:
    return seeded(TalkingHeadsAttention(8, 4))


def test_equals_numpy() -> None:
    inputs, module = draw(SPECS), talking()
    p, x = arrays(module.state_dict()), arrays(inputs)
    names = {"query": "query", "key": "memory", "value": "memory"}
    q, k, v = (x[of] @ p[f"{name}.weight"].T + p[f"{name}.bias"] for name, of in names.items())
    parts = [slice(2 * head, 2 * head + 2) for head in range(4)]
    scores = [q[..., part] @ k[..., part].swapaxes(1, 2) / 2**0.5 for part in parts]
    weights = []
    for g in range(4):
        mixed = sum((scores[h] * p["mix_scores"][h, g] for h in range(4)), np.zeros_like(scores[0]))
        weights.append(softmax(mixed, x["mask"][:, 0]))
    talked = [sum((weights[g] * p["mix_weights"][g, h] for g in range(4)), np.zeros_like(weights[0])) for h in range(4)]
    contexts = [each @ v[..., part] for each, part in zip(talked, parts, strict=True)]
    context = np.concatenate(contexts, -1) @ p["output.weight"].T + p["output.bias"]
    check_equal(module(**inputs), [context, np.stack(talked, 1)])


def test_heads_that_do_not_talk_are_multi_head_attention() -> None:
    inputs, plain = draw(SPECS), seeded(MultiHeadAttention(8, 4))
    module = TalkingHeadsAttention(8, 4).double()
    module.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(module.mix_scores, torch.eye(4).double())
    check_equal(module(**inputs), [x.detach().numpy() for x in plain(**inputs)])


def test_mask() -> None:
    check_nothing_allowed(talking(), draw(SPECS))
    check_masked_is_ignored(talking(), draw(SPECS))


def test_gradients() -> None:
    check_gradients(talking(), draw(SPECS))


def test_export() -> None:
    check_export(talking(), SPECS)
