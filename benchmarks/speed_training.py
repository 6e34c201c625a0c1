"""How fast is a training step, beside sentence-transformers' own trainer on the same texts, batches and threads?

    python benchmarks/speed.py training [--quick] [--threads N] [--json FILE]

One process and one run measures all: `all` (bf16 where the CPU has it, dropout on, as a study trains), the
SentenceTransformerTrainer with its defaults (fp32), the same with bf16=True, `last:1` and `head`. Repetitions are
interleaved, each has batches of its own that all arms share, and a ratio is the median over repetitions of the ratio
within one. The trainer's time runs from the end of one optimiser step to the end of the next, so it holds tokenising
and collating, which mixtune's cache has done before; making the trainer and the first step are left out on both sides.
Seconds are wall seconds; on a busy machine look at CPU seconds, which mean something with one thread.

Texts are docstrings of installed packages, cut at 128 tokens: the summary is the query, the rest the document. The loss
curves are compared on equal batches with dropout off, both at the trainer's rate and schedule; the trainer clips
gradients by default and mixtune does not, so both its curves are shown.
"""

import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from pydantic import JsonValue as Json
from rich.console import Console
from rich.table import Table
from sentence_transformers import SentenceTransformer
from their_trainer import Settings, StepWatch, clocks, train
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from mixtune.config.home import home
from mixtune.proxy import Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.sampler import RecipeDraw
from mixtune.study import OFFLINE_MODEL
from mixtune.training.data import docstrings
from mixtune.training.data.texts import SourceText
from mixtune.training.encoding import models
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.encoding.flops import Flops
from mixtune.training.prepared import Pairs, Rows
from mixtune.training.preparing.examples import pairs_of
from mixtune.training.proxy import ProxyModel, open_proxy
from mixtune.training.randomness import own_randomness
from mixtune.training.run import Run
from mixtune.training.threads import at_most

PACKAGES = ("pandas", "scikit-learn", "numpy", "scipy", "stdlib")
ROWS = 400
"""Pairs of each package, the first ones."""

BATCH, LENGTH, RATE = 32, 128, 5e-5
OURS = {"all": Proxy(trainable="all"), "last:1": Proxy(trainable="last:1"), "head": Proxy(trainable="head")}
THEIRS: dict[str, Settings] = {"trainer": {}, "trainer, bf16=True": {"bf16": True}}
GOALS = {"trainer": 1.8, "trainer, bf16=True": 1.0, "last:1": 4.0, "head": 50.0}
"""How many times as fast as a trainer `all` is to be, and how many times as fast as `all` the others."""

TOLERANCE = 0.02
"""Mean distance of two loss curves, as a share of the mean loss, up to which they are the same curve."""


@dataclass(frozen=True)
class Timed:
    """Steps of one arm in one repetition: median seconds per step, CPU seconds, and counted operations per step."""

    wall: float
    cpu: float
    flops: float


@dataclass(frozen=True)
class Setting:
    """What all arms share."""

    text: SourceText
    pairs: Pairs
    table: FeatureTable
    theirs: SentenceTransformer

    def batches(self, seed: int, steps: int) -> list[Rows]:
        """The first batches of a run of that seed."""
        draw = RecipeDraw({"texts": np.arange(len(self.text))}, Mixture({"texts": 1.0}), BATCH, seed)
        return [draw.draw()[1] for _ in range(steps)]


def training(quick: bool = False, threads: int | None = None) -> dict[str, Json]:
    """Measure, print the tables and return the figures.

    Args:
        quick: fewer steps and repetitions; the ratios are rougher.
        threads: that torch computes on; None: as many as it chooses.
    """
    console = Console()
    if threads is not None:
        torch.set_num_threads(threads)
    repetitions, steps, curve = (3, 2, 8) if quick else (5, 5, 30)
    with warnings.catch_warnings(), models.quiet():
        warnings.simplefilter("ignore")
        rates = {"fp32": product_rate(torch.float32), "bf16": product_rate(torch.bfloat16)}
        setting = _setting()
        proxies = {name: open_proxy(OFFLINE_MODEL, proxy, setting.table) for name, proxy in OURS.items()}
        frozen = {name: frozen_calls(setting, name, proxies[name]) for name in ("last:1", "head")}
        timed: dict[str, list[Timed]] = {name: [] for name in (*OURS, *THEIRS)}
        for seed in range(repetitions):
            for name in timed:
                if name in OURS:
                    many = steps * 20 if name == "head" else steps
                    timed[name].append(_ours(setting, name, proxies[name], seed, many))
                else:
                    timed[name].append(_theirs(setting, name, proxies["all"].flops, seed, steps))
        curves = loss_curves(setting, proxies["all"], curve)
    figures = _figures(timed, rates, frozen, curves)
    for table in _tables(figures):
        console.print(table)
    return figures


