"""Ray's end of a study, against a driver that keeps what it is told."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from analytic import AnalyticTrainer, study

from mixtune.errors import NotReady, SearchExhausted, StudyStopped
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.training.base import Task
from mixtune.tuning import engine
from mixtune.tuning.search import StudySearch
from mixtune.tuning.wire import Answer, Progress, error_report

RECIPE = Recipe(Mixture({"good": 0.5, "idle": 0.5}))


@dataclass
class Waves:
    """Hands out trials two at a time and waits for both; ends after `total`, or stops at a failure."""

    folder: Path
    total: int
    handed: int = 0
    answers: dict[int, Answer | None] = field(default_factory=dict)
    stop_at: int = -1

    def start_next(self) -> Task:
        if len(self.answers) < self.handed - self.handed % 2:
            raise NotReady
        if self.handed == self.total:
            if len(self.answers) < self.total:
                raise NotReady
            raise SearchExhausted
        number, self.handed = self.handed, self.handed + 1
        return Task(number, Proposal(RECIPE, 5, Role.SEARCH), 7, self.folder / f"trial-{number}-attempt-1")

    def alive(self, number: int, progress: Progress) -> None:
        pass

    def finish(self, number: int, answer: Answer | None) -> None:
        assert number not in self.answers
        self.answers[number] = answer
        if number == self.stop_at:
            raise StudyStopped("enough")


@pytest.mark.usefixtures("ray_cluster")
def test_both_workers_stay_warm_over_barriers(tmp_path: Path) -> None:
    driver = Waves(tmp_path, total=6)
    engine.fit(study(), AnalyticTrainer(seconds=2.0), StudySearch(driver), run="waves", scratch=tmp_path)
    answers = [driver.answers[number] for number in range(6)]
    assert all(answer is not None and answer.outcome is not None for answer in answers)
    pids = [answer.pid for answer in answers if answer is not None]
    assert set(pids[2:4]) == set(pids[4:6])
    assert len(set(pids[4:6])) == 2


@pytest.mark.usefixtures("ray_cluster")
def test_an_error_of_the_driver_ends_the_fit_and_is_kept(tmp_path: Path) -> None:
    search = StudySearch(Waves(tmp_path, total=50, stop_at=2))
    with pytest.raises(StudyStopped, match="enough"):
        engine.fit(study(), AnalyticTrainer(), search, run="stopped", scratch=tmp_path)
    assert isinstance(search.failure, StudyStopped)


def test_only_the_first_completion_of_a_trial_counts(tmp_path: Path) -> None:
    driver = Waves(tmp_path, total=2)
    search = StudySearch(driver)
    search.suggest("ray-1")
    search.on_trial_complete("ray-1", error_report("boom", node="n", pid=1))
    search.on_trial_complete("ray-1", None, error=True)
    assert driver.answers == {0: Answer(None, "boom", "n", 1)}


def test_rays_pickled_copy_leaves_the_driver_behind(tmp_path: Path) -> None:
    copy = pickle.loads(pickle.dumps(StudySearch(Waves(tmp_path, total=1))))
    with pytest.raises(RuntimeError, match="start the study again"):
        copy.suggest("ray-1")
