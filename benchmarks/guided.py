"""Is guided search better than random search, TPE and proportional sampling at the same small compute?

    python benchmarks/guided.py --data DIR [--jobs 2] [--out guided.jsonl]             the answer, on scenario homes
    python benchmarks/guided.py --data DIR --table settings                            every setting tried, elsewhere
    python benchmarks/guided.py --data DIR --table policies                            what cheap dev evaluation changes
    python benchmarks/guided.py --data DIR --table transfer --trainable last:2         no target has a source of its own

Every search has the same compute up to its recommendation (fresh runs of 300 steps) and starts from the same prior;
TPE has it as its first trial, and n_startup_trials = min(10, trials // 3). Each search seed's recommendation is run
fresh on judging seeds that no search sees, and test is read there. Differences are paired by search seed, judging seed
and query; intervals are 95 %, over search seeds and queries together. Studies are driven in this process (see
driver.py). Runs are written to --out as they come and are not repeated when the command is given again.
"""

import argparse
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from driver import Driver, Found
from scenarios import SCENARIOS

from mixtune.proxy import Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.report.intervals import Interval, interval
from mixtune.search import Search
from mixtune.study import Study

METRIC = "ndcg@10"
RUNS = 7.0
TPE = Search("tpe", {"n_startup_trials": 2})  # min(10, 7 trials // 3)


def infdds(**settings: object) -> Search:
    """Inf-DDS with settings that differ from the defaults."""
    return Search("infdds", settings)  # type: ignore[arg-type]


SEARCHES = {
    "random": Search("random", {"prior": "proportional"}),
    "tpe": TPE,
    "infdds": infdds(),
    "neighbours": Search("neighbours"),
    "tpe, prior expert": replace(TPE, settings={**TPE.settings, "prior": "expert"}),
    "infdds, prior expert": infdds(prior="expert"),
}

TRANSFER = {label: SEARCHES[label] for label in ("neighbours", "tpe", "infdds")}

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


@dataclass(frozen=True)
class Job:
    """One search of one seed, or a mixture that is known beforehand (search None: its label names it)."""

    data: str
    scenario: str
    trainable: str
    label: str
    search: Search | None
    seed: int
    runs: float
    judges: int

    @property
    def key(self) -> str:
        """What a line of the results file is found by."""
        return json.dumps({**asdict(self), "data": ""}, sort_keys=True)


@lru_cache(maxsize=2)
def driver_of(data: str, scenario: str, trainable: str) -> Driver:
    """The driver of a scenario, prepared once per process."""
    steps = 300 if trainable == "head" else 100
    return Driver(Path(data), scenario, Proxy(trainable=trainable, steps=steps, batch_size=32))


def run(job: Job) -> dict[str, Any]:
    """Search and judge; one line of the results file."""
    driver = driver_of(job.data, job.scenario, job.trainable)
    study = driver.study(job.search or Search("uniform"), runs=job.runs, seed=job.seed)
    found = driver.search(study) if job.search else Found(known(job, study), 0.0, 0)
    judged = [driver.judge(study, found.recipe, replicate) for replicate in range(job.judges)]
    return {
        "key": job.key,
        "scenario": job.scenario,
        "label": job.label,
        "seed": job.seed,
        "found": {name: value for name, value in asdict(found).items() if name != "recipe"},
        "weights": {name: round(weight, 5) for name, weight in found.recipe.mixture.items()},
        "dev": float(np.mean([study.score(one.measurement.dev) for one in judged])),
        "test": {
            name: np.mean([one.scores[name][METRIC] for one in judged], axis=0).round(6).tolist()
            for name in judged[0].scores
        },
    }


def known(job: Job, study: Study) -> Recipe:
    """The recipe of a mixture that needs no search."""
    if job.label == "oracle":
        weights = SCENARIOS[job.scenario].oracle
        return Recipe(Mixture.normalised({name: weights.get(name, 0.0) for name in study.names}))
    mixtures = {"proportional": study.proportional(), "uniform": Mixture.uniform(study.names), "expert": study.expert()}
    mixture = mixtures[job.label]
    if mixture is None:
        raise SystemExit(f"scenario {job.scenario} has no expert weights")
    return Recipe(mixture)


def jobs_of(given: argparse.Namespace) -> Iterator[Job]:
    """All runs behind a table."""
    searches = {"search": SEARCHES, "settings": SETTINGS, "policies": POLICIES, "transfer": TRANSFER}[given.table]
    for scenario in given.scenarios:
        knowns = ["proportional", "uniform", *(["oracle"] if SCENARIOS[scenario].oracle else [])]
        knowns += ["expert"] if given.table in ("search", "transfer") else []
        for seed in range(given.seeds):
            lines: list[tuple[str, Search | None]] = [*((label, None) for label in knowns), *searches.items()]
            for label, search in lines:
                yield Job(str(given.data), scenario, given.trainable, label, search, seed, given.runs, given.judges)


