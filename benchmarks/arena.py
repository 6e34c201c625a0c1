"""Are replays on a surrogate like real searches? Holds the arena against the results of seeds.py.

    python benchmarks/arena.py --results seeds.jsonl --scenario homes [--repeats 200] [--jobs 2]

The surrogate is that of benchmarks/recorded/SCENARIO.jsonl.gz, whose runs are none of those in the results. First every
recipe that a search recommended there: its dev score as the surface has it against the mean of two judged runs. Then
the searchers: mean score of replays against the mean of their recommendations in ten real searches, at equal compute.
"""

import argparse
import json
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from contenders import contenders
from judging import Judging, print_table
from scenarios import Setting
from searching import found_in

from mixtune.recipe import Recipe
from mixtune.report.correlation import correlation, correlation_cells
from mixtune.report.replaying import Arena
from mixtune.store.recording import read_recording
from mixtune.tuning.replay import Replayer, replay, replayer

HERE = Path(__file__).parent
RUNS = 7.0


@dataclass(frozen=True)
class Judged:
    """A recommendation of a real search: its recipe, and its mean dev and test score on two judging seeds."""

    label: str
    point: float
    recipe: Recipe
    dev: float
    test: float


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="results file of seeds.py")
    parser.add_argument("--scenario", default="homes")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    found = replayer(read_recording(HERE / "recorded" / f"{given.scenario}.jsonl.gz").studies, RUNS)
    real = judged_in(given.results, Setting("", given.scenario))
    print_recipes(found, real)
    searches = {label: search for label, search in contenders().items() if any(each.label == label for each in real)}
    print_searchers(replay(found, searches, repeats=given.repeats, runs=RUNS, processes=given.jobs), real)


def judged_in(path: Path, setting: Setting) -> list[Judged]:
    """Every recommendation that was judged, of any search and amount of compute."""
    lines = {str(line["key"]): line for line in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
    found = []
    for key, line in lines.items():
        kind, where, *rest = json.loads(key)
        if kind != "search" or where != setting.key:
            continue
        label, seed = rest[0], rest[2]
        for point in line["points"]:
            recipe = found_in(line, float(point)).recipe
            judged = None if recipe is None else lines.get(Judging(setting, recipe, seed, 2).key)
            if recipe is not None and judged is not None:
                test = float(np.mean([np.mean(values["ndcg@10"]) for values in judged["test"].values()]))
                found.append(Judged(label, float(point), recipe, judged["dev"], test))
    return found


def print_recipes(found: Replayer, real: list[Judged]) -> None:
    """The surface against judged runs, recipe by recipe."""
    surrogate = found.surrogate
    weights = np.array([each.recipe.mixture.array(surrogate.study.names) for each in real])
    said, dev, test = surrogate.scores(0, weights), *(np.array([getattr(r, s) for r in real]) for s in ("dev", "test"))
    spread = (surrogate.seed_sd**2 / 2 + surrogate.misfit_sd**2) ** 0.5
    error = said - dev
    print(
        f"{len(real)} recommendations, two judged runs each: error of the surface {np.sqrt(np.mean(error**2)):.4f} on "
        f"dev (mean {error.mean():+.4f}), {np.mean(abs(error) <= 1.96 * spread):.0%} within 1.96 SD of {spread:.4f}"
    )
    for name, first, second in (("surface, dev", said, dev), ("surface, test", said, test), ("dev, test", dev, test)):
        print(f"rank correlation {name}: {' '.join(correlation_cells(correlation([first], [second])))}")


def print_searchers(arena: Arena, real: list[Judged]) -> None:
    """Mean scores of searchers in the arena and in reality, at every amount of compute."""
    means: defaultdict[tuple[str, float], list[Judged]] = defaultdict(list)
    for each in real:
        means[each.label, each.point].append(each)
    rows, pairs = [], defaultdict[float, list[tuple[float, float, float]]](list)
    for placing in arena.placings:
        row = [placing.label]
        for point, score in placing.curve.items():
            there = means.get((placing.label, point)) or means.get((placing.label, 1.0), [])
            dev, test = (
                float(np.mean([getattr(each, side) for each in there] or [np.nan])) for side in ("dev", "test")
            )
            row.append(f"{score:.4f} / {dev:.4f}")
            if there:
                pairs[point].append((score, dev, test))
        rows.append([*row, f"{placing.first:.0%}"])
    points = [f"at {point:g} (replayed / real)" for point in arena.placings[0].curve]
    print_table(["searcher", *points, "first"], rows)
    for point, values in pairs.items():
        here, dev, test = (np.array(column) for column in zip(*values, strict=True))
        on_dev, on_test = (" ".join(correlation_cells(correlation([here], [side]))) for side in (dev, test))
        print(f"{point:g} runs, {len(here)} searchers: order replayed against real {on_dev} on dev, {on_test} on test")
    print(f"left out: {', '.join(arena.left_out)}")


if __name__ == "__main__":
    main()
