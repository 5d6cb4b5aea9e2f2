"""The training loop of all decoders: any number of processes, exact resume, EMA.

Every batch is a function of seed and step alone, and the learning rate of the step, so that a
run continued from its last checkpoint is the run that was never broken (exactly, on the CPU).
"""

from __future__ import annotations

import copy
import math
import re
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from emotalk_cli.decoders import diffusion
from emotalk_cli.decoders.checkpoint import CARD, CONFIG, save_decoder
from emotalk_cli.decoders.denoiser import Denoiser, build
from emotalk_cli.decoders.solvers import TIMESTEPS, alphas_cumprod
from emotalk_cli.decoders.spec import Spec
from emotalk_cli.decoders.tensors import load_tensors, save_tensors
from emotalk_cli.decoders.training.config import TrainConfig
from emotalk_cli.decoders.training.journal import Journal, best_validation
from emotalk_cli.decoders.training.losses import MotionLoss
from emotalk_cli.decoders.training.validation import validate
from emotalk_cli.decoders.training.windows import Batch, Windows, mix, moved
from emotalk_cli.errors import EmotalkError
from emotalk_cli.interrupts import ending, noted
from emotalk_cli.progress import Progress

LAST = "last"
STATE = "state.safetensors"
PROGRESS = "progress"
"""Name of the tensor of steps done, best validation loss, validations since then."""
METRICS = "metrics.csv"
NO_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)


@dataclass
class _State:
    """What changes while training runs."""

    step: int = 0
    best: float = math.inf
    since_best: int = 0
    loss: float = math.nan


def steps_done(out: Path) -> int | None:
    """How far the run in the folder `out` came; None where its state was not kept."""
    path = out / LAST / STATE
    return int(load_tensors(path)[PROGRESS][0]) if path.is_file() else None


