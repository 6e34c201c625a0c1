import json
from dataclasses import replace

import pytest
from desk import STUDY as ANY
from desk import Desk

from mixtune.errors import LeaseHeld
from mixtune.study import StudyState

STUDY = f"{ANY}final: {{seeds: 1}}\n"
DUEL = STUDY.replace("search: {algorithm: random}", "compare: {searchers: {random: {}, tpe: {}}, replicates: 2}")
MEMBERS = ["duo.random.0", "duo.tpe.0", "duo.random.1", "duo.tpe.1"]


@pytest.fixture
def compared(desk: Desk) -> Desk:
    """A desk on which comparison `duo` has run to its end."""
    result = desk("compare", desk.write(DUEL))
    assert result.exit_code == 0, result.output
    return desk


def names(desk: Desk) -> list[str]:
    return [record.study.name for record in desk.store.studies()]


def test_compare_runs_every_member_and_tells_who_wins(desk: Desk) -> None:
    result = desk("compare", desk.write(DUEL))
    assert result.exit_code == 0, result.output
    assert [name for name, _ in desk.tuner.calls] == MEMBERS
    assert "[4/4] tpe, replicate 2 of 2" in result.output
    for title in ("Test ndcg@10", "Who beats whom", "Ranks", "Compute to reach", "What each search used"):
        assert title in result.output
    assert "No winner: " in result.output
    assert "mixtune show duo" in result.output


def test_compared_again_nothing_runs_and_the_report_is_there(compared: Desk) -> None:
    result = compared("compare", compared.write(DUEL))
    assert result.exit_code == 0
    assert len(compared.tuner.calls) == 4
    assert "Who beats whom" in result.output


def test_searchers_and_replicates_are_added_to_what_is_there(compared: Desk) -> None:
    more = DUEL.replace("tpe: {}}, replicates: 2", "tpe: {}, qmc: {}}, replicates: 3")
    assert compared("compare", compared.write(more)).exit_code == 0
    assert [name for name, _ in compared.tuner.calls[4:]] == [
        *("duo.qmc.0", "duo.qmc.1", "duo.random.2", "duo.tpe.2", "duo.qmc.2"),
    ]
    assert compared.store.comparison("duo").comparison.replicates == 3


def test_another_description_under_the_same_name_is_refused_by_what_differs(compared: Desk) -> None:
    other = DUEL.replace("trials: 2", "trials: 3").replace("tpe: {}", "tpe: {prior: uniform}")
    result = compared("compare", compared.write(other))
    assert result.exit_code == 1
    assert "budget.trials is 2, the file says 3" in result.output
    assert "searcher 'tpe' has other settings" in result.output
    assert "mixtune rm duo" in result.output
    assert len(compared.tuner.calls) == 4


def test_the_command_line_names_searchers(desk: Desk) -> None:
    result = desk("compare", desk.write(STUDY), "--searchers", "qmc, tpe", "--replicates", "1")
    assert result.exit_code == 0, result.output
    assert [name for name, _ in desk.tuner.calls] == ["duo-compare.qmc.0", "duo-compare.tpe.0"]


def test_json_is_all_that_standard_output_holds(desk: Desk) -> None:
    result = desk("compare", desk.write(DUEL), "--json", "--reach", "0.4")
    told = json.loads(result.stdout)
    assert (told["name"], told["complete"], len(told["members"])) == ("duo", True, 4)
    assert [(each["level"], each["score"]) for each in told["reach"]] == [("0.4", 0.4)]
    assert "[1/4] random" in result.stderr


def test_show_tells_the_same_as_compare(compared: Desk) -> None:
    told = json.loads(compared("show", "duo", "--json").stdout)
    assert told == json.loads(compared("compare", compared.write(DUEL), "--json").stdout)
    shown = compared("show", "duo")
    assert shown.exit_code == 0
    assert "Comparison duo: 4 of 4 searches complete" in shown.output
    assert told["answer"] in shown.output


def test_ls_shows_a_comparison_in_one_line_and_its_studies_with_all(compared: Desk) -> None:
    short = json.loads(compared("ls", "--json").stdout)
    assert [(line["name"], line["state"], line["compares"]) for line in short] == [
        ("duo", "complete", ["random", "tpe"]),
    ]
    assert [line["name"] for line in json.loads(compared("ls", "--all", "--json").stdout)] == [*MEMBERS, "duo"]
    assert "duo.random.0" not in compared("ls").output
    assert "compares random" in compared("ls").output


def test_rm_removes_a_comparison_with_its_studies_and_their_checkpoints(compared: Desk) -> None:
    folders = [artifacts / compared.store.study(name).uid for name, artifacts in compared.tuner.calls]
    for folder in folders:
        folder.mkdir(parents=True)
    result = compared("rm", "duo")
    assert "Removed comparison duo with 4 studies." in result.output
    assert (names(compared), compared.store.comparisons()) == ([], [])
    assert not any(folder.exists() for folder in folders)


def test_an_interrupted_comparison_says_how_to_go_on_and_resume_does(desk: Desk) -> None:
    desk.tuner.end = (StudyState.STOPPED, "interrupted")
    result = desk("compare", desk.write(DUEL))
    assert result.exit_code == 130
    assert "mixtune resume duo" in result.output
    assert names(desk) == MEMBERS[:1]
    desk.tuner.end = (StudyState.COMPLETE, "")
    assert desk("resume", "duo").exit_code == 0
    assert [name for name, _ in desk.tuner.calls] == [MEMBERS[0], *MEMBERS]


