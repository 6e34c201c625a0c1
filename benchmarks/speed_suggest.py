"""How long does every searcher take to propose after 1,000 trials of a study of 100 sources?

    python benchmarks/speed_suggest.py [--quick] [--json FILE]

Guided searchers are timed twice: folding the whole history, as a fresh process does, and remembering it.
"""

import argparse
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from pydantic import JsonValue as Json
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from mixtune.errors import SearchExhausted
from mixtune.measurement import Cost, Influence, Measurement
from mixtune.preparation import Preparation
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Recipe
from mixtune.search import Budget, Search
from mixtune.searchers import SEARCHERS, FoldSearcher, Searcher, make
from mixtune.searchers.remembering import remembering
from mixtune.source import Source, SourceFacts
from mixtune.study import Study
from mixtune.target import Target, TargetFacts
from mixtune.trial import Trial, TrialState

SOURCES, TARGETS, TRIALS = 100, 3, 1000
CALLS = 9
THREADS = 2
LIMIT = 1.0
"""Seconds that the median call may take."""

COLUMNS = ("median", "max", "first", "cpu")

Seconds: TypeAlias = dict[str, float]
"""Median and slowest call, the first one, which loads libraries, and the median of the processor's time."""


def suggest(quick: bool = False) -> dict[str, Json]:
    """Print the table of all searchers and return its figures; quick makes it 100 past trials and 3 calls."""
    past, calls = (100, 3) if quick else (TRIALS, CALLS)
    rows = measure(past, calls)
    Console().print(table(rows, f"suggest() with {past:,} past trials and {SOURCES} sources, seconds"))
    slow = [name for name, row in rows.items() if row["median"] >= LIMIT]
    Console().print(f"Medians of {LIMIT:g} s or more: {', '.join(slow) or 'none'}.")
    seconds: dict[str, Json] = {name: dict(row) for name, row in rows.items()}
    return {"sources": SOURCES, "past_trials": past, "calls": calls, "threads": THREADS, "seconds": seconds}


def measure(past: int, calls: int) -> dict[str, Seconds]:
    """Time every searcher, on two threads."""
    study = made_up_study()
    rows: dict[str, Seconds] = {}
    with threadpool_limits(THREADS):
        for name in SEARCHERS:
            searcher = make(Search(name))
            trials = history(study, searcher, past)
            rows[name] = timed(study, searcher, trials, calls)
            if isinstance(searcher, FoldSearcher):
                rows[f"{name}, remembering"] = timed(study, remembering(searcher), trials, calls)
    return rows


def made_up_study() -> Study:
    """A prepared study of 100 sources with expert weights and three targets."""
    names, tasks = [f"source-{n}" for n in range(SOURCES)], [f"target-{n}" for n in range(TARGETS)]
    facts = {name: SourceFacts(1000 + 37 * index, 1000, 40.0, "") for index, name in enumerate(names)}
    return Study(
        name="speed",
        sources=tuple(Source(name, "docstrings", name, weight=1.0) for name in names),
        targets=tuple(Target(name, "docstrings", name) for name in tasks),
        search=Search("uniform"),
        budget=Budget(trials=TRIALS),
        preparation=Preparation("", facts, {name: TargetFacts(50, 50, 500, 500, "") for name in tasks}, 1.0),
    )


def history(study: Study, searcher: Searcher, count: int) -> list[Trial]:
    """The survey and `count` finished trials whose proposals are the searcher's own.

    Rounds are proposed as a chain. Black-box searchers would take too long to build their own history, and any points
    do as well: theirs are random ones.
    """
    trials = [finished(study, Proposal(Recipe(study.proportional()), 0, Role.SURVEY), 0)]
    guided = isinstance(searcher, FoldSearcher)
    author = remembering(searcher) if guided else make(Search("random"))
    for number in range(1, count + 1):
        shown = trials if guided else trials[:1]
        trials.append(finished(study, author.suggest(study, shown, study.rng(number)), number))
    return trials


def finished(study: Study, proposal: Proposal, number: int) -> Trial:
    """The trial of a proposal with a made-up answer."""
    rng = np.random.default_rng([number, 1])
    influence = {}
    for arm in proposal.probe.arms if proposal.probe else ():
        gains = {target.name: float(gain) for target, gain in zip(study.targets, rng.normal(size=TARGETS), strict=True)}
        value = float(np.mean(list(gains.values())))
        influence[arm] = Influence(value, 0.1, gains, dict.fromkeys(gains, 0.1))
    shares = {target.name: {study.names[index]: 1.0} for index, target in enumerate(study.targets)}
    measurement = Measurement(
        step=proposal.steps,
        score=float(rng.random()),
        influence=influence,
        neighbours=shares if proposal.role is Role.SURVEY else {},
        cost=Cost(train=1.0),
        checkpoint="here",
    )
    seed = study.trial_seed(number)
    return Trial(number, proposal, seed, state=TrialState.COMPLETE, measurement=measurement)


def timed(study: Study, searcher: Searcher, trials: Sequence[Trial], calls: int) -> Seconds:
    """Seconds of that many calls, the first one (which loads libraries) left out.

    Each call has one trial more than the call before, as in a search. A baseline has nothing to propose after its one
    run: what is timed is its only proposal.
    """
    seconds, cpu = [], []
    for call in range(calls + 1):
        shown = [*trials[: len(trials) - calls + call]]
        rng = study.rng(len(shown))
        began, worked = time.perf_counter(), time.process_time()
        try:
            searcher.suggest(study, shown, rng)
        except SearchExhausted:
            began, worked = time.perf_counter(), time.process_time()
            searcher.suggest(study, trials[:1], rng)
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - worked)
    after = seconds[1:]
    return {"median": statistics.median(after), "max": max(after), "first": seconds[0], "cpu": statistics.median(cpu)}


def table(rows: Mapping[str, Seconds], title: str) -> Table:
    """The figures, fastest first."""
    shown = Table("searcher", title=title, title_justify="left")
    for column in COLUMNS:
        shown.add_column(column, justify="right")
    for name, row in sorted(rows.items(), key=lambda each: each[1]["median"]):
        shown.add_row(name, *(f"{row[column]:.4f}" for column in COLUMNS))
    return shown


def main() -> None:
    """Print the table, and write the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100 past trials and 3 calls")
    parser.add_argument("--json", type=Path, help="file for the figures")
    chosen = parser.parse_args()
    found = suggest(chosen.quick)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