def _accelerator(precision: str) -> Any:
    """What spreads training over the devices and processes there are."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    if precision == "fp16" and not torch.cuda.is_available():
        raise EmotalkError(
            "Training in fp16 needs a GPU with CUDA, and none is found.",
            "Set precision to bf16 or no.",
        )
    AcceleratorState._reset_state()  # another decoder trained in this process is done
    # Without this several processes on a machine without a GPU would not find one another.
    only_cpu = not (torch.cuda.is_available() or torch.backends.mps.is_available())
    return Accelerator(mixed_precision=precision, cpu=only_cpu)


class Trainer:
    """Trains one decoder and keeps its checkpoints in `out`: the best there, the last in last/."""

    def __init__(
        self,
        spec: Spec,
        config: TrainConfig,
        loss: MotionLoss,
        training: Windows,
        validation: Windows,
        out: Path,
        *,
        seed: int,
        made_by: Mapping[str, Any],
    ) -> None:
        self.spec, self.config, self.out, self.seed = spec, config, out, seed
        self._training, self._validation, self._made_by = training, validation, made_by
        self._accelerator = _accelerator(config.precision)
        torch.manual_seed(seed)
        model = build(spec)
        self._ema = copy.deepcopy(model).requires_grad_(False).to(self._accelerator.device).eval()
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self._model, self._optimizer = self._accelerator.prepare(model, optimizer)
        self._loss = loss.to(self._accelerator.device)
        self._alphas = alphas_cumprod()
        self._state = _State()

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files."""
        return bool(self._accelerator.is_main_process)

    def run(self, progress: Progress, *, resume: bool = False) -> dict[str, float]:
        """Train to the configured number of steps; the figures of the best checkpoint."""
        if resume:
            self._restore()
            progress.note(f"Going on after step {self._state.step}.")
        if self.is_main:
            self._remove_marks(resume)
        journal = Journal(self.out / METRICS, self._state.step, self._accelerator.is_main_process)
        progress.task("Training", self.config.steps)
        progress.advance(self._state.step)
        began = time.monotonic()
        try:
            with noted() as stops:
                while self._state.step < self.config.steps and not self._patience_is_out():
                    row = self._step()
                    progress.advance()
                    if self._state.step % self.config.log_every == 0:
                        journal.add(self._state.step, {**row, "seconds": time.monotonic() - began})
                    if self._is_time_to_validate():
                        figures = self._validate_and_save()
                        journal.add(self._state.step, figures)
                        progress.note(self._summary(row, figures))
                    if self._any_process(bool(stops)):
                        self._stop(stops, progress)
        except (RuntimeError, MemoryError) as error:  # torch's own for a GPU is a RuntimeError
            if not (isinstance(error, MemoryError) or NO_MEMORY.search(str(error))):
                raise
            raise EmotalkError(
                f"The memory is too small for batches of {self.config.batch_size} windows.",
                "Set a smaller batch_size in the config and begin again with --overwrite.",
            ) from error
        best = best_validation(self.out / METRICS) if self.is_main else {}
        return {"steps": float(self._state.step), **best}

    def end(self) -> None:
        """Part the processes in order: one that just ends may abort its neighbours' threads."""
        self._accelerator.wait_for_everyone()
        self._accelerator.end_training()

    def _remove_marks(self, resume: bool) -> None:
        """Remove what says that a run is finished and, for a new run, where an older one was."""
        state = () if resume else (self.out / LAST / STATE, self.out / LAST / CONFIG)
        for path in (self.out / CARD, *state):
            path.unlink(missing_ok=True)

    def _any_process(self, here: bool) -> bool:
        """Whether it is so in any process, so that all stop after the same step."""
        if self._accelerator.num_processes == 1:
            return here
        told = torch.tensor(float(here), device=self._accelerator.device)
        return float(self._accelerator.reduce(told, "sum")) > 0

    def _stop(self, stops: Sequence[signal.Signals], progress: Progress) -> None:
        """Keep the exact state after a whole step, then stop as was asked."""
        if self.is_main:
            self._save_last()
        self._accelerator.wait_for_everyone()
        progress.note(
            f"Stopped after step {self._state.step}; the same command without --overwrite goes on."
        )
        raise ending(stops)

    def _step(self) -> dict[str, float]:
        """One step of gradient descent; its loss terms, averaged over all processes' frames."""
        step, config = self._state.step, self.config
        batch, offset = self._my_batch(step)
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate(step)
        generator = torch.Generator().manual_seed(mix(self.seed, step))
        noise, timestep = self._noise(batch, offset, generator)
        batch = moved(batch, self._accelerator.device)
        terms = self._terms(self._model, batch, noise, timestep)
        frames = self._accelerator.reduce(batch.mask.sum(), "mean")
        loss = torch.stack(list(terms.values())).sum() / frames
        self._optimizer.zero_grad()
        self._accelerator.backward(loss)
        norm = self._accelerator.clip_grad_norm_(self._model.parameters(), config.gradient_clip)
        means = {
            name: float(self._accelerator.reduce(value.detach() / frames, "mean"))
            for name, value in terms.items()
        }
        total = sum(means.values())
        # Gradients in fp16 overflow now and then; the scaler skips that step and scales down.
        finite_norm = math.isfinite(float(norm)) or config.precision == "fp16"
        if not math.isfinite(total) or not finite_norm:
            raise EmotalkError(
                f"The loss is no number any more at step {step}; the checkpoint in "
                f"{self.out / LAST} is the last good one.",
                "Begin again with --overwrite and a smaller learning_rate.",
            )
        self._optimizer.step()
        self._follow()
        self._state.step, self._state.loss = step + 1, total
        return {"loss": total, **means, "learning_rate": self._learning_rate(step)}

    def _my_batch(self, step: int) -> tuple[Batch, int]:
        """The windows of the step that are this process's share, and the number of the first."""
        plan = self._training.plan(step, self.seed)
        frames = self._training.frames(plan)
        processes = self._accelerator.num_processes
        share = max(1, len(plan) // processes)
        offset = self._accelerator.process_index * share
        mine = plan[offset : offset + share]
        return self._training.cut(mine, frames, (self.seed, step), offset), offset

    def _noise(
        self, batch: Batch, offset: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Noise and timesteps of this share, drawn for the whole batch on every process."""
        size = self.config.batch_size
        noise = torch.randn((size, *batch.x0.shape[1:]), generator=generator)
        timestep = torch.randint(0, TIMESTEPS, (size,), generator=generator)
        part = slice(offset, offset + len(batch.x0))
        return noise[part], timestep[part]

    def _terms(
        self, model: Any, batch: Batch, noise: Tensor, timestep: Tensor
    ) -> dict[str, Tensor]:
        """The loss's terms for noise (B, T, D) at timesteps (B,)."""
        noise, timestep = noise.to(batch.x0.device), timestep.to(batch.x0.device)
        if self.config.mode == "regression":
            x, timestep = (
                torch.zeros_like(noise),
                torch.full_like(timestep, TIMESTEPS - 1),
            )
        else:
            x = diffusion.add_noise(batch.x0, noise, timestep, self._alphas)
        return self._loss.terms(model(x, timestep, batch.conditions), batch.x0, batch.mask)

    def _learning_rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to 2 % of the peak."""
        warm = min(1.0, (step + 1) / max(1, self.config.warmup_steps))
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.config.steps)))
        return self.config.learning_rate * warm * (0.02 + 0.98 * fall)

    @torch.no_grad()
    def _follow(self) -> None:
        """Exponential moving average of the weights, faster at the start."""
        step = self._state.step
        decay = min(self.config.ema_decay, (1 + step) / (10 + step))
        live = self._accelerator.unwrap_model(self._model)
        for kept, new in zip(self._ema.parameters(), live.parameters(), strict=True):
            kept.lerp_(new.detach(), 1 - decay)

    def _is_time_to_validate(self) -> bool:
        """Whether this step ends with a validation."""
        step = self._state.step
        return step % self.config.validate_every == 0 or step == self.config.steps

    def _patience_is_out(self) -> bool:
        """Whether too many validations have passed without a better one."""
        return 0 < self.config.patience <= self._state.since_best

    def _validate_and_save(self) -> dict[str, float]:
        """Score the averaged weights on held-out windows; keep the best and the last."""
        figures = validate(self._ema, self._validation, self._loss, self.spec, self._alphas)
        better = figures["validation"] < self._state.best
        if better:
            self._state.best, self._state.since_best = figures["validation"], 0
        else:
            self._state.since_best += 1
        if self._accelerator.is_main_process:
            if better:
                weights, half = self._ema.state_dict(), self.config.half_weights
                save_decoder(self.out, self.spec, weights, self._made_by, half=half)
            self._save_last()
        self._accelerator.wait_for_everyone()
        return figures

    def _save_last(self) -> None:
        """Write `last/`: weights, their average, Adam's moments and the progress."""
        live: Denoiser = self._accelerator.unwrap_model(self._model)
        tensors = {f"model.{k}": v for k, v in live.state_dict().items()}
        tensors |= {f"ema.{k}": v for k, v in self._ema.state_dict().items()}
        for index, moments in self._optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in moments.items()}
        state = self._state
        tensors[PROGRESS] = torch.tensor(
            [state.step, state.best, state.since_best], dtype=torch.float64
        )
        kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        save_decoder(self.out / LAST, self.spec, self._ema.state_dict(), self._made_by)
        save_tensors(self.out / LAST / STATE, kept)

    def _restore(self) -> None:
        """Go on from `last/`, exactly where it was."""
        tensors = load_tensors(self.out / LAST / STATE)

        def part(prefix: str) -> dict[str, Tensor]:
            """The tensors under a prefix, without it."""
            return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

        self._accelerator.unwrap_model(self._model).load_state_dict(part("model."))
        self._ema.load_state_dict(part("ema."))
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in part("adam.").items():
            index, _, name = key.partition(".")
            moments.setdefault(int(index), {})[name] = value
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})
        step, best, since_best = tensors[PROGRESS].tolist()
        self._state = _State(int(step), best, int(since_best))

    def _summary(self, row: Mapping[str, float], figures: Mapping[str, float]) -> str:
        """One line for people."""
        shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        return f"Step {self._state.step}: loss {row['loss']:.4g}; {shown}"
