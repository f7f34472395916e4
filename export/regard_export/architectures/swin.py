"""The Swin transformer (Liu et al. 2021) as an encoder: pixels in, states of the last stage's grid out."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from regard.arrays import Float32Array
from regard_export.architectures.traced_layers import squared_norms
from regard_export.architectures.transformer_stack import TransformerStack
from regard_export.architectures.transformer_tensors import EncoderOutput
from regard_export.architectures.vision_transformer import pixels_input, project_patches, squeeze_requests
from regard_export.descriptions.encoders import SwinDescription
from regard_export.descriptions.layers import Linear, Norm
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.layer_builders import LayerBuilders
from regard_models.nets.patch_distances import distance_index
from regard_models.nets.swin import (
    MERGED,
    SEPARATE,
    SwinConfig,
    inverse_index,
    merge_index,
    separations,
    window_index,
    window_regions,
)
from regard_service.bundle import TensorSpec

MAX_TRACED_POSITIONS = 2048  # a map of self-attention has the square of them
MAX_SCORE_BIAS = 2**23  # numbers of a layer's bias that a graph holds; a page of text has fifty times as many
PATCH_EPSILON = 1e-5  # of the normalizations of patches, whatever that of the layers is


@dataclass(frozen=True)
class SwinEncoder:
    """An encoder of pictures, see `Encoder`."""

    description: SwinDescription

    @property
    def config(self) -> SwinConfig:
        """The encoder's config."""
        return self.description.swin

    @property
    def max_positions(self) -> int:
        """Positions of every picture."""
        return self.config.num_positions

    @property
    def nbytes(self) -> int:
        """Size of the weights in float32."""
        return self.description.nbytes

    def add_to(self, graph: GraphBuilder, builders: LayerBuilders) -> EncoderOutput:
        """Adds the encoder with its input."""
        pixels = pixels_input(graph, self.config.image_height, self.config.image_width)
        return EncoderOutput(_SwinStack(graph, self.description, builders).states(pixels))

    @property
    def traced_layers(self) -> int:
        """Layers of the last stage, whose positions the decoder attends to; earlier stages have finer grids.

        0 if the last grid is padded to whole windows: attention to padding would be missing from the maps; and of
        pages of text, whose maps are too large.
        """
        rows, columns = self.config.grid
        is_padded = bool(rows % self.config.window or columns % self.config.window)
        return 0 if is_padded or rows * columns > MAX_TRACED_POSITIONS else self.config.depths[-1]

    @property
    def traced_heads(self) -> int:
        """Heads of each of them."""
        return self.config.num_heads[-1] if self.traced_layers else 0

    def add_traced_to(self, graph: GraphBuilder, builders: LayerBuilders) -> str:
        """Adds the encoder for one picture, with its attention as outputs; returns its states."""
        pixels = pixels_input(graph, self.config.image_height, self.config.image_width, requests=1)
        return squeeze_requests(graph, _TracedSwinStack(graph, self.description, builders).states(pixels))


