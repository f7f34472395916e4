"""Equals BertModel; padding changes nothing; gradients reach everything."""

from typing import Any

import torch
from transformers import BertConfig as OriginalConfig
from transformers import BertModel

from regard_models.nets.bert import BertConfig, BertEncoder
from tests.unit.models.nets.renaming import draw_parameters, renamed

SIZES: dict[str, Any] = {
    "vocab_size": 30, "width": 16, "num_heads": 4, "num_layers": 2, "feed_forward_width": 24, "max_positions": 12
}  # fmt: skip
NAMES = {
    r"embeddings\.word_embeddings": "embedding",
    r"embeddings\.position_embeddings": "encoder_positions",
    r"embeddings\.token_type_embeddings": "segments",
    r"embeddings\.LayerNorm": "encoder_embedding_norm",
    r"encoder\.layer\.(\d+)\.attention\.self\.(query|key|value)": r"encoder.\1.self_attention.\2",
    r"encoder\.layer\.(\d+)\.attention\.output\.dense": r"encoder.\1.self_attention.output",
    r"encoder\.layer\.(\d+)\.attention\.output\.LayerNorm": r"encoder.\1.self_attention_sublayer.norm",
    r"encoder\.layer\.(\d+)\.intermediate\.dense": r"encoder.\1.feed_forward.inner",
    r"encoder\.layer\.(\d+)\.output\.dense": r"encoder.\1.feed_forward.outer",
    r"encoder\.layer\.(\d+)\.output\.LayerNorm": r"encoder.\1.feed_forward_sublayer.norm",
}


def tiny_net() -> BertEncoder:
    torch.manual_seed(0)
    net = BertEncoder(BertConfig(**SIZES))
    draw_parameters(net)
    return net.eval()


def test_equals_the_original() -> None:
    torch.manual_seed(0)
    options: dict[str, Any] = {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24, "vocab_size": 30,
        "max_position_embeddings": 12, "pad_token_id": 0, "attn_implementation": "eager",
    }  # fmt: skip
    original = BertModel(OriginalConfig(**options), add_pooling_layer=False).eval()
    draw_parameters(original)
    net = BertEncoder(BertConfig(**SIZES)).eval()
    net.load_state_dict(renamed(original.state_dict(), NAMES))
    ids, segments = torch.randint(1, 30, (3, 9)), torch.randint(2, (3, 9))
    mask = torch.arange(9) < torch.tensor([9, 1, 5])[:, None]
    expected = original(ids, mask.long(), segments, output_attentions=True)
    states, attention = net(ids, mask, segments, need_weights=True)
    torch.testing.assert_close(states[mask], expected.last_hidden_state[mask], atol=1e-5, rtol=1e-5)
    for actual, weights in zip(attention, expected.attentions, strict=True):
        torch.testing.assert_close(actual, weights, atol=1e-6, rtol=1e-5)


def test_padding_changes_nothing() -> None:
    net, ids = tiny_net(), torch.randint(30, (1, 5))
    alone, _ = net(ids, None)
    padded = torch.cat([ids, torch.full((1, 4), 7)], dim=1)
    among, weights = net(padded, torch.arange(9)[None] < 5, need_weights=True)
    torch.testing.assert_close(among[:, :5], alone, atol=1e-5, rtol=1e-5)
    assert all(layer[..., 5:].abs().max() == 0 for layer in weights)


def test_texts_without_segments_are_of_the_first() -> None:
    net, ids = tiny_net(), torch.randint(30, (2, 5))
    torch.testing.assert_close(net(ids, None)[0], net(ids, None, torch.zeros_like(ids))[0])
    assert not torch.allclose(net(ids, None)[0], net(ids, None, torch.ones_like(ids))[0])


def test_gradients_reach_every_parameter() -> None:
    net = tiny_net()
    net(torch.randint(30, (2, 5)), None, torch.tensor([[0, 0, 1, 1, 1]] * 2))[0].pow(3).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        # A key's bias adds the same to all of a row's scores, which the softmax takes back.
        assert parameter.grad.abs().max() > (0 if "key.bias" in name else 1e-6), name


def test_config_survives_json() -> None:
    config = BertConfig(**SIZES, activation="relu")
    assert BertConfig.from_json(config.to_json()) == config
