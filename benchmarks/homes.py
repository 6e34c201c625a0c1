"""Does a search find the sources that have the targets' own form? Scenario homes, proxy `head`, real text.

    python benchmarks/homes.py --data DIR [--runs 7] [--seeds 0 1 2] [--judges 5] [--json FILE]

Sixteen sources, six targets whose own training sets (homes) are among them. Every search algorithm has the same
compute, counted in fresh runs of 300 steps; its recommendation and the baselines are then run fresh on judging seeds
that no search saw, and test is read once. The table shows test nDCG@10 averaged over the targets, with a 95 % interval
over queries and judging seeds, its paired difference to proportional sampling, and the share of the distance from
proportional to the oracle (uniform over the six homes) that was covered. Each seed is a search of its own with judging
seeds of its own; a few of them are a look, not a proof.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios import SCENARIOS

from mixtune.config.home import home
from mixtune.proxy import Final, Proxy
from mixtune.report.judged import Judged
from mixtune.report.summary import Summary, summarise
from mixtune.search import Budget, Search
from mixtune.searchers import make
from mixtune.store.base import Store
from mixtune.store.sql import open_store
from mixtune.study import Study
from mixtune.training.trainer import EncoderTrainer
from mixtune.tuning.tuner import tune

METRIC = "ndcg@10"

ORACLE = "oracle (uniform over the homes)"

SEARCHES = {
    "neighbours": Search("neighbours", {}),
    "random": Search("random", {}),
    "tpe": Search("tpe", {"n_startup_trials": 3}),
    "infdds, prior proportional": Search("infdds", {}),
    "infdds, prior uniform": Search("infdds", {"prior": "uniform"}),
    "infdds, prior expert": Search("infdds", {"prior": "expert"}),
}


@dataclass(frozen=True)
class Row:
    """A line of the table: the judged recipe, and what was paid for finding it (fresh runs, wall seconds)."""

    judged: Judged
    runs: float
    seconds: float


def run(store: Store, study: Study) -> tuple[Summary, float]:
    """Drive a study to its end; its summary, and the wall seconds that took."""
    began = time.perf_counter()
    store.create_study(study)
    record = tune(store, study.name, EncoderTrainer(home().cache), artifacts=home().artifacts)
    seconds = time.perf_counter() - began
    recommend = make(study.search).recommend
    summary = summarise(record, store.trials(study.name), lambda n: store.scores(study.name, n), recommend)
    if summary.best is None or summary.state != "complete":
        raise SystemExit(f"study {study.name} ended {summary.state}: {summary.reason}")
    return summary, seconds


def main() -> None:
    """Run the searches, print a table per seed and their means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of BEIR sets")
    parser.add_argument("--runs", type=float, default=7.0, help="compute of a search, in fresh runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds of the searches")
    parser.add_argument("--judges", type=int, default=5, help="judging seeds")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    given = parser.parse_args()
    found = {seed: search_all(given.data, given.runs, seed, given.judges) for seed in given.seeds}
    for seed, lines in found.items():
        print(f"scenario homes, head, {given.runs:g} fresh runs, search seed {seed}, {given.judges} judging seeds")
        print_rows(lines)
    if len(found) > 1:
        print(f"mean over {len(found)} search seeds: test {METRIC}, - proportional, gap (of the mean difference)")
        for name, difference, share, value in means(found):
            print(f"{name:34}{value:10.4f}{difference:+10.4f}{share:8.0%}")
    if given.json:
        settings = {"runs": given.runs, "judges": given.judges, "cores": os.cpu_count()}
        given.json.write_text(json.dumps({"settings": settings, "seeds": found}, indent=1) + "\n")


def search_all(data: Path, runs: float, seed: int, judges: int) -> list[dict[str, Any]]:
    """Run every search of one seed; the rows of its table, worst first."""
    scenario = SCENARIOS["homes"]

    def study(name: str, search: Search, weights: Mapping[str, float] | None = None) -> Study:
        return Study(
            name=name,
            sources=scenario.source_values(data, weights),
            targets=scenario.target_values(data),
            search=search,
            budget=Budget(runs=runs, workers=2),
            proxy=Proxy(trainable="head", steps=300, batch_size=32),
            final=Final(steps=2000, seeds=judges),
            seed=seed,
        )

    rows: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as folder, closing(open_store(f"sqlite:///{folder}/homes.db")) as store:
        oracle, _ = run(store, study("oracle", Search("uniform"), scenario.oracle))
        if oracle.best is None or oracle.base_model is None:
            raise SystemExit("the oracle was not judged")
        rows["base model"] = Row(oracle.base_model, 0.0, 0.0)
        rows[ORACLE] = Row(oracle.best.judged, 0.0, 0.0)
        for label, search in SEARCHES.items():
            summary, seconds = run(store, study(label.replace(", ", "-").replace(" ", "-"), search))
            for name, judged in summary.baselines.items():
                rows.setdefault(name, Row(judged, 0.0, 0.0))
            if summary.best is None:
                raise SystemExit(f"{label} has nothing to recommend")
            rows[label] = Row(summary.best.judged, summary.costs.runs or 0.0, seconds)
    return sorted(lines_of(rows, oracle.study), key=lambda line: float(line[METRIC]))


def lines_of(rows: Mapping[str, Row], study: Study) -> Iterator[dict[str, Any]]:
    """The figures of each row."""
    overall = {name: row.judged.overall(study, METRIC) for name, row in rows.items()}
    low = overall["proportional"].value
    gap = overall[ORACLE].value - low
    for name, row in rows.items():
        difference = row.judged.minus(rows["proportional"].judged, study, METRIC)
        mean = overall[name]
        yield {
            "name": name,
            METRIC: mean.value,
            "ci": [mean.low, mean.high],
            "minus_proportional": [difference.value, difference.low, difference.high],
            "gap": (mean.value - low) / gap,
            "runs": row.runs,
            "seconds": row.seconds,
            "weights": dict(row.judged.recipe.mixture) if row.judged.recipe else None,
        }


def print_rows(lines: Sequence[Mapping[str, Any]]) -> None:
    """One table."""
    print(f"{'':34}{'test ' + METRIC:>14}{'95 %':>18}{'- proportional, 95 %':>30}{'gap':>7}{'runs':>7}{'wall s':>8}")
    for line in lines:
        (low, high), (value, below, above) = line["ci"], line["minus_proportional"]
        print(
            f"{line['name']:34}{line[METRIC]:14.4f}{f'[{low:.4f}, {high:.4f}]':>18}"
            f"{f'{value:+.4f} [{below:+.4f}, {above:+.4f}]':>30}"
            f"{line['gap']:7.0%}{line['runs']:7.1f}{line['seconds']:8.0f}"
        )


def means(found: Mapping[int, Sequence[Mapping[str, Any]]]) -> list[tuple[str, float, float, float]]:
    """Per row: its name, mean difference to proportional, that as a share of the oracle's, and mean value."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for lines in found.values():
        for line in lines:
            by_name.setdefault(line["name"], []).append(line)
    gains = {name: statistics.mean(line["minus_proportional"][0] for line in lines) for name, lines in by_name.items()}
    values = {name: statistics.mean(line[METRIC] for line in lines) for name, lines in by_name.items()}
    return [(name, gains[name], gains[name] / gains[ORACLE], values[name]) for name in sorted(values, key=values.get)]


if __name__ == "__main__":
    main()
