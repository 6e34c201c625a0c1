import json
from dataclasses import replace
from pathlib import Path

import pytest
from desk import STUDY, Desk

from mixtune.batching import Batching
from mixtune.cli.optionnotes import held_line, mixed_line
from mixtune.config import load
from mixtune.searchers import SEARCHERS

OPEN = "pruning: {method: [none, dynamic], query_end: [2, 5]}\n"
SAID = "multidds does not choose pruning or batching and holds the first value of each list: query_end 2, dynamic 0"


def line_of(desk: Desk, algorithm: str, more: str = OPEN) -> str | None:
    return held_line(load(Path(desk.write(STUDY.replace("random", algorithm) + more))).study)


def test_what_an_algorithm_does_not_choose_is_said_in_one_line(desk: Desk) -> None:
    line = line_of(desk, "multidds")
    assert line is not None and line.startswith(SAID) and "tpe" in line


@pytest.mark.parametrize("algorithm", ["cmaes", "gp", "infdds", "qmc", "random", "regmix", "scout", "tpe"])
def test_an_algorithm_that_chooses_is_said_nothing_of(desk: Desk, algorithm: str) -> None:
    assert SEARCHERS[algorithm].chooses_options
    assert line_of(desk, algorithm) is None


def test_where_nothing_is_open_nothing_is_said(desk: Desk) -> None:
    assert line_of(desk, "multidds", "pruning: {method: dynamic}\n") is None


def mixed_of(desk: Desk, algorithm: str, batching: str) -> str | None:
    more = f"batching: {batching}\n"
    return mixed_line(load(Path(desk.write(STUDY.replace("random", algorithm) + more))).study)


@pytest.mark.parametrize("algorithm", ["doge", "doremi", "tdro"])
@pytest.mark.parametrize(
    ("batching", "named"),
    [("{topics: 200}", "batching.topics holds"), ("{topics: [0, 20]}", "batching.topics holds")],
)
def test_what_mixed_rounds_leave_out_of_the_batching_is_said(
    desk: Desk, algorithm: str, batching: str, named: str
) -> None:
    line = mixed_of(desk, algorithm, batching)
    assert line is not None and line.startswith(f"{algorithm} mixes sources in every batch") and named in line


def test_topics_and_bins_are_named_together(desk: Desk) -> None:
    study = load(Path(desk.write(STUDY.replace("random", "tdro")))).study
    space = replace(study.space, batching=Batching(margin_bins=10), choices={"topics": (0.0, 20.0)})
    line = mixed_line(replace(study, space=space))
    assert line is not None and "so batching.topics and batching.margin_bins hold for the baselines" in line


def test_rounds_of_other_searches_and_random_batches_leave_nothing_out(desk: Desk) -> None:
    assert mixed_of(desk, "multidds", "{topics: 20}") is None
    assert mixed_of(desk, "tdro", "{topics: 0}") is None


def test_run_says_what_mixed_rounds_leave_out(desk: Desk) -> None:
    file = desk.write(STUDY.replace("random", "tdro") + "batching: {topics: 20}\n")
    assert "Note: tdro mixes sources in every batch" in " ".join(desk("run", file).output.split())


def test_run_and_resume_say_what_is_held(desk: Desk) -> None:
    file = desk.write(STUDY.replace("random", "multidds") + OPEN)
    said = [desk("run", file).output, desk("resume", "duo", "--trials", "9").output]
    assert all(f"Note: {SAID}" in " ".join(text.split()) for text in said)
    desk.store.delete_study("duo")
    assert "Note:" not in desk("run", desk.write(STUDY + OPEN)).output


def test_trials_best_and_show_tell_a_recipes_schedule_batching_and_options(desk: Desk) -> None:
    assert desk("run", desk.write(STUDY + OPEN)).exit_code == 0
    (trial, *_), best, shown = (
        json.loads(desk(*words, "duo", "--json").stdout) for words in (("trials",), ("best",), ("show",))
    )
    for recipe in (trial, best, shown["best"], shown["baselines"]["uniform"]):
        assert recipe["schedule"] is None and recipe["options"] == {"dynamic": 0.0}
        assert recipe["batching"] == {"topics": 0, "clusters": 1, "margin_bins": 1, "mixed": False}
    assert shown["options"]["choices"] == {"query_end": [2.0, 5.0], "dynamic": [0.0, 1.0]}
    assert trial["remarks"] == []
