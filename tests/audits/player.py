"""Studies of the analytic world, played in this process."""

from dataclasses import replace

from analytic import AnalyticTrainer, study

from mixtune.proxy import Final, Proxy
from mixtune.study import Study
from mixtune.trial import Trial
from mixtune.tuning.inprocess import drive


def prepared(given: Study) -> Study:
    return replace(given, preparation=AnalyticTrainer().prepare(given, lambda what, done, total: None))


def toy(algorithm: str = "infdds", trials: int = 8, **changes: object) -> Study:
    """A study of long runs, whose noise is small beside what its sources do."""
    given = {"proxy": Proxy(steps=100, batch_size=4), "final": Final(steps=100, seeds=1), **changes}
    return prepared(study(algorithm=algorithm, trials=trials, **given))


def play(given: Study, trainer: AnalyticTrainer | None = None) -> list[Trial]:
    return drive(prepared(given), trainer or AnalyticTrainer())
