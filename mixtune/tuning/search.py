"""Ray's Searcher, answered by a driver of ours."""

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol

from ray.tune.search import Searcher as RaySearcher

from mixtune.errors import NotReady, SearchExhausted
from mixtune.training.base import Task
from mixtune.tuning import wire
from mixtune.tuning.wire import Answer, Progress

P = ParamSpec("P")


class Driver(Protocol):
    """Decides what runs next and takes the answers. Everything it returns has been committed before."""

    def start_next(self) -> Task:
        """The trial to start now.

        Raises:
            NotReady: a running trial must finish first.
            SearchExhausted: all is done.
        """
        ...

    def alive(self, number: int, progress: Progress) -> None:
        """A running trial showed a sign of life."""
        ...

    def finish(self, number: int, answer: Answer | None) -> None:
        """A trial ended; None means that its worker died without a word."""
        ...


class StudySearch(RaySearcher):
    """The thin end of a study in Ray Tune: every question goes to the driver, and so does every answer, once.

    It holds no state but which Ray trial runs which of ours. Ray pickles a searcher when a Tuner is made; the driver
    with its database connection stays out of that copy, which nothing ever reads. An error of the driver is kept in
    `failure` and ends `Tuner.fit` at the next question.
    """

    def __init__(self, driver: Driver) -> None:
        super().__init__(metric=None, mode=None)
        self._driver: Driver | None = driver
        self._live: dict[str, int] = {}
        self.failure: BaseException | None = None
        self.exhausted = False

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_driver": None}

    @property
    def driver(self) -> Driver:
        """The driver.

        Raises:
            RuntimeError: this is Ray's pickled copy.
        """
        if self._driver is None:
            raise RuntimeError("a pickled StudySearch cannot be used: start the study again")
        return self._driver

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ANN401
        """Accept whatever Ray says about the experiment: the study says it all."""
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # Ray forgot FINISHED
        """Config of the next trial, None to be asked again, FINISHED when all is done."""
        if self.failure is not None:
            raise self.failure
        try:
            task = self.driver.start_next()
        except NotReady:
            return None
        except SearchExhausted:
            self.exhausted = True
            return RaySearcher.FINISHED
        except BaseException as error:
            self.failure = error
            raise
        self._live[trial_id] = task.number
        return wire.config_of(task)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Pass a sign of life on."""
        progress = wire.progress_of(result)
        number = self._live.get(trial_id)
        if progress is not None and number is not None:
            self._tell(self.driver.alive, number, progress)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Pass the answer on. Ray may call this twice for one trial; only the first counts."""
        number = self._live.pop(trial_id, None)
        if number is not None:
            answer = None if error or result is None else wire.answer_of(result)
            self._tell(self.driver.finish, number, answer)

    def _tell(self, call: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call the driver. Its error waits for the next question: raised here, Ray would log it and call again."""
        try:
            call(*args, **kwargs)
        except BaseException as error:
            self.failure = error

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the database has it all."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing.

        Raises:
            RuntimeError: always; a study is resumed from its database.
        """
        raise RuntimeError("a study is resumed from its database, never from Ray's files: use mixtune resume")
