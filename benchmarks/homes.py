"""Does a search find the sources that have the targets' own form? Scenario homes, proxy `head`, real text.

    python benchmarks/homes.py --data DIR [--runs 7] [--seed 0] [--judges 5] [--json FILE]

Sixteen sources, six targets whose own training sets (homes) are among them. Every search algorithm has the same
compute, counted in fresh runs of 300 steps; its recommendation and the baselines are then run fresh on judging seeds
that no search saw, and test is read once. The table shows test nDCG@10 averaged over the targets, with a 95 % interval
over queries and judging seeds, its paired difference to proportional sampling, and the share of the distance from
proportional to the oracle (uniform over the six homes) that was covered. One search seed is a look, not a proof.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scenarios import SCENARIOS

from mixtune.config.home import home
from mixtune.report.judged import Judged
from mixtune.report.summary import Summary, summarise
from mixtune.searchers import make
from mixtune.store.base import Store
from mixtune.store.sql import open_store
from mixtune.study import Budget, Final, Proxy, Search, Study
from mixtune.training.trainer import EncoderTrainer
from mixtune.tuning.tuner import tune

METRIC = "ndcg@10"

SEARCHES = {
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
    """Run the searches and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of BEIR sets")
    parser.add_argument("--runs", type=float, default=7.0, help="compute of a search, in fresh runs")
    parser.add_argument("--seed", type=int, default=0, help="seed of the searches")
    parser.add_argument("--judges", type=int, default=5, help="judging seeds")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    given = parser.parse_args()
    scenario = SCENARIOS["homes"]
    targets = scenario.target_values(given.data)

    def study(name: str, search: Search, weights: Mapping[str, float] | None = None) -> Study:
        return Study(
            name=name,
            sources=scenario.source_values(given.data, weights),
            targets=targets,
            search=search,
            budget=Budget(runs=given.runs, workers=2),
            proxy=Proxy(trainable="head", steps=300, batch_size=32),
            final=Final(steps=2000, seeds=given.judges),
            seed=given.seed,
        )

    rows: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/homes.db")
        oracle, seconds = run(store, study("oracle", Search("uniform"), scenario.oracle))
        assert oracle.best is not None
        assert oracle.base_model is not None
        rows["base model"] = Row(oracle.base_model, 0.0, 0.0)
        rows["oracle (uniform over the homes)"] = Row(oracle.best.judged, 0.0, 0.0)
        for label, search in SEARCHES.items():
            summary, seconds = run(store, study(label.replace(", ", "-").replace(" ", "-"), search))
            for name, judged in summary.baselines.items():
                rows.setdefault(name, Row(judged, 0.0, 0.0))
            assert summary.best is not None
            rows[label] = Row(summary.best.judged, summary.costs.runs or 0.0, seconds)
        store.close()
    report(rows, oracle.study, given)


def report(rows: Mapping[str, Row], study: Study, given: argparse.Namespace) -> None:
    """Print the table, worst first, and write it."""
    means = {name: row.judged.overall(study, METRIC) for name, row in rows.items()}
    low = means["proportional"].value
    gap = means["oracle (uniform over the homes)"].value - low
    print(f"scenario homes, head, {given.runs:g} fresh runs, search seed {given.seed}, {given.judges} judging seeds")
    print(f"{'':34}{'test ' + METRIC:>14}{'95 %':>18}{'- proportional, 95 %':>30}{'gap':>7}{'runs':>7}{'wall s':>8}")
    lines = []
    for name, row in sorted(rows.items(), key=lambda item: means[item[0]].value):
        mean = means[name]
        difference = row.judged.minus(rows["proportional"].judged, study, METRIC)
        share = (mean.value - low) / gap
        print(
            f"{name:34}{mean.value:14.4f}{f'[{mean.low:.4f}, {mean.high:.4f}]':>18}"
            f"{f'{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]':>30}"
            f"{share:7.0%}{row.runs:7.1f}{row.seconds:8.0f}"
        )
        lines.append(
            {
                "name": name,
                METRIC: mean.value,
                "ci": [mean.low, mean.high],
                "minus_proportional": [difference.value, difference.low, difference.high],
                "gap": share,
                "runs": row.runs,
                "seconds": row.seconds,
                "weights": dict(row.judged.recipe.mixture) if row.judged.recipe else None,
            }
        )
    if given.json:
        settings = {"runs": given.runs, "seed": given.seed, "judges": given.judges, "cores": os.cpu_count()}
        given.json.write_text(json.dumps({"settings": settings, "rows": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
