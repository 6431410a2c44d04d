"""One training run: losses, learning rates, checkpoints, two processes in step.

On a CPU two single-threaded processes that average their gradients finish more than one
process with two threads; each takes its own batches.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import cross_entropy, ctc_loss

from models.train import tokens
from models.train.batches import Batch, BatchProcess
from models.train.muon import Muon
from models.train.network import Size, Whisper

SHORT_UNTIL, SHORT_WORDS, ALL_WORDS = 0.12, 9, 60
MUON_LR, ADAM_LR = 0.01, 2e-3
WARM_UP_STEPS, DECAY_FROM = 200, 0.35
CTC_WEIGHT = 0.3
MISSPELT = 0.04
AVERAGE_DECAY = 0.998
SAVE_EVERY_S = 60.0


def learning_rate_factor(step: int, progress: float) -> float:
    """Linear warm-up, a constant stretch, linear decay to zero at progress 1."""
    decay = min(1.0, (1 - progress) / (1 - DECAY_FROM))
    return max(0.0, min((step + 1) / WARM_UP_STEPS, decay))


def losses(network: Whisper, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the decoder's cross-entropy per token and the encoder's CTC loss per character."""
    targets = torch.from_numpy(batch.targets)
    lengths = torch.from_numpy(batch.text_lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        audio = network.encode(torch.from_numpy(batch.features))
        logits = network.decode(_misspelt(torch.from_numpy(batch.codes)), audio)
        frames = network.ctc(audio)
    decoder_loss = cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=-1)
    encoder_loss = ctc_loss(
        frames.float().log_softmax(-1).transpose(0, 1),
        targets[:, 1:].clamp_min(0),
        torch.full((len(targets),), frames.shape[1]),
        lengths,
        reduction="sum",
        zero_infinity=True,
    )
    return decoder_loss, encoder_loss / lengths.sum().clamp_min(1)


def _misspelt(codes: Tensor) -> Tensor:
    """Replace some characters, so that the decoder learns to go on after its own mistakes."""
    wrong = (torch.rand(codes.shape) < MISSPELT) & (codes >= tokens.FIRST_CHARACTER)
    others = torch.randint(tokens.FIRST_CHARACTER, tokens.OUTPUTS, codes.shape)
    return torch.where(wrong & (codes < tokens.START), others, codes)


class Trainer:
    """The state of one training run."""

    def __init__(self, run: Path, size: Size, adam_only: bool) -> None:
        self._path = run / "checkpoint.pt"
        self.network = Whisper(size)
        self.average = Whisper(size)
        self.average.load_state_dict(self.network.state_dict())
        layers = [*self.network.encoder.parameters(), *self.network.decoder.parameters()]
        hidden = [] if adam_only else [p for p in layers if p.ndim == 2]
        chosen = {id(p) for p in hidden}
        rest = [p for p in self.network.parameters() if id(p) not in chosen]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, ADAM_LR, betas=(0.9, 0.98), weight_decay=0.01)
        ]
        if hidden:
            self.optimizers.append(Muon(hidden, size.width, MUON_LR))
        self._rates = [ADAM_LR, MUON_LR]
        self.steps = 0
        self.seconds = 0.0

    def step(self, batch: Batch, progress: float) -> tuple[float, float]:
        """Take one step; return both losses."""
        factor = learning_rate_factor(self.steps, progress)
        decoder_loss, encoder_loss = losses(self.network, batch)
        (decoder_loss + CTC_WEIGHT * encoder_loss).backward()
        if dist.is_initialized():
            self._average_gradients()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimizer, rate in zip(self.optimizers, self._rates, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad()
        self.steps += 1
        decay = min(AVERAGE_DECAY, self.steps / (self.steps + 20))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.network.parameters()), 1 - decay
            )
        return decoder_loss.item(), encoder_loss.item()

    def _average_gradients(self) -> None:
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def save(self) -> None:
        """Write the checkpoint, never leaving a half-written one."""
        state = {
            "size": asdict(self.network.size),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "steps": self.steps,
            "seconds": self.seconds,
        }
        torch.save(state, self._path.with_suffix(".new"))
        self._path.with_suffix(".new").replace(self._path)

    def resume(self) -> None:
        """Continue from the checkpoint, if there is one."""
        if not self._path.exists():
            return
        state = torch.load(self._path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.steps, self.seconds = state["steps"], state["seconds"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is asked to do."""

    run: Path
    seed: int
    minutes: float
    max_steps: int
    processes: int
    adam_only: bool


def train(rank: int, plan: Plan) -> None:
    """Train as one of the plan's processes; only rank 0 writes and reports."""
    torch.manual_seed(plan.seed)
    torch.set_num_threads(1)
    plan.run.mkdir(parents=True, exist_ok=True)
    if plan.processes > 1:
        meeting = f"file://{(plan.run / 'meeting').resolve()}"
        dist.init_process_group("gloo", meeting, rank=rank, world_size=plan.processes)
    trainer = Trainer(plan.run, Size(), plan.adam_only)
    trainer.resume()
    source: BatchProcess | None = None
    saved_s, before = trainer.seconds, time.monotonic()
    sums, reported = [0.0] * 4, trainer.steps
    while trainer.steps < plan.max_steps:
        progress = _shared(trainer.seconds / (60 * plan.minutes))
        if progress >= 1:
            break
        max_words = SHORT_WORDS if progress < SHORT_UNTIL else ALL_WORDS
        if source is None or source.max_words != max_words:
            if source:
                source.stop()
            seed = (plan.seed * plan.processes + rank) * 1_000_003 + trainer.steps
            source = BatchProcess(seed, max_words)
        asked = time.monotonic()
        batch = source.queue.get()
        waited = time.monotonic() - asked
        for i, value in enumerate((*trainer.step(batch, progress), waited, len(batch.codes))):
            sums[i] += value
        now = time.monotonic()
        trainer.seconds += now - before
        before = now
        if rank == 0 and trainer.steps % 50 == 0:
            decoder, ctc, wait, size = (value / (trainer.steps - reported) for value in sums)
            print(
                f"{trainer.seconds:7.0f} s  step {trainer.steps:6d}  decoder {decoder:.4f}  "
                f"ctc {ctc:.4f}  waited {wait:.3f} s  batch {size:.1f}",
                flush=True,
            )
            sums, reported = [0.0] * 4, trainer.steps
        if rank == 0 and trainer.seconds - saved_s > SAVE_EVERY_S:
            trainer.save()
            saved_s = trainer.seconds
    if rank == 0:
        trainer.save()
    if source:
        source.stop()


def _shared(progress: float) -> float:
    """Return rank 0's progress, so that every process takes the same step."""
    if not dist.is_initialized():
        return progress
    shared = torch.tensor(progress, dtype=torch.float64)
    dist.broadcast(shared, 0)
    return shared.item()