def product_rate(dtype: torch.dtype, size: int = 2048) -> float:
    """Operations per second of a square matrix product, the best of a few."""
    a = torch.randn(size, size).to(dtype)
    a @ a
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - began)
    return 2.0 * size**3 / min(seconds)


def _setting() -> Setting:
    parts = [docstrings.pairs(package, "train", home().cache) for package in PACKAGES]
    queries = tuple(text for part in parts for text in part.queries[:ROWS])
    documents = tuple(text for part in parts for text in part.documents[:ROWS])
    text = SourceText(queries, documents, queries)
    table = FeatureTable(home().cache, models.resolve(OFFLINE_MODEL), max_length=LENGTH, precision="auto")
    rows, _ = table.add([*queries, *documents], _silent)
    table.freeze(1, rows, _silent)
    q, d = np.split(rows, 2)
    pairs = pairs_of(text, q, d, np.empty(0, dtype=np.int64), table.embeddings)
    return Setting(text, pairs, table, models.load(models.resolve(OFFLINE_MODEL), LENGTH))


def _silent(what: str, done: int, total: int) -> None:
    pass


def _run(setting: Setting, settings: Proxy, proxy: ProxyModel, seed: int, horizon: int | None = None) -> Run:
    proxy.reset()
    return Run(
        proxy,
        replace(settings, batch_size=BATCH),
        sources={"texts": setting.pairs},
        rows={"texts": np.arange(len(setting.text))},
        recipe=Recipe(Mixture({"texts": 1.0})),
        seed=seed,
        horizon=horizon,
    )


def _ours(setting: Setting, name: str, proxy: ProxyModel, seed: int, steps: int) -> Timed:
    run = _run(setting, OURS[name], proxy, seed)
    with own_randomness(proxy.device, seed), at_most(proxy.threads):
        run.advance()
        before, ends = run.flops, [clocks()]
        for _ in range(steps):
            run.advance()
            ends.append(clocks())
    return _timed(ends, (run.flops - before) / steps)


def _theirs(setting: Setting, name: str, flops: Flops, seed: int, steps: int) -> Timed:
    watch = StepWatch()
    batches = setting.batches(seed, steps + 1)
    train(setting.theirs, setting.text, batches, watch, THEIRS[name])
    if watch.dtypes != {torch.bfloat16 if "bf16" in THEIRS[name] else torch.float32}:
        raise SystemExit(f"{name} computed in {watch.dtypes}")
    pairs, total = setting.pairs, 3 * steps * flops.similarity(BATCH, BATCH)
    for rows in batches[1:]:
        for side in (pairs.queries, pairs.documents):
            total += flops.train(BATCH, int(setting.table.lengths[side[rows]].max()))
    return _timed(watch.clocks, total / steps)


def _timed(ends: Sequence[tuple[float, float]], flops: float) -> Timed:
    wall, cpu = np.median(np.diff(np.array(ends), axis=0), axis=0).tolist()
    return Timed(wall, cpu, flops)


def frozen_calls(setting: Setting, name: str, proxy: ProxyModel) -> int:
    """Calls of modules with parameters that the proxy does not train, in warm steps and an evaluation's encoding."""
    run = _run(setting, OURS[name], proxy, 0)
    trained = {id(parameter) for parameter in proxy.parameters.values()}
    calls = {True: 0, False: 0}

    def count(module: nn.Module, *_: object) -> None:
        own = list(module.parameters(recurse=False))
        if own:
            calls[all(id(parameter) in trained for parameter in own)] += 1

    handle = register_module_forward_hook(count)
    try:
        run.advance()
        run.advance()
        proxy.encode(setting.pairs.queries[:64])
    finally:
        handle.remove()
    assert calls[True] > 0, "the hook sees nothing"
    return calls[False]


