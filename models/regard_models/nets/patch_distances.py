"""A bias on attention scores between patches, by their vertical and horizontal distance.

After Bao et al. 2022, "BEiT", and Liu et al. 2021, "Swin Transformer", section 3.2:

    score[i, j] += table[head, row_i - row_j, column_i - column_j]

Positions before the patches, such as a class token, have three separate entries: for queries from them to patches, for
queries from patches to them, and among themselves.
"""

import torch
from torch import Tensor, nn


class PatchDistances(nn.Module):
    """A learned table of distances.

    Args:
        grid: rows and columns of patches.
        num_heads: heads; each has its own table.
        class_tokens: positions before the patches.
    """

    index: Tensor

    def __init__(self, grid: tuple[int, int], num_heads: int, *, class_tokens: int = 0) -> None:
        super().__init__()
        index = distance_index(grid, class_tokens)
        self.register_buffer("index", index, persistent=False)
        self.table = nn.Parameter(torch.randn(num_distances(grid, class_tokens), num_heads) * 0.02)

    def forward(self) -> Tensor:
        """The bias: float [1, heads, positions, positions], queries before keys."""
        bias: Tensor = self.table[self.index].permute(2, 0, 1)[None]
        return bias


def num_distances(grid: tuple[int, int], class_tokens: int) -> int:
    """Number of rows of the table."""
    rows, columns = grid
    return (2 * rows - 1) * (2 * columns - 1) + (3 if class_tokens else 0)


def distance_index(grid: tuple[int, int], class_tokens: int) -> Tensor:
    """The row of the table for each query and key: int64 [positions, positions]."""
    rows, columns = grid
    row, column = (x.flatten() for x in torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"))
    down, across = row[:, None] - row + rows - 1, column[:, None] - column + columns - 1
    among_patches = down * (2 * columns - 1) + across
    last = num_distances(grid, class_tokens) - 1
    index = torch.full((class_tokens + rows * columns,) * 2, last)
    index[:class_tokens, class_tokens:] = last - 2
    index[class_tokens:, :class_tokens] = last - 1
    index[class_tokens:, class_tokens:] = among_patches
    return index
