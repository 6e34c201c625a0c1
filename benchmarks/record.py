"""Records the studies that benchmarks/recorded holds, from real runs.

    python benchmarks/record.py docstrings                     the sources and targets of studies/quickstart.yaml
    python benchmarks/record.py homes --data DIR               scenario homes over a folder of BEIR sets

A recording holds mixtures drawn at random in two ways (`random`, and `regmix`, whose mixtures are sparser), baselines
and the best of the random ones on three judging seeds each, and real searches with two judged runs of what they
recommend, for comparison with their replays, or to stand in for them where a search reads what no surrogate knows.
"""

import argparse
import importlib.metadata
import platform
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from contenders import SETTINGS, at
from driver import Driver
from results import driver_of
from scenarios import Setting

from mixtune.config import load
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Recipe
from mixtune.report.comparing.evenness import ONE_RECIPE
from mixtune.search import Search
from mixtune.store.recording import Recorded, Recording, recorded, write_recording
from mixtune.study import Study
from mixtune.trial import Trial, TrialState
from mixtune.tuning.inprocess import drive

HERE = Path(__file__).parent
VERSIONS = ("mixtune", "torch", "sentence-transformers", "transformers", "numpy")
RUNS = 7.0

COMPARED = {
    "docstrings": (
        *("infdds", "scout", "tpe", "gp", "cmaes", "random", "regmix", "neighbours", "crisp"),
        *("multidds", "doge", "tdro", "doremi"),
    ),
    "homes": ("infdds", "scout"),
}
"""Searches that are recorded beside the random mixtures."""

SEEDS = {"docstrings": (1, 2, 3), "homes": (1,)}


@dataclass(frozen=True)
class Recorder:
    """What is recorded on: the quickstart's data, or scenario homes over a folder of BEIR sets."""

    key: str
    data: str

    def study(self) -> Study:
        """The study, not prepared, its random mixtures judged on three seeds."""
        if self.key == "homes":
            bare = Setting(self.data, "homes").study()
        else:
            bare = replace(load(HERE.parent / "studies" / "quickstart.yaml").study, name=self.key)
        return replace(bare, final=replace(bare.final, seeds=3, finalists=0))


def main() -> None:
    """Run what a recording holds, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(COMPARED))
    parser.add_argument("--data", type=Path, help="folder of BEIR sets, for homes")
    parser.add_argument("--out", type=Path, help="default: benchmarks/recorded/WHAT.jsonl.gz")
    given = parser.parse_args()
    if given.what == "homes" and given.data is None:
        raise SystemExit("--data: name the folder of BEIR sets")
    studies = list(studied(Recorder(given.what, str(given.data))))
    command = f"python benchmarks/record.py {given.what}{' --data DIR' if given.data else ''}"
    versions = {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in VERSIONS}}
    out = given.out or HERE / "recorded" / f"{given.what}.jsonl.gz"
    out.parent.mkdir(exist_ok=True)
    write_recording(out, Recording(command, tuple(studies), versions))
    trials = sum(len(each.trials) for each in studies)
    print(f"{out}: {len(studies)} studies, {trials} trials, {out.stat().st_size / 1000:.0f} kB")


def studied(recorder: Recorder) -> Iterator[Recorded]:
    """The studies of a recording, as they are done."""
    driver = driver_of(recorder)
    designs = {
        "random": (Search("random", {"prior": "none"}), 60, 3),
        "regmix": (Search("regmix", {"n_fit": 26}), 30, 0),
    }
    for label, (search, trials, judged) in designs.items():
        study = driver.study(search, runs=2.0 * trials, seed=0, trials=trials)
        study = replace(study, name=f"{study.name}-{label}", final=replace(study.final, seeds=judged))
        yield told(recorded(study, drive(study, driver.trainer)))
    for name in COMPARED[recorder.key]:
        search = at(Search(name, SETTINGS.get(name, {})), RUNS)
        seeds = SEEDS[recorder.key]
        for seed in seeds[:1] if name in ONE_RECIPE else seeds:
            study = driver.study(search, runs=RUNS, seed=seed)
            study = replace(study, name=f"{study.name}-{name}-{seed}", final=replace(study.final, seeds=0))
            trials = drive(study, driver.trainer)
            recipe = driver.found(study, trials).recipe
            if recipe is not None:
                trials.extend(judged_runs(driver, study, recipe, len(trials)))
            yield told(recorded(study, trials))


def judged_runs(driver: Driver, study: Study, recipe: Recipe, number: int) -> Iterator[Trial]:
    """The recommendation on two judging seeds, as trials behind those of the search."""
    for replicate in range(2):
        steps = study.proxy.steps
        proposal = Proposal(recipe, steps, Role.RERUN, horizon=steps, label="best", replicate=replicate)
        outcome = driver.judge(study, recipe, replicate)
        seed = study.judging_seed(replicate)
        yield Trial(
            number + replicate, proposal, seed, state=TrialState.COMPLETE, attempt=1, measurement=outcome.measurement
        )


def told(each: Recorded) -> Recorded:
    """Say that a study is done."""
    print(f"{each.study.name}: {len(each.trials)} trials", flush=True)
    return each


if __name__ == "__main__":
    main()