def loss_curves(setting: Setting, proxy: ProxyModel, steps: int) -> dict[str, list[float]]:
    """Training losses on the same batches, dropout off, AdamW at the trainer's rate and linear decay."""
    batches = setting.batches(0, steps)
    curves: dict[str, list[float]] = {}
    settings = replace(OURS["all"], learning_rate=RATE, schedule="linear")
    with without_dropout(proxy.module):
        run = _run(setting, settings, proxy, 0, steps)
        for _ in range(steps):
            run.advance()
        curves["mixtune"] = run.losses["texts"]
    theirs: dict[str, Settings] = {"trainer": {}, "trainer, gradients not clipped": {"max_grad_norm": 0.0}}
    for name, extra in theirs.items():
        watch = StepWatch()
        with without_dropout(setting.theirs):
            train(setting.theirs, setting.text, batches, watch, {"logging_steps": 1, "learning_rate": RATE, **extra})
        curves[name] = watch.losses
    return curves


@contextmanager
def without_dropout(module: nn.Module) -> Iterator[None]:
    """Every dropout of the module lets everything through."""
    found = [(one, one.p) for one in module.modules() if isinstance(one, nn.Dropout)]
    try:
        for one, _ in found:
            one.p = 0.0
        yield
    finally:
        for one, p in found:
            one.p = p


def _figures(
    timed: dict[str, list[Timed]], rates: dict[str, float], frozen: dict[str, int], curves: dict[str, list[float]]
) -> dict[str, Json]:
    def ratio(fast: str, slow: str, clock: str) -> float:
        pairs = zip(timed[fast], timed[slow], strict=True)
        return float(statistics.median(getattr(b, clock) / getattr(a, clock) for a, b in pairs))

    arms: dict[str, Json] = {}
    bf16 = models.autocast_dtype("auto") is not None
    for name, found in timed.items():
        wall, cpu, flops = (statistics.median(getattr(one, part) for one in found) for part in ("wall", "cpu", "flops"))
        rate = rates["bf16" if name == "trainer, bf16=True" or (bf16 and name in ("all", "last:1")) else "fp32"]
        arms[name] = {
            "seconds": wall,
            "cpu_seconds": cpu,
            "examples_per_second": BATCH / wall,
            "gflop": flops / 1e9,
            "gflops": flops / wall / 1e9,
            "gflops_cpu": flops / cpu / 1e9,
            "share_of_product_rate": flops / wall / rate,
        }
    ours = curves["mixtune"]
    return {
        "threads": torch.get_num_threads(),
        "product_gflops": {name: rate / 1e9 for name, rate in rates.items()},
        "arms": arms,
        "ratios": {
            name: {
                "goal": goal,
                "wall": ratio(*(("all", name) if name in THEIRS else (name, "all")), "wall"),
                "cpu": ratio(*(("all", name) if name in THEIRS else (name, "all")), "cpu"),
            }
            for name, goal in GOALS.items()
        },
        "frozen_calls": dict(frozen),
        "curves": {name: list(losses) for name, losses in curves.items()},
        "curve_distance": {
            name: float(np.mean(np.abs(np.subtract(losses, ours))) / np.mean(losses))
            for name, losses in curves.items()
            if name != "mixtune"
        },
        "curve_tolerance": TOLERANCE,
    }


def _tables(figures: dict[str, Any]) -> Iterator[Table]:
    rates = figures["product_gflops"]
    title = f"A training step of {BATCH} pairs, {figures['threads']} threads; matrix products of 2048 x 2048 run at"
    title += f" {rates['fp32']:.0f} (fp32) and {rates['bf16']:.0f} (bf16) GFLOP/s"
    steps = Table("arm", "s", "CPU s", "examples/s", "GFLOP", "GFLOP/s", "of products", title=title)
    for name, arm in figures["arms"].items():
        steps.add_row(
            name,
            *(f"{arm[key]:.4f}" for key in ("seconds", "cpu_seconds")),
            f"{arm['examples_per_second']:.1f}",
            *(f"{arm[key]:.2f}" for key in ("gflop", "gflops")),
            f"{arm['share_of_product_rate']:.1%}",
        )
    yield steps
    ratios = Table("claim", "goal", "wall", "CPU", title="How many times as fast, median over repetitions")
    for name, found in figures["ratios"].items():
        claim = f"all / {name}" if name in THEIRS else f"{name} / all"
        ratios.add_row(claim, f"{found['goal']:g}", f"{found['wall']:.2f}", f"{found['cpu']:.2f}")
    yield ratios
    checks = Table("check", "found", "allowed", title="Same work")
    for name, calls in figures["frozen_calls"].items():
        checks.add_row(f"calls of frozen layers in warm trials, {name}", str(calls), "0")
    for name, distance in figures["curve_distance"].items():
        steps_of_curve = len(figures["curves"][name])
        checks.add_row(f"loss curve of {steps_of_curve} steps: all, {name}", f"{distance:.2%}", f"{TOLERANCE:.0%}")
    yield checks
