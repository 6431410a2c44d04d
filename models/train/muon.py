"""Muon: momentum whose update is orthogonalised, for the square blocks of hidden matrices.

Source: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
Every matrix is cut into width x width blocks, so that one batched Newton-Schulz iteration
serves the whole network.
"""

import torch
import torch.distributed as dist
from torch import Tensor

_A, _B, _C = 3.4445, -4.7750, 2.0315  # quintic iteration of the source
_ITERATIONS = 5


def orthogonalised(blocks: Tensor) -> Tensor:
    """Return the nearest semi-orthogonal matrix of each block, roughly; (n, width, width)."""
    x = blocks.bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * (gram @ gram)) @ x
    return x.float()


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; parameters are (m width, n width) matrices."""

    def __init__(self, parameters: list[Tensor], width: int, lr: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": 0.95, "decay": 0.01})
        self._width = width

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Apply one update."""
        for group in self.param_groups:
            updates = []
            for parameter in group["params"]:
                state = self.state[parameter]
                momentum = state.setdefault("momentum", torch.zeros_like(parameter))
                momentum.lerp_(parameter.grad, 1 - group["momentum"])
                updates.append(self._blocks(parameter.grad.lerp(momentum, group["momentum"])))
            blocks = self._orthogonalised(torch.cat(updates)).split([len(u) for u in updates])
            for parameter, update in zip(group["params"], blocks, strict=True):
                parameter.mul_(1 - group["lr"] * group["decay"])
                parameter.add_(self._whole(update, parameter.shape), alpha=-group["lr"])

    def _orthogonalised(self, blocks: Tensor) -> Tensor:
        """Orthogonalise; training processes in step divide the blocks among them."""
        if not dist.is_initialized():
            return orthogonalised(blocks)
        mine = slice(dist.get_rank(), None, dist.get_world_size())
        result = torch.zeros_like(blocks)
        result[mine] = orthogonalised(blocks[mine])
        dist.all_reduce(result)
        return result

    def _blocks(self, matrix: Tensor) -> Tensor:
        rows, columns = (side // self._width for side in matrix.shape)
        grid = matrix.reshape(rows, self._width, columns, self._width)
        return grid.transpose(1, 2).reshape(-1, self._width, self._width)

    def _whole(self, blocks: Tensor, shape: torch.Size) -> Tensor:
        rows, columns = (side // self._width for side in shape)
        grid = blocks.reshape(rows, columns, self._width, self._width).transpose(1, 2)
        return grid.reshape(shape)
