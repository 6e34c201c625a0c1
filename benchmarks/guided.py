"""Which settings of guided search matter, and what cheap dev evaluation changes?

    python benchmarks/guided.py --data DIR --table settings [--jobs 2] [--out guided.jsonl]     every setting tried
    python benchmarks/guided.py --data DIR --table policies                                     dev sampled or whole

Searches have the same compute up to their recommendation (fresh runs of 300 steps) and start from the same prior. Each
search seed's recommendation is run fresh on judging seeds that no search sees, and test is read there. Differences are
paired by search seed, judging seed and query; intervals are 95 %, over search seeds and queries together. Scenario
homes is left for judging what was chosen here: see seeds.py. Runs are written to --out as they come and are not
repeated when the command is given again.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from judging import NDCG, Judged, Judging, Runs, overall, print_table, said
from results import Line, Results
from scenarios import SCENARIOS, Setting
from searching import Searching, found_in

from mixtune.errors import MixtuneError
from mixtune.search import Search


def infdds(**settings: object) -> Search:
    """Inf-DDS with settings that differ from the defaults."""
    return Search("infdds", settings)  # type: ignore[arg-type]


WHOLE = {"queries": None, "score_every": 1}
"""Measured on all dev queries, with 256 sampled documents, and scored in each round."""

SETTINGS = {
    "defaults": infdds(),
    "as before: whole dev, 2 probe steps, beta 1.5, fade 0": infdds(**WHOLE, probe_steps=2, beta=1.5, fade=0.0),
    "fade 0": infdds(fade=0.0),
    "fade 0, prior uniform": infdds(fade=0.0, prior="uniform"),
    "beta 1.5": infdds(beta=1.5),
    "beta 2": infdds(beta=2.0),
    "beta 5": infdds(beta=5.0),
    "rate 0.15": infdds(rate=0.15),
    "10 probe steps": infdds(probe_steps=10),
    "15 probe steps": infdds(probe_steps=15),
    "40 dev queries, 32 documents": infdds(queries=40, negatives=32),
    "64 dev queries, 32 documents, 24 probe steps": infdds(queries=64, negatives=32, probe_steps=24),
    "all sources probed in each round": infdds(probes=16),
}

POLICIES = {
    f"{policy}, {how}": infdds(policy=policy, **settings)
    for policy in ("kl", "exponential", "reinforce_sum", "reinforce_expected")
    for how, settings in (("sampled dev", {}), ("whole dev", WHOLE))
}

TABLES = {"settings": SETTINGS, "policies": POLICIES}
KNOWN = {name: Search(name) for name in ("proportional", "uniform")}


def compare(results: Results, setting: Setting, searches: Mapping[str, Search], given: argparse.Namespace) -> None:
    """Search, judge, and print one scenario: a row per label, with its difference to proportional."""
    lines: dict[str, list[Line]] = {}
    judgings: dict[str, list[Judging]] = {}
    jobs = [
        Searching(setting, label, search, seed, (given.runs,))
        for seed in range(given.seeds)
        for label, search in {**KNOWN, **searches}.items()
    ]
    for job, line in zip(jobs, results.finish(jobs), strict=True):
        recipe = found_in(line, given.runs).recipe
        if recipe is None:
            raise SystemExit(f"{job.label} has no complete round within {given.runs:g} fresh runs: raise --runs")
        lines.setdefault(job.label, []).append(line)
        judgings.setdefault(job.label, []).append(Judging(setting, recipe, job.seed, given.judges))
    if oracle := SCENARIOS[setting.scenario].oracle:
        recipe = setting.known(oracle)
        judgings["oracle"] = [Judging(setting, recipe, seed, given.judges) for seed in range(given.seeds)]
    results.finish([job for seed in zip(*judgings.values(), strict=True) for job in seed])
    judged = {label: [Judged.of(line) for line in results.finish(own)] for label, own in judgings.items()}
    low, best = judged["proportional"], judged.get("oracle")
    whole = overall([best], [low]).value if best else None
    rows = []
    for label, runs in sorted(judged.items(), key=lambda item: np.mean([one.dev for one in item[1]])):
        cost = [found_in(line, given.runs) for line in lines.get(label, [])]
        spent = sum(one.gflops for one in cost)
        cells = [f"{np.mean([one.runs for one in cost]):.1f}", f"{np.mean([one.trials for one in cost]):.0f}"]
        cells = [*cells, f"{sum(one.dev for one in cost) / 1e9 / spent:.0%}"] if spent else ["", "", ""]
        rows.append([label, *cells, *_scores(runs, low, whole)])
    print(f"\nscenario {setting.scenario}, {given.seeds} search seeds")
    print_table(("found by", "runs", "trials", "dev share", "dev", f"test {NDCG}", "- proportional", "gap"), rows)


def _scores(runs: Runs, low: Runs, whole: float | None) -> list[str]:
    gain = overall([runs], [low])
    cells = [f"{np.mean([one.dev for one in runs]):.4f}", f"{overall([runs]).value:.4f}"]
    return [*cells, "" if runs is low else said(gain), f"{gain.value / whole:.0%}" if whole else ""]


def main() -> None:
    """Run what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of BEIR sets")
    parser.add_argument("--table", choices=sorted(TABLES), default="settings")
    scenarios = ["away", "languages", "noise"]
    parser.add_argument("--scenarios", nargs="+", choices=sorted(SCENARIOS), default=scenarios)
    parser.add_argument("--trainable", default="head", help="head, last:n or all")
    parser.add_argument("--seeds", type=int, default=4, help="search seeds 0, 1, ...")
    parser.add_argument("--runs", type=float, default=7.0, help="compute of a search, in fresh runs")
    parser.add_argument("--judges", type=int, default=3, help="judging seeds per recommendation")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--out", type=Path, default=Path("guided.jsonl"), help="results file, read and extended")
    given = parser.parse_args()
    results = Results(given.out, given.jobs)
    print(f"{given.trainable}, {given.runs:g} fresh runs, {given.judges} judging seeds; differences in thousandths")
    for scenario in given.scenarios:
        compare(results, Setting(str(given.data), scenario, given.trainable), TABLES[given.table], given)


if __name__ == "__main__":
    try:
        main()
    except MixtuneError as error:  # a folder that is not there, a proxy that is not known
        raise SystemExit(f"Error: {error}") from None
