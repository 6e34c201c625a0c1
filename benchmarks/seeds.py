"""Every method that mixtune has, measured against what its paper claims, on ten seeds.

    python benchmarks/seeds.py --data DIR [--jobs 2] [--out seeds.jsonl]        all tables
    python benchmarks/seeds.py --data DIR --table searchers                     every searcher at equal compute
    python benchmarks/seeds.py --data DIR --table searchers --long              compute to reach 100 runs of TPE
    python benchmarks/seeds.py --data DIR --table searchers --trainable last:1  a few of them with a transformer layer
    python benchmarks/seeds.py --data DIR --table searchers --full              languages with the whole model
    python benchmarks/seeds.py --data DIR --table tdro                          top-70 % of sources, corrupted sources
    python benchmarks/seeds.py --data DIR --table opera                         pruning of pairs
    python benchmarks/seeds.py --data DIR --table tasb                          topics, balanced margins, teachers
    python benchmarks/seeds.py --smoke                                          all of it on tiny made-up sets

Runs are written to --out as they come and are not repeated when a command is given again: kill it and go on later.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import table_opera
import table_tasb
import table_tdro
from contenders import OURS, labels_of
from results import Results
from scenarios import SCENARIOS, Setting
from table_searchers import LONG, Contest, compete, print_claims, print_contest, print_full, print_long
from tiny import write_sets

from mixtune.errors import MixtuneError

FEW = ("proportional", "neighbours", "tpe", "infdds", OURS)
"""Contenders where a run takes minutes."""


def main() -> None:
    """Run what is missing, and print the tables."""
    given = parsed()
    if given.smoke:
        with tempfile.TemporaryDirectory() as name:
            smoke(Path(name), given.table)
        return
    if given.data is None:
        raise SystemExit("--data: name the folder of BEIR sets, or try everything on tiny ones with --smoke")
    results = Results(given.out, given.jobs)
    for table in given.table:
        print(f"\n# {table}", flush=True)
        TABLES[table](results, given)


def searchers(results: Results, given: argparse.Namespace) -> None:
    """Table 1."""
    head = given.trainable == "head"
    scenarios = given.scenarios or (ALL if head else ("transfer", "homes", "noise"))
    if given.full:
        print_full(results, str(given.data), labels_of(FEW), given.seeds or 3)
        return
    contest = Contest(
        settings=[Setting(str(given.data), name, given.trainable) for name in scenarios],
        points=(1.0, 3.0, 7.0) if head else (3.0,),
        seeds=given.seeds or (3 if given.long or not head else 10),
        judges=2 if head else 1,
        oracle_trials=200 if head else 20,
        labels=labels_of(None if head else FEW),
    )
    if given.long:
        print_long(results, contest, LONG)
        return
    outcomes = compete(results, contest)
    print_contest(outcomes)
    print_claims(outcomes)


def tdro(results: Results, given: argparse.Namespace) -> None:
    """Table 2."""
    settings = [Setting(str(given.data), name, given.trainable) for name in given.scenarios or ALL]
    table_tdro.print_tdro(results, settings, runs=3.0, seeds=given.seeds or 10)


def opera(results: Results, given: argparse.Namespace) -> None:
    """Table 3."""
    # At the usual rate of `head` the dev score falls after a thousand steps: there is nothing to reach earlier.
    settings = [
        Setting(str(given.data), name, given.trainable, rate=1e-4 if given.trainable == "head" else None)
        for name in given.scenarios or ("homes", "noise")
    ]
    table_opera.print_opera(results, settings, (500, 1000, 1500, 2000, 3000, 4000), given.seeds or 5)


def tasb(results: Results, given: argparse.Namespace) -> None:
    """Table 4."""
    table_tasb.print_tasb(results, str(given.data), given.seeds or 5)


TABLES = {"searchers": searchers, "tdro": tdro, "opera": opera, "tasb": tasb}
ALL = ("homes", "transfer", "languages", "noise")


def smoke(folder: Path, tables: Sequence[str]) -> None:
    """Every table on tiny sets, with next to no steps: shows that it runs, and nothing about its claims."""
    write_sets(folder)
    results = Results(folder / "smoke.jsonl", processes=1)
    settings = [Setting(str(folder), name, steps=40, batch_size=8) for name in ("homes", "transfer")]
    if "searchers" in tables:
        contest = Contest(settings, (1.0, 3.0), seeds=2, judges=1, oracle_trials=3, labels=labels_of(None))
        outcomes = compete(results, contest)
        print_contest(outcomes)
        print_claims(outcomes)
        print_long(results, contest, (1.0, 2.0))
    if "tdro" in tables:
        table_tdro.print_tdro(results, settings[:1], runs=3.0, seeds=2)
    if "opera" in tables:
        table_opera.print_opera(results, settings[:1], (20, 40), seeds=2)
    if "tasb" in tables:
        grid = table_tasb.Grid(steps=(4,), rates=(1e-2,), batch_size=8)
        blocks = table_tasb.BLOCKS[:1]
        table_tasb.print_tasb(results, str(folder), 2, grid, blocks, contextual=False, lengths=(0, 4))


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of BEIR sets")
    parser.add_argument("--table", nargs="+", choices=sorted(TABLES), default=list(TABLES))
    parser.add_argument("--scenarios", nargs="+", choices=sorted(SCENARIOS), help="default: those of the table")
    parser.add_argument("--trainable", default="head", help="head, last:n or all")
    parser.add_argument("--seeds", type=int, help="how many seeds; default: what the table says")
    parser.add_argument("--long", action="store_true", help="of searchers: the compute to reach 100 runs of TPE")
    parser.add_argument("--full", action="store_true", help="of searchers: languages with the whole model")
    parser.add_argument("--smoke", action="store_true", help="tiny made-up sets; nothing is kept")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--out", type=Path, default=Path("seeds.jsonl"), help="results file, read and extended")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except MixtuneError as error:  # a folder that is not there, a proxy that is not known
        raise SystemExit(f"Error: {error}") from None
