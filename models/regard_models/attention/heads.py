"""Splits a width into heads, and has the four projections around attention in several heads.

Mechanisms that differ only in how the heads attend share these parameters (`query`, `key`, `value`, `output`), so the
checkpoint of one loads into another.
"""

from torch import Tensor, nn


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """[batch, n, width] -> [batch, heads, n, width / heads]."""
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """[batch, heads, n, width / heads] -> [batch, n, width]."""
    return x.transpose(1, 2).flatten(2)


class HeadProjections(nn.Module):
    """The projections W_q, W_k, W_v and W_o; subclasses add the attention between them.

    Args:
        width: model width; a multiple of `num_heads` unless `head_width` is given.
        num_heads: heads.
        num_key_heads: heads of the keys and values; a divisor of `num_heads`; None means `num_heads`.
        head_width: width of each head; None means `width / num_heads`.
        memory_width: width of the memory; None means `width`.
        bias: whether the four projections add a bias.
        scale: factor on the scores; None means 1 / sqrt(head width).
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        *,
        num_key_heads: int | None = None,
        head_width: int | None = None,
        memory_width: int | None = None,
        bias: bool = True,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        num_key_heads = num_heads if num_key_heads is None else num_key_heads
        if head_width is None and width % num_heads:
            raise ValueError(f"width {width} is not a multiple of num_heads {num_heads}")
        if num_heads % num_key_heads:
            raise ValueError(f"num_heads {num_heads} is not a multiple of num_key_heads {num_key_heads}")
        head_width = width // num_heads if head_width is None else head_width
        self.num_heads = num_heads
        self.num_key_heads = num_key_heads
        self.scale = scale if scale is not None else head_width**-0.5
        self.query = nn.Linear(width, num_heads * head_width, bias=bias)
        self.key = nn.Linear(memory_width or width, num_key_heads * head_width, bias=bias)
        self.value = nn.Linear(memory_width or width, num_key_heads * head_width, bias=bias)
        self.output = nn.Linear(num_heads * head_width, width, bias=bias)

    def project(self, query: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Projects and splits into heads.

        Args:
            query: float [batch, target, width].
            memory: float [batch, source, memory width].

        Returns:
            q: float [batch, heads, target, head_width].
            k, v: float [batch, key_heads, source, head_width].
        """
        return (
            split_heads(self.query(query), self.num_heads),
            split_heads(self.key(memory), self.num_key_heads),
            split_heads(self.value(memory), self.num_key_heads),
        )

    def finish(self, context: Tensor) -> Tensor:
        """context: float [batch, heads, target, head_width] -> float [batch, target, width].

        The context of a row that may attend to nothing is 0, so the result is the output projection's bias.
        """
        return self.output(merge_heads(context))
