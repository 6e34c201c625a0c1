from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import pytest
from judging import Judging
from results import Line, Results
from table_tasb import SAMPLING, Grid, Taught, chosen

from mixtune.training.prepared import Pairs
from mixtune.training.walks.topics import topics_of

TAUGHT = Taught("data", "cache/pool-10of100-0.jsonl", "cache/static-0", "cache/teacher-0", "dual")


@pytest.mark.parametrize(
    "change",
    [
        {"pool": "cache/pool-10of100-1.jsonl"},
        {"pool": "cache/pool-9of100-0.jsonl"},
        {"student": "cache/static-1"},
        {"teacher": "offline:all-MiniLM-L6-v2"},
        {"loss": "in-batch"},
        {"scale": "raw"},
        {"masked": True},
        {"steps": 301},
        {"batch_size": 33},
        {"rate": 2e-2},
    ],
)
def test_what_decides_a_line_is_part_of_its_key(change: dict[str, object]) -> None:
    assert replace(TAUGHT, **change).key != TAUGHT.key  # type: ignore[arg-type]


def test_where_things_lie_is_no_part_of_the_key() -> None:
    moved = Taught("there", "b/pool-10of100-0.jsonl", "b/static-0", "b/teacher-0", "dual")
    assert moved.key == TAUGHT.key


@pytest.mark.parametrize(
    ("loss", "masked", "asked"),
    [("infonce", False, False), ("infonce", True, True), ("margin-mse", False, False), ("dual", False, True)],
)
def test_who_is_asked_about_a_batch(loss: str, masked: bool, asked: bool) -> None:
    assert (replace(TAUGHT, loss=loss, masked=masked).proxy.batch_teacher is not None) == asked


def test_random_sampling_is_by_query_over_a_single_topic() -> None:
    numbers = np.arange(500)
    pairs = Pairs(numbers, numbers, numbers, np.zeros(500, np.float32))
    embeddings = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
    assert set(topics_of(pairs, embeddings, SAMPLING["random"].topics)) == {0}


@dataclass
class Told:
    """Answers jobs as told, by steps and rate: (dev, test)."""

    scores: dict[tuple[int, float], tuple[float, float]]
    seeds: set[int] = field(default_factory=set)

    def finish(self, jobs: list[Judging]) -> list[Line]:
        self.seeds |= {job.seed for job in jobs}
        found = [self.scores[cast(Taught, job.setting).steps, cast(Taught, job.setting).rate] for job in jobs]
        return [{"dev": dev, "test": {"a": {"ndcg@10": [test]}}} for dev, test in found]


def test_steps_and_rate_are_chosen_on_dev_and_by_no_seed_of_the_table() -> None:
    told = Told({(1, 0.1): (0.3, 0.9), (1, 0.2): (0.5, 0.1), (2, 0.1): (0.4, 0.8), (2, 0.2): (0.2, 0.7)})
    (found,) = chosen(cast(Results, told), [TAUGHT], Grid((1, 2), (0.1, 0.2), 16))
    assert found == replace(TAUGHT, steps=1, rate=0.2, batch_size=16)
    assert told.seeds == {0}
