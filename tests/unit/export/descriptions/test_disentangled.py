"""Buckets of distances against those of `transformers`, in the sizes of published models too."""

import numpy as np
import pytest
import torch
from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

from regard_export.descriptions.disentangled import bucketed


@pytest.mark.parametrize(("buckets", "max_distance"), [(256, 512), (256, 1024), (8, 48), (4, 10), (32, 4096)])
def test_buckets_are_those_of_the_original(buckets: int, max_distance: int) -> None:
    distances = np.arange(-2 * max_distance, 2 * max_distance + 1)
    expected = make_log_bucket_position(torch.from_numpy(distances), buckets, max_distance).long()
    np.testing.assert_array_equal(bucketed(distances, buckets, max_distance), expected.numpy())