class _SwinStack(TransformerStack):
    """The residual stream is [requests, positions, width of the stage], row by row."""

    description: SwinDescription

    def states(self, pixels: str) -> str:
        """Adds the encoder; returns its states."""
        swin, weights = self.description.swin, self.description.weights
        x = self.normalize(
            project_patches(self.graph, weights, pixels, swin.patch_size), self._patch_norm("patch_norm")
        )
        if swin.absolute_positions:
            x = self.graph.node("Add", x, self.graph.constant(weights["positions"], "positions"))
        for stage, depth in enumerate(swin.depths):
            x = x if stage == 0 else self._merge(stage, x)
            names = [f"stages.{stage}.{layer}.layer" for layer in range(depth)]
            sublayers = [
                sublayer
                for layer, name in enumerate(names)
                for sublayer in (
                    partial(self._attend, stage, layer),
                    partial(self.feed_forward, f"{name}.feed_forward"),
                )
            ]
            norms = [self.norm(f"{name}.{kind}") for name in names for kind in ("self_attention", "feed_forward")]
            x = self.run(x, sublayers, norms)
        return self.normalize(x, self.description.norm("encoder_norm")) if swin.final_norm else x

    def _patch_norm(self, name: str) -> Norm:
        return replace(self.description.norm(name), epsilon=PATCH_EPSILON)

    def _merge(self, stage: int, x: str) -> str:
        """Patch merging before a stage: four positions become one of twice their width."""
        swin, name = self.description.swin, f"merges.{stage - 1}"
        grid, width = swin.grids[stage - 1], swin.layers(stage - 1).width
        index = self.graph.constant(merge_index(grid).numpy().astype(np.int32), "merge")
        fours = self.graph.node("Gather", self._append_zero(x), index, axis=1)  # [requests, positions / 4, 4, width]
        joined = self.graph.node("Reshape", fours, self.graph.constant(np.array([0, 0, MERGED**2 * width])))
        return self.linear(
            self.normalize(joined, self._patch_norm(f"{name}.norm")), self.description.linear(f"{name}.reduction")
        )

    def _attend(self, stage: int, layer: int, x: str) -> str:
        """Self-attention within each window, without a fused operator, since the windows' score biases differ."""
        graph, swin, name = self.graph, self.description.swin, f"stages.{stage}.{layer}.layer.self_attention"
        sizes, grid, area = swin.layers(stage), swin.grids[stage], swin.window**2
        index = window_index(grid, swin.window, swin.shift(stage, layer))
        windows = graph.node("Gather", self._append_zero(x), graph.constant(index.numpy().astype(np.int32)), axis=1)
        query = self.projections(name, "query").scaled(sizes.width_of_head**-0.5)
        joined = Linear.joined(f"{name}.query_key_value", [query, self.projections(name, "key", "value")])
        projected = self.linear(windows, joined)
        # [requests, windows, M * M, 3, heads, head width], each part [requests, windows, heads, M * M, head width]
        shape = np.array([0, 0, area, 3, sizes.num_heads, sizes.width_of_head])
        heads = graph.node("Reshape", projected, graph.constant(shape))
        parts = graph.nodes("Split", [heads], 3, axis=3, num_outputs=3)
        axis = graph.constant(np.array([3]))
        queries, keys, values = (graph.node("Squeeze", part, axis) for part in parts)
        queries, values = (graph.node("Transpose", part, perm=[0, 1, 3, 2, 4]) for part in (queries, values))
        scores = graph.node("MatMul", queries, graph.node("Transpose", keys, perm=[0, 1, 3, 4, 2]))
        biased = self._biased(stage, layer, scores)
        weights = graph.node("Softmax", biased, axis=-1)
        self._output_attention(stage, layer, weights, values)
        context = graph.node("MatMul", weights, values)
        merged = graph.node("Transpose", context, perm=[0, 1, 3, 2, 4])
        flat = graph.node("Reshape", merged, graph.constant(np.array([0, index.numel(), sizes.width])))
        inverse = inverse_index(index, grid[0] * grid[1]).numpy().astype(np.int32)
        return self.output(graph.node("Gather", flat, graph.constant(inverse), axis=1), name)

    def _output_attention(self, stage: int, layer: int, weights: str, values: str) -> None:
        """Does nothing; a trace graph outputs the attention.

        Args:
            weights: [requests, windows, heads, M * M, M * M].
            values: [requests, windows, heads, M * M, head width].
        """

    def _biased(self, stage: int, layer: int, scores: str) -> str:
        """Adds to scores, [requests, windows, heads, M * M, M * M], the bias of distances, and a large negative one
        between positions that share a window only through the shift.
        """
        swin, window, graph = self.description.swin, self.description.swin.window, self.graph
        table = self.description.weights[f"stages.{stage}.{layer}.distances.table"]  # [distances, heads]
        distances: Float32Array = table.T[:, distance_index((window, window), 0).numpy()][None]
        grid, shift = swin.grids[stage], swin.shift(stage, layer)
        if not shift:
            return graph.node("Add", scores, graph.constant(distances, "score_bias"))
        regions = window_regions(grid, window, shift).numpy().astype(np.int32)
        if distances.size * len(regions) <= MAX_SCORE_BIAS:
            joined = distances + separations(grid, window, shift).numpy()[:, None]
            return graph.node("Add", scores, graph.constant(joined, "score_bias"))
        rows = graph.constant(regions[:, None, :, None], "regions")
        columns = graph.constant(regions[:, None, None, :], "regions")
        zero, apart = (graph.constant(np.float32(value)) for value in (0, SEPARATE))
        separation = graph.node("Where", graph.node("Equal", rows, columns), zero, apart)
        return graph.node("Add", graph.node("Add", scores, graph.constant(distances, "score_bias")), separation)

    def _append_zero(self, x: str) -> str:
        """Appends a position of zeros, which the indexes of padding point to."""
        return self.graph.node("Pad", x, self.graph.constant(np.array([0, 0, 0, 0, 1, 0])))


class _TracedSwinStack(_SwinStack):
    """Outputs the last stage's self-attention of one picture, between all positions; between windows it is 0."""

    def _output_attention(self, stage: int, layer: int, weights: str, values: str) -> None:
        swin, graph = self.description.swin, self.graph
        if stage < len(swin.depths) - 1:
            return
        sizes, length = swin.layers(stage), swin.num_positions
        index = window_index(swin.grid, swin.window, swin.shift(stage, layer))
        # The appended 0 is the weight between positions of different windows.
        cells = graph.node("Pad", self._by_head(weights, sizes.num_heads), graph.constant(np.array([0, 0, 0, 1])))
        places = graph.constant(_places(index.numpy(), length), "places")
        name = f"encoder_attention_{layer}"
        self._output(name, (sizes.num_heads, length, length), "Gather", cells, places, axis=1)
        output = self.description.linear(f"stages.{stage}.{layer}.layer.self_attention.output")
        squares = self._by_head(squared_norms(graph, output, values, sizes.num_heads), sizes.num_heads)
        inverse = inverse_index(index, length).numpy().astype(np.int32)
        squares = graph.node("Gather", squares, graph.constant(inverse), axis=1)
        self._output(f"encoder_value_norm_{layer}", (sizes.num_heads, length), "Sqrt", squares)

    def _by_head(self, x: str, num_heads: int) -> str:
        """[1, windows, heads, ...] -> [heads, all else], window by window."""
        graph = self.graph
        split = graph.node("Reshape", x, graph.constant(np.array([0, 0, num_heads, -1])))
        heads = graph.node("Transpose", split, perm=[0, 2, 1, 3])
        return graph.node("Reshape", heads, graph.constant(np.array([num_heads, -1])))

    def _output(self, name: str, shape: tuple[int, ...], op: str, *inputs: str, **attributes: int) -> None:
        self.graph.output(TensorSpec(name=name, dtype="float32", shape=shape))
        self.graph.node(op, *inputs, output=name, **attributes)


def _places(index: NDArray[np.int64], length: int) -> NDArray[np.int32]:
    """The index of two positions' weight among the cells of all windows; the cell after the last if they share none.

    Args:
        index: int64 [windows, M * M], the position at each place of each window.

    Returns:
        int32 [length, length].
    """
    num_windows, area = index.shape
    places = np.full((length, length), num_windows * area**2, np.int32)
    for window, positions in enumerate(index):
        cells = np.arange(window * area**2, (window + 1) * area**2).reshape(area, area)
        places[np.ix_(positions, positions)] = cells
    return places
