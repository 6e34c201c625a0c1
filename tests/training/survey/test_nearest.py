from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_study import Table, bench_of, recipe, study_of, synthetic

from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role
from mixtune.source import Source
from mixtune.study import Study
from mixtune.training.base import Task
from mixtune.training.encoding.embedder import BaseModel
from mixtune.training.encoding.encodings import Encodings
from mixtune.training.prepared import Pairs, Prepared, PreparedTarget
from mixtune.training.survey import neighbours as near
from mixtune.training.survey import querypool
from mixtune.training.survey.neighbours import neighbours
from mixtune.training.trainer import run_trial

TABLE, PREPARED = synthetic()
STUDY = study_of(PREPARED)


def world(monkeypatch: pytest.MonkeyPatch, nearest: int) -> tuple[Study, Prepared, Encodings]:
    """Queries on a circle. Sources: a at 0, 10 and 20 degrees, b at 45 and 60, c at 180. Dev: 5 and 50 degrees."""
    monkeypatch.setattr(near, "NEAREST", nearest)
    degrees = np.radians([0, 10, 20, 45, 60, 180, 5, 50])
    table = Table(np.stack([np.cos(degrees), np.sin(degrees)], axis=1).astype(np.float32))

    def pairs(*queries: int) -> Pairs:
        rows = np.array(queries)
        return Pairs(rows, rows, np.arange(len(rows)), np.ones(len(rows), np.float32))

    def target(*queries: int) -> PreparedTarget:
        (some,) = [each for name, each in PREPARED.targets.items() if name == "left"]
        return replace(some, dev=replace(some.dev, queries=np.array(queries)))

    prepared = Prepared(
        # A query that stands in two pairs counts once.
        {"a": pairs(0, 1, 2), "b": pairs(3, 3, 4), "c": pairs(5)},
        {"near a": target(6), "both": target(6, 7)},
    )
    return study_of(prepared), prepared, Encodings(BaseModel(table))


def test_shares_are_those_of_the_nearest_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    # Around 5 degrees: 0, 10, 20. Around 50 degrees: 45, 60, 20.
    assert neighbours(*world(monkeypatch, 3)) == {
        "near a": {"a": 1.0, "b": 0.0, "c": 0.0},
        "both": {"a": 4 / 6, "b": 2 / 6, "c": 0.0},
    }


def test_a_pool_smaller_than_the_number_of_neighbours_is_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert neighbours(*world(monkeypatch, 10))["near a"] == pytest.approx({"a": 3 / 6, "b": 2 / 6, "c": 1 / 6})


def test_a_removed_source_takes_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    study, prepared, encodings = world(monkeypatch, 3)
    study = replace(study, sources=(Source("a", "synthetic", "", weight=0.0), *study.sources[1:]))
    assert neighbours(study, prepared, encodings)["near a"] == pytest.approx({"b": 2 / 3, "c": 1 / 3})


def pool_of(study: Study, source: str, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The rows of a source that are looked at."""
    seen: list[np.ndarray] = []

    class Watched(Encodings):
        def of(self, rows: np.ndarray) -> np.ndarray:
            seen.append(rows)
            return super().of(rows)

    monkeypatch.setattr(querypool, "POOL", 50)
    neighbours(study, PREPARED, Watched(BaseModel(TABLE)))
    return set(seen[0].tolist()) & set(PREPARED.sources[source].queries.tolist())


def test_a_large_source_gives_a_sample_that_the_seed_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    first = pool_of(STUDY, "other", monkeypatch)
    assert len(first) == 50
    assert pool_of(STUDY, "other", monkeypatch) == first
    assert pool_of(replace(STUDY, seed=1), "other", monkeypatch) != first


def test_the_sample_of_a_source_does_not_depend_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    without = replace(STUDY, sources=(replace(STUDY.sources[0], weight=0.0), *STUDY.sources[1:]))
    assert pool_of(without, "other", monkeypatch) == pool_of(STUDY, "other", monkeypatch)


def survey_of(role: Role, place: Path) -> Measurement:
    task = Task(0, Proposal(recipe(good=1.0), 0, role), 1, place)
    return run_trial(STUDY, task, bench_of(TABLE, PREPARED), lambda step, score: None, 0.0).measurement


def test_the_survey_measures_neighbours_and_nothing_else_does(tmp_path: Path) -> None:
    found = survey_of(Role.SURVEY, tmp_path).neighbours
    assert list(found) == ["left", "right"]
    for shares in found.values():
        assert list(shares) == list(STUDY.names) and sum(shares.values()) == pytest.approx(1)
    assert survey_of(Role.SEARCH, tmp_path).neighbours == {}


def test_a_source_with_the_targets_own_queries_is_nearest(tmp_path: Path) -> None:
    own = PREPARED.targets["left"].dev.queries
    near_by = replace(PREPARED.sources["other"], queries=np.resize(own, 200))
    prepared = replace(PREPARED, sources={**PREPARED.sources, "other": near_by})
    found = neighbours(STUDY, prepared, Encodings(BaseModel(TABLE)))
    assert found["left"]["other"] > 1.2 * found["right"]["other"]
