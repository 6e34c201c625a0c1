"""How far can a winner be believed? Contenders that are known to be equal, and others that are known to differ.

    python benchmarks/null.py [--json]                    the recorded runs (null.npz), resampled: seconds
    python benchmarks/null.py --table                     the same for 2, 3, 5 and 10 replicates, and simulations
    python benchmarks/null.py --fresh [--file FILE]       makes the runs anew, then resamples them: about 10 minutes

Needs no data but the docstrings of installed packages, and the recorded file not even those. Leaves with status 1 where
a bar is missed. --fresh writes runs to FILE with the ending .jsonl as they come: give the command again to go on.
"""

import argparse
import contextlib
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from null_draws import Components, Draw, compared, coverage, decided, likeness, noise, simulated, truth, won
from null_scores import Recorded

SHIPPED = Path(__file__).parent / "null.npz"
MOST_FALSE, LEAST_COVERAGE, MOST_COVERAGE, LEAST_POWER = 0.06, 0.93, 0.97, 0.6
"""The bars: false winners, coverage, and power at two standard deviations."""
REPLICATES = (2, 3, 5, 10)
MADE_UP = {
    "queries only": Components(1, 0, 0),
    "seeds only": Components(0, 1, 0),
    "seed x query only": Components(0, 0, 1),
    "queries, seed x query": Components(1, 0, 1),
    "all three, queries lead": Components(1, 0.05, 1),
    "all three, equal": Components(1, 0.1, 1),
    "all three, seeds lead": Components(1, 0.3, 1),
    "seeds, seed x query": Components(0, 0.1, 1),
}
"""Simulated differences over 100 queries, where a seed effect of .1 weighs as much as a query effect of 1 per run."""


@dataclass(frozen=True)
class Calibration:
    """What is promised. power: standard deviations planted -> share in which the better side won."""

    comparisons: int
    replicates: int
    false_winner_rate: float
    coverage: float
    power: dict[str, float]

    @property
    def held(self) -> bool:
        """No bar is missed."""
        covered = LEAST_COVERAGE <= self.coverage <= MOST_COVERAGE
        return covered and self.false_winner_rate <= MOST_FALSE and self.power["2"] >= LEAST_POWER


def calibrated(recorded: Recorded, comparisons: int = 2000, replicates: int = 5) -> Calibration:
    """Compare runs on identical sources with each other, as they are and with an effect planted in one side."""
    arm, draw = recorded.arms["identical"], Draw(replicates)
    found = compared(arm, draw, comparisons)
    sd = noise(arm)
    return Calibration(
        comparisons=comparisons,
        replicates=replicates,
        false_winner_rate=decided(found),
        coverage=coverage(found, 0.0),
        power={str(k): won(compared(arm, draw, comparisons, planted=k * sd, seed=k)) for k in (1, 2)},
    )


def main(given: Sequence[str] | None = None) -> int:
    """Print what was asked for; 0 where every bar holds."""
    asked = parsed(given)
    if asked.fresh:
        import null_runs  # needs torch, which the recorded file does not

        file = asked.file or Path(SHIPPED.name)
        seeds = {"identical": asked.seeds, "different": max(asked.replicates, asked.seeds // 3)}
        setting = null_runs.Twins(tuple(asked.packages), asked.steps)
        with contextlib.redirect_stdout(sys.stderr):  # how far it is
            recorded = null_runs.record(file.with_suffix(".jsonl"), seeds, setting, asked.jobs)
        recorded = replace(recorded, command=shlex.join(["python", "benchmarks/null.py", *(given or sys.argv[1:])]))
        recorded.save(file)
    else:
        recorded = Recorded.load(asked.file or SHIPPED)
    found = calibrated(recorded, asked.comparisons, asked.replicates)
    if asked.json:
        print(json.dumps(asdict(found)))
    else:
        print_calibration(recorded, found)
    if asked.table:
        print_table(recorded, asked.comparisons)
    return 0 if found.held else 1


def print_calibration(recorded: Recorded, found: Calibration) -> None:
    """The answer, with what it rests on."""
    arm = recorded.arms["identical"]
    print(f"{recorded.runs} runs on identical sources, {arm.queries} test queries; made by {recorded.command}")
    print(f"one run's score varies by {noise(arm):.5f} over seeds; runs of a seed correlate by {likeness(arm):+.2f}")
    print(f"{found.comparisons} comparisons of {found.replicates} replicates:")
    print(f"  a winner where there is none   {found.false_winner_rate:6.1%}  (at most {MOST_FALSE:.0%})")
    print(f"  95 % intervals hold the truth  {found.coverage:6.1%}  ({LEAST_COVERAGE:.0%} to {MOST_COVERAGE:.0%})")
    for planted, share in found.power.items():
        bar = f"  (at least {LEAST_POWER:.0%})" if planted == "2" else ""
        print(f"  found, {planted} SD better             {share:6.1%}{bar}")
    print("every bar holds" if found.held else "A BAR IS MISSED")


def print_table(recorded: Recorded, comparisons: int) -> None:
    """Coverage by replicates: of recorded runs drawn in several ways, and of made-up ones with known components."""
    identical, different = recorded.arms["identical"], recorded.arms["different"]
    rows = {
        "identical, pairs of a seed": (identical, Draw(), 0.0),
        "identical, no seed in common": (identical, Draw(paired=False), 0.0),
        "identical, new queries": (identical, Draw(new_queries=True), 0.0),
        "different, new queries": (different, Draw(exchangeable=False, new_queries=True), truth(different)),
    }
    print(f"\n| coverage by replicates | {' | '.join(map(str, REPLICATES))} |\n{'| --- ' * (1 + len(REPLICATES))}|")
    for name, (arm, draw, true) in rows.items():
        found = [coverage(compared(arm, replace(draw, replicates=r), comparisons), true) for r in REPLICATES]
        print(f"| {name} | {' | '.join(f'{share:.1%}' for share in found)} |", flush=True)
    for name, components in MADE_UP.items():
        found = [simulated(components, r, 100, comparisons) for r in REPLICATES]
        print(f"| simulated: {name} | {' | '.join(f'{share:.1%}' for share in found)} |", flush=True)
    sd, shares = noise(identical), []
    for r in REPLICATES:
        shares.append([won(compared(identical, Draw(r), comparisons, planted=k * sd, seed=k)) for k in (1, 2, 3)])
    for k in (1, 2, 3):
        print(f"| power at {k} SD | {' | '.join(f'{each[k - 1]:.1%}' for each in shares)} |")


def parsed(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--table", action="store_true", help="coverage and power by replicates as well")
    parser.add_argument("--comparisons", type=int, default=2000, help="how many are drawn")
    parser.add_argument("--replicates", type=int, default=5, help="runs on each side")
    parser.add_argument(
        "--file", type=Path, help="recorded runs; default: null.npz, beside this script or made --fresh here"
    )
    parser.add_argument("--fresh", action="store_true", help="make the runs first")
    parser.add_argument("--seeds", type=int, default=300, help="of --fresh: pairs of runs on identical sources")
    packages = ("pandas", "scikit-learn")
    parser.add_argument("--packages", nargs=2, default=packages, help="of --fresh: whose docstrings are the data")
    parser.add_argument("--steps", type=int, default=300, help="of --fresh: steps of a run")
    parser.add_argument("--jobs", type=int, default=1, help="of --fresh: processes")
    return parser.parse_args(given)


if __name__ == "__main__":
    raise SystemExit(main())
