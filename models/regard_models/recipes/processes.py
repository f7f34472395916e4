"""Training by several processes, one per GPU, that share the batches of each step (`torchrun`)."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

Item = TypeVar("Item")


@dataclass(frozen=True)
class Processes:
    """The rank of this process in a training, and the number of processes; by default it trains alone.

    Attributes:
        rank: its number, from 0; the first one writes files.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls, device: str) -> Self:
        """Joins the processes that `torchrun` started; without it, this one is alone."""
        if "WORLD_SIZE" not in os.environ:
            return cls()
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        if device.startswith("cuda"):
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and validates."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """This process' part of a step's batches."""
        return items[self.rank :: self.size]

    def sum_gradients(self, model: nn.Module) -> None:
        """Adds up the gradients of all processes."""
        if self.size > 1:
            for gradient in self._gradients(model):
                dist.all_reduce(gradient)

    def wait_for_all(self) -> None:
        """Returns when every process has come here: then the first one's files are complete."""
        if self.size > 1:
            dist.barrier()

    @staticmethod
    def _gradients(model: nn.Module) -> list[Tensor]:
        return [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for parameter in model.parameters()
            if parameter.requires_grad
        ]