def finish(jobs: Sequence[Job], out: Path, processes: int) -> dict[str, dict[str, Any]]:
    """Lines of all jobs by key: those that stand in the file already, and the others as they come."""
    lines = {}
    if out.exists():
        lines = {line["key"]: line for line in map(json.loads, out.read_text().splitlines())}
    left = [job for job in jobs if job.key not in lines]
    if left:
        for scenario in {job.scenario for job in left}:
            driver_of(left[0].data, scenario, left[0].trainable)
        with (
            ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
            out.open("a", encoding="utf-8") as file,
        ):
            for number, line in enumerate(pool.map(run, left), 1):
                lines[line["key"]] = line
                file.write(json.dumps(line) + "\n")
                file.flush()
                print(f"{number}/{len(left)} {line['scenario']} seed {line['seed']} {line['label']}", flush=True)
    return {job.key: lines[job.key] for job in jobs}


def difference(mine: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]] | None = None) -> Interval:
    """Mean over targets of test nDCG@10, or its difference to other lines of the same seeds."""
    targets = list(mine[0]["test"])
    parts = []
    for target in targets:
        values = np.array([line["test"][target] for line in mine])
        if other is not None:
            values = values - np.array([line["test"][target] for line in other])
        parts.append(values / len(targets))
    return interval(parts)


def print_table(scenario: str, lines: Iterable[Mapping[str, Any]], against: Sequence[str]) -> None:
    """One scenario: a row per label, with its differences to the labels in `against`."""
    by_label: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        if line["scenario"] == scenario:
            by_label.setdefault(line["label"], []).append(line)
    low = by_label["proportional"]
    dev = {label: float(np.mean([line["dev"] for line in rows])) for label, rows in by_label.items()}
    whole = difference(by_label["oracle"], low).value if "oracle" in by_label else None
    heads = " | ".join(f"- {name}" for name in against)
    print(f"\nscenario {scenario}, {len(low)} search seeds\n")
    print(f"| how the weights were found | runs | trials | dev share | dev | test {METRIC} | {heads} | gap |")
    print("| --- " * (7 + len(against)) + "|")
    for label, rows in sorted(by_label.items(), key=lambda item: dev[item[0]]):
        found = [line["found"] for line in rows]
        spent = {part: sum(one[part] for one in found) for part in ("train", "probe", "dev")}
        share = f"{spent['dev'] / sum(spent.values()):.0%}" if sum(spent.values()) else ""
        cells = [f"{np.mean([one['runs'] for one in found]):.1f}", f"{np.mean([one['trials'] for one in found]):.0f}"]
        cells += [share, f"{dev[label]:.4f}", f"{difference(rows).value:.4f}"]
        for name in against:
            cells.append("" if name == label else said(difference(rows, by_label[name])))
        cells.append("" if whole is None else f"{difference(rows, low).value / whole:.0%}")
        print(f"| {label} | {' | '.join(cells)} |")


def print_influences(lines: Iterable[Mapping[str, Any]]) -> None:
    """Which sources guided search found helpful for each target: mean influence, in thousandths, best first."""
    rows = [line["found"]["influence"] for line in lines if line["found"].get("influence")]
    for target in rows[0] if rows else ():
        means = {name: np.mean([row[target][name] for row in rows if name in row[target]]) for name in rows[0][target]}
        ranked = sorted(means, key=lambda name: -means[name])
        print(f"\ninfluence on {target}: {', '.join(f'{name} {means[name] * 1e3:+.1f}' for name in ranked)}")


def said(found: Interval) -> str:
    """A difference with its interval, in thousandths."""
    return f"{found.value * 1e3:+.1f} [{found.low * 1e3:+.1f}, {found.high * 1e3:+.1f}]"


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of BEIR sets")
    parser.add_argument("--table", choices=("search", "settings", "policies", "transfer"), default="search")
    parser.add_argument("--scenarios", nargs="+", choices=sorted(SCENARIOS), help="default: those of the table")
    parser.add_argument("--trainable", default="head", help="head, last:n or all")
    parser.add_argument("--seeds", type=int, help="search seeds 0, 1, ...; default 12, or 4 for settings and policies")
    parser.add_argument("--runs", type=float, default=RUNS, help="compute of a search, in fresh runs")
    parser.add_argument("--judges", type=int, default=3, help="judging seeds per recommendation")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--out", type=Path, default=Path("guided.jsonl"), help="results file, read and extended")
    given = parser.parse_args()
    chosen = {"search": ["homes"], "transfer": ["transfer"]}.get(given.table, ["away", "languages", "noise"])
    given.scenarios = given.scenarios or chosen
    given.seeds = given.seeds or {"search": 12, "transfer": 3}.get(given.table, 4)
    lines = finish(list(jobs_of(given)), given.out, given.jobs).values()
    others = {"search": ["random", "tpe"], "transfer": ["tpe"]}.get(given.table, [])
    print(
        f"proxy {given.trainable}, {given.runs:g} fresh runs, {given.judges} judging seeds; differences in thousandths"
    )
    for scenario in given.scenarios:
        print_table(scenario, lines, ["proportional", *others])
    if given.table == "transfer":
        print_influences(lines)


if __name__ == "__main__":
    main()
