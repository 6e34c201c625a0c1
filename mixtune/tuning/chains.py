"""What a surface of full-length runs says of chains of rounds: losses on the way, and what a probe changes."""

import numpy as np

from mixtune.recipe import FloatArray
from mixtune.tuning.surrogate import Surface

BEND = 3.0
"""How soon learning slows down: after a share x of a full run, (1 - exp(-BEND x)) / (1 - exp(-BEND)) of it is done.

Ours, a guess: it decides the size of what a probe does early and late in a chain, not which source does more.
"""


def losses_at(surface: Surface, base: FloatArray, exposure: FloatArray, steps: int) -> FloatArray:
    """Losses (n, 2 N) after so many steps on each source, exposure (n, M); `steps` make a full run.

    The losses of the mixture that was seen, approached from those of the untrained model, base (2 N,).
    """
    seen = exposure.sum(axis=1, keepdims=True)
    done = -np.expm1(-BEND * seen / steps) / -np.expm1(-BEND)
    end = surface(exposure / np.maximum(seen, 1e-12) + (seen == 0) / exposure.shape[1])
    return np.asarray(base + done * (end - base))


def probed(surface: Surface, base: FloatArray, exposure: FloatArray, steps: int, probe_steps: float) -> FloatArray:
    """What a probe of each source does to a chain that has seen exposure (M,), shape (M, 2 N).

    The relative fall of the dev loss per target, then the relative rise of the metric: what Influence holds.
    """
    sources = len(exposure)
    before, *after = losses_at(
        surface, base, np.concatenate([exposure[None], exposure + probe_steps * np.eye(sources)]), steps
    )
    half, fall = len(before) // 2, before - np.array(after)
    loss, metric = np.maximum(before[half:], 0.01), np.maximum(1 - before[:half], 0.01)
    return np.concatenate([fall[:, half:] / loss, fall[:, :half] / metric], axis=1)
