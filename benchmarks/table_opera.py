"""Table 3: pruning of pairs, on clean and on noisy sources (OPERA, arXiv 2603.17205)."""

from collections.abc import Mapping, Sequence

import numpy as np
from contenders import proportional
from judging import NDCG, RECALL, Judged, Judging, Runs, overall, print_table, said
from results import Line, Results
from scenarios import Setting

from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Recipe

PAPER = f"the paper, against none: SP {NDCG} +0.5 %, DP {NDCG} +1.9 % and {RECALL} +0.7 % in under half of the steps"

SCHEDULES = {"InfoBatch": Schedule("infobatch"), "DP": Schedule(), "DP, refreshed every 100": Schedule(refresh=100)}
SHARES = (0.25, 0.5, 0.75)
"""Kept by static pruning: the authors' for BGE, FiQA and Qwen."""


def methods(sources: Sequence[str]) -> dict[str, Pruning]:
    """What is compared: none first."""
    static = {f"SP {share:g}": Pruning(dict.fromkeys(sources, share)) for share in SHARES}
    return {"none": Pruning(), **static, **{name: Pruning(schedule=one) for name, one in SCHEDULES.items()}}


def print_opera(results: Results, settings: Sequence[Setting], lengths: Sequence[int], seeds: int) -> None:
    """Train at the proportional mixture for several lengths, each with a schedule that spans it.

    settings have the longest; a length stands for so many steps in all, so its score is what a run of that length ends
    at, not what a longer one shows on its way.
    """
    for setting in settings:
        mixture = proportional(results, setting).mixture
        pruned = methods(tuple(mixture))
        jobs = {
            (name, length, seed): Judging(setting.of(length), Recipe(mixture, pruning), seed, 1)
            for length in lengths
            for name, pruning in pruned.items()
            for seed in range(seeds)
        }
        lines = dict(zip(jobs, results.finish(list(jobs.values())), strict=True))
        _print_scenario(setting, lines, list(pruned), lengths, seeds)
    print(PAPER)


def _print_scenario(
    setting: Setting,
    lines: Mapping[tuple[str, int, int], Line],
    names: Sequence[str],
    lengths: Sequence[int],
    seeds: int,
) -> None:
    longest = max(lengths)
    print(f"\n## {setting.scenario}: proportional mixture, {setting.proxy.trainable}, {longest} steps, {seeds} seeds")

    def runs(name: str, length: int) -> Runs:
        return [Judged.of(lines[name, length, seed]) for seed in range(seeds)]

    none, rows = runs("none", longest), []
    for name in names:
        mine = runs(name, longest)
        cells = [f"{overall([mine]).value:.4f}", f"{overall([mine], metric=RECALL).value:.4f}"]
        for metric in (NDCG, RECALL):
            percent = 100 / overall([none], metric=metric).value
            cells.append("" if name == "none" else said(overall([mine], [none], metric), percent))
        rows.append([name, *cells, _epochs([lines[name, longest, seed] for seed in range(seeds)])])
    heads = ("pruning", NDCG, RECALL, f"{NDCG} - none, %", f"{RECALL} - none, %", "epochs of a source")
    print_table(heads, rows)

    on_dev = {name: {length: _dev(runs(name, length)) for length in lengths} for name in names}
    goal, rows = on_dev["none"][longest], []
    for name in names:
        reached = next((length for length in lengths if on_dev[name][length] >= goal), None)
        needs = "" if name == "none" else f"{reached} ({reached / longest:.0%})" if reached else f"more than {longest}"
        rows.append([name, *(f"{on_dev[name][length]:.4f}" for length in lengths), needs])
    print_table(("dev after steps", *map(str, lengths), "steps to none's final score"), rows)


def _dev(runs: Runs) -> float:
    return float(np.mean([one.dev for one in runs]))


def _epochs(lines: Sequence[Line]) -> str:
    """Fewest and most epochs among the sources, mean over seeds."""
    by_source = [list(line["epochs"].values()) for line in lines]
    means = np.mean(np.array(by_source, dtype=float), axis=0)
    return f"{means.min():.1f} to {means.max():.1f}"
