import numpy as np
import pytest
import torch

from regard_models.nets.patch_distances import PatchDistances, distance_index, num_distances


@pytest.mark.parametrize("class_tokens", [0, 1, 2])
def test_pairs_of_patches_share_an_entry_if_they_lie_alike(class_tokens: int) -> None:
    rows, columns = grid = 2, 3
    index = distance_index(grid, class_tokens).numpy()
    assert index.max() == num_distances(grid, class_tokens) - 1
    entries: dict[tuple[int, int], int] = {}
    for i, j in np.ndindex(rows * columns, rows * columns):
        (row_i, column_i), (row_j, column_j) = divmod(i, columns), divmod(j, columns)
        entry = index[class_tokens + i, class_tokens + j]
        assert entries.setdefault((row_i - row_j, column_i - column_j), entry) == entry
    assert len(set(entries.values())) == len(entries) == (2 * rows - 1) * (2 * columns - 1)


def test_class_tokens_have_entries_of_their_own() -> None:
    index = distance_index((2, 2), 1).numpy()
    among_patches = set(index[1:, 1:].flat)
    ours = [set(index[0, 1:]), set(index[1:, 0]), {index[0, 0]}]
    assert [len(entries) for entries in ours] == [1, 1, 1]
    assert len(set.union(*ours)) == 3
    assert not among_patches & set.union(*ours)


def test_each_head_has_its_table() -> None:
    distances = PatchDistances((2, 2), 3, class_tokens=1)
    bias = distances()
    assert bias.shape == (1, 3, 5, 5)
    assert torch.equal(bias[0, 2, 1, 4], distances.table[distances.index[1, 4], 2])
    bias.sum().backward()
    gradient = distances.table.grad
    assert gradient is not None
    assert torch.all(gradient > 0)
