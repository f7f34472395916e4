"""EfficientNet-Lite: shapes, TensorFlow's padding, folded normalizations, and the published net itself."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from regard_models.nets.efficientnet import (
    NORM_EPSILON,
    EfficientNet,
    EfficientNetConfig,
    SameConv,
    Stage,
    fold_batch_norms,
    same_padding,
)


def test_lite0_has_the_published_size() -> None:
    with torch.device("meta"):
        net = EfficientNet(EfficientNetConfig())
        assert net(torch.empty(2, 3, 224, 224)).shape == (2, 1280, 7, 7)
    # Published are 4,652,008, with a classifier; folding keeps a normalization's bias per channel and drops its gain.
    gains = sum(conv.out_channels for conv in net.modules() if isinstance(conv, nn.Conv2d))
    classifier = 1280 * 1000 + 1000
    assert sum(parameter.numel() for parameter in net.parameters()) + gains + classifier == 4_652_008


def test_grid_is_what_comes_out() -> None:
    stages = (Stage(1, 3, 1, 4, 1), Stage(2, 5, 2, 6, 2), Stage(2, 3, 2, 8, 1))
    config = EfficientNetConfig(image_size=48, stem_channels=4, stages=stages, head_channels=10)
    features = EfficientNet(config)(torch.randn(1, 3, 48, 48))
    assert features.shape == (1, 10, config.grid, config.grid) == (1, 10, 6, 6)
    assert EfficientNetConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("kernel", "stride", "expected"), [(3, 1, (1, 1)), (3, 2, (0, 1)), (5, 2, (1, 2)), (1, 1, (0, 0))]
)
def test_padding_is_tensorflows(kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(kernel, stride) == expected
    conv = SameConv(1, 1, kernel, stride=stride)
    assert conv(torch.randn(1, 1, 8, 8)).shape == (1, 1, 8 // stride, 8 // stride)


def test_stride_two_looks_at_the_lower_right() -> None:
    conv = SameConv(1, 1, 3, stride=2)
    nn.init.ones_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0, 0] = 1.0  # the first window covers rows and columns 0 to 2, not -1 to 1
    image[0, 0, 2, 2] = 10.0
    assert conv(image)[0, 0].tolist() == [[11.0, 10.0], [10.0, 10.0]]


def test_folding_keeps_the_function() -> None:
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8, eps=NORM_EPSILON)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    for x in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(x)
    nn.init.uniform_(norm.running_var, 0.1, 2.0)
    published = {f"_conv_stem.{name}": x for name, x in conv.state_dict().items()}
    published |= {f"_bn0.{name}": x for name, x in norm.state_dict().items()}
    folded = fold_batch_norms(published)
    assert folded.keys() == {"stem.weight", "stem.bias"}
    image = torch.randn(2, 3, 9, 9)
    expected = norm.eval()(conv(image))
    torch.testing.assert_close(functional.conv2d(image, folded["stem.weight"], folded["stem.bias"], 2), expected)


def test_equals_the_published_net() -> None:
    theirs = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0").eval()
    torch.manual_seed(0)
    for name, x in theirs.state_dict().items():  # random weights suffice and need no download
        if name.endswith("running_var"):
            nn.init.uniform_(x, 0.5, 2.0)
        elif x.dim() == 1:
            nn.init.normal_(x, mean=1.0 if name.endswith("weight") else 0.0, std=0.2)
    ours = EfficientNet(EfficientNetConfig()).eval()
    ours.load_state_dict(fold_batch_norms(theirs.state_dict()))
    pixels = torch.rand(2, 3, 224, 224) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(ours(pixels), theirs.extract_features(pixels), atol=1e-3, rtol=1e-3)