def test_members_that_fail_are_told_after_what_the_others_showed(desk: Desk) -> None:
    desk.tuner.end = (StudyState.FAILED, "3 trials failed in a row")
    result = desk("compare", desk.write(DUEL))
    assert result.exit_code == 1
    assert "4 of 4 members failed, the first one (duo.random.0) because: 3 trials failed in a row" in result.output
    assert "mixtune resume duo" in result.output


def test_a_lease_that_is_held_is_waited_for(desk: Desk) -> None:
    desk.tuner.trouble = [LeaseHeld("held by another one")]
    assert desk("compare", desk.write(DUEL)).exit_code == 0
    assert desk.waited == [1.0]


def test_a_comparison_cannot_be_given_another_budget(compared: Desk) -> None:
    result = compared("resume", "duo", "--runs", "9")
    assert result.exit_code == 1
    assert "'duo' is a comparison" in result.output


def test_a_comparison_that_is_resumed_fresh_takes_nothing_over(desk: Desk) -> None:
    desk.tuner.end = (StudyState.STOPPED, "interrupted")
    desk("compare", desk.write(DUEL))
    desk.tuner.end = (StudyState.COMPLETE, "")
    assert desk("resume", "duo", "--fresh").exit_code == 0
    assert desk.tuner.reused == [True, False, False, False, False]


@pytest.mark.parametrize("level", ["nan", "inf", "59", "-3"])
def test_a_score_to_reach_that_is_none_is_refused_before_anything_runs(desk: Desk, level: str) -> None:
    result = desk("compare", desk.write(DUEL), f"--reach={level}")
    assert result.exit_code == 2
    assert f"{level} is no score to reach" in result.output and "between 0 and 1" in result.output
    assert desk.tuner.calls == []


def test_no_searchers_are_not_taken_for_those_of_the_file(desk: Desk) -> None:
    result = desk("compare", desk.write(DUEL), "--searchers", "")
    assert result.exit_code == 2
    assert "'' names no algorithm" in result.output
    assert desk.tuner.calls == []


def test_too_few_replicates_are_named_with_the_least(desk: Desk) -> None:
    result = desk("compare", desk.write(DUEL), "--replicates", "-1")
    assert result.exit_code == 2
    assert "-1 is too few: give 1 or more" in result.output


def test_who_asks_for_the_best_of_a_comparison_is_told_what_it_is(compared: Desk) -> None:
    result = compared("best", "duo")
    assert result.exit_code == 1
    assert "'duo' is a comparison, not a study" in result.output


def test_run_sends_a_file_to_compare(desk: Desk) -> None:
    result = desk("run", desk.write(DUEL))
    assert result.exit_code == 1
    assert "duo.yaml:7: the file says what to compare, not what to run: use `mixtune compare" in result.output


def test_finished_studies_are_put_side_by_side(desk: Desk) -> None:
    for name, algorithm in (("one", "random"), ("two", "tpe")):
        text = STUDY.replace("name: duo", f"name: {name}").replace("algorithm: random", f"algorithm: {algorithm}")
        assert desk("run", desk.write(text)).exit_code == 0
    told = json.loads(desk("compare", "--studies", "one", "two", "--json").stdout)
    assert [member["label"] for member in told["members"]] == ["random", "tpe"]
    assert set(told["entrants"]) == {"random", "tpe", "uniform", "proportional"}
    assert desk.store.comparisons() == []
    assert "Who beats whom" in desk("compare", "--studies", "one", "two").output


def test_studies_that_differ_are_refused_by_what_differs(desk: Desk) -> None:
    for name, more in (("one", ""), ("two", "proxy: {steps: 7}\n")):
        assert desk("run", desk.write(STUDY.replace("name: duo", f"name: {name}") + more)).exit_code == 0
    result = desk("compare", "--studies", "one", "two")
    assert result.exit_code == 1
    assert "'one' and 'two' differ in proxy" in result.output


@pytest.mark.parametrize(
    "words", [("a", "b"), ("--studies", "a", "b", "--replicates", "2"), ("--studies", "a", "b", "--equal", "flops")]
)
def test_words_that_do_not_go_together_are_refused(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk("compare", *words).exit_code == 2


def test_fresh_runs_take_nothing_over(desk: Desk) -> None:
    desk("run", desk.write(STUDY), "--fresh")
    desk("resume", "duo", "--trials", "5")
    assert desk.tuner.reused == [False, True]


def test_taken_over_trials_are_told(compared: Desk) -> None:
    lease = compared.store.acquire("duo.tpe.0", "host 1 2")
    taken = replace(compared.store.trials("duo.tpe.0")[0], reused="duo.random.0/0")
    compared.store.update_trial(lease, taken)
    shown = compared("trials", "duo.tpe.0").output
    assert "reused" in shown and "duo.random.0/0" in shown
    assert json.loads(compared("trials", "duo.tpe.0", "--json").stdout)[0]["reused"] == "duo.random.0/0"
    assert "Reused       1 runs" in compared("show", "duo.tpe.0").output
    assert json.loads(compared("show", "duo.tpe.0", "--json").stdout)["reused"] == 1
