from pathlib import Path

import pytest

from mixtune.comparison import Equal
from mixtune.config import load, load_comparison
from mixtune.errors import ConfigError
from mixtune.proxy import Final
from mixtune.search import Budget, Search

COMMON = """\
name: duel
sources: {alpha: {kind: docstrings, package: numpy}, beta: {kind: docstrings, package: scipy}}
targets: {goal: {kind: docstrings, package: pandas}}
"""
PART = 'compare: {searchers: {scout: {}, tpe: , "tpe late": {algorithm: tpe, prior: uniform}}, replicates: 3}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "study.yaml"


def written(file: Path, *parts: str) -> Path:
    file.write_text(COMMON + "".join(parts))
    return file


def test_a_comparison_is_read_with_its_contenders_by_label(file: Path) -> None:
    found = load_comparison(written(file, PART, "budget: {runs: 4}\n", "db: sqlite:///x.db\n"))
    comparison = found.comparison
    assert comparison.contenders == {
        "scout": Search("scout"),
        "tpe": Search("tpe"),
        "tpe late": Search("tpe", {"prior": "uniform"}),
    }
    assert (comparison.name, comparison.replicates, comparison.equal) == ("duel", 3, Equal.FLOPS)
    assert (comparison.base.search, comparison.base.budget) == (Search("scout"), Budget(runs=4))
    assert found.db == "sqlite:///x.db"


@pytest.mark.parametrize(
    ("budget", "equal", "kept"),
    [
        ("{trials: 9, runs: 4}", Equal.FLOPS, Budget(runs=4)),
        ("{trials: 9, seconds: 60}", Equal.TRIALS, Budget(trials=9)),
        ("{seconds: 60, workers: 1}", Equal.SECONDS, Budget(seconds=60, workers=1)),
    ],
)
def test_compute_is_equal_before_trials_before_seconds(file: Path, budget: str, equal: Equal, kept: Budget) -> None:
    comparison = load_comparison(written(file, PART, f"budget: {budget}\n")).comparison
    assert (comparison.equal, comparison.base.budget) == (equal, kept)


def test_what_is_to_be_equal_is_the_only_limit(file: Path) -> None:
    part = PART.replace("replicates: 3", "equal: trials")
    comparison = load_comparison(written(file, part, "budget: {trials: 9, runs: 4}\n")).comparison
    assert (comparison.equal, comparison.base.budget, comparison.replicates) == (Equal.TRIALS, Budget(trials=9), 5)


def test_finalists_run_only_where_the_file_asks_for_them(file: Path) -> None:
    assert load_comparison(written(file, PART, "budget: {runs: 4}\n")).comparison.base.final == Final(finalists=1)
    asked = written(file, PART, "budget: {runs: 4}\n", "final: {finalists: 3}\n")
    assert load_comparison(asked).comparison.base.final == Final(finalists=3)


def test_the_command_line_names_searchers_for_a_file_without_the_part(file: Path) -> None:
    plain = written(file, "search: {algorithm: scout, beta: 2}\n", "budget: {trials: 4, runs: 2}\n")
    found = load_comparison(plain, searchers=["tpe", "scout"], replicates=2, equal="trials").comparison
    assert found.contenders == {"tpe": Search("tpe"), "scout": Search("scout")}
    assert (found.replicates, found.base.budget) == (2, Budget(trials=4))
    with pytest.raises(ConfigError, match=r"lacks the key 'compare'.*--searchers"):
        load_comparison(plain)
    with pytest.raises(ConfigError, match="equal is 'time'; allowed: flops, trials, seconds"):
        load_comparison(plain, searchers=["tpe"], equal="time")
    with pytest.raises(ConfigError, match=r"equal seconds needs budget\.seconds"):
        load_comparison(plain, searchers=["tpe"], equal="seconds")


@pytest.mark.parametrize(
    ("name", "said"), [("uniform", "always takes part"), ("tpee", "did you mean 'tpe'"), ("tpe,tpe", "twice")]
)
def test_a_searcher_that_the_command_line_cannot_mean_is_refused(file: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_comparison(written(file, PART, "budget: {runs: 4}\n"), searchers=name.split(","))


def test_a_searcher_that_always_takes_part_is_not_offered(file: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load_comparison(written(file, PART, "budget: {runs: 4}\n"), searchers=["zzz"])
    assert "Allowed are" in str(error.value)
    assert not {"uniform", "proportional", "expert"} & set(str(error.value).replace(",", "").split())


def test_chains_are_as_long_as_the_budget_pays_for_unless_the_file_says_how_long(file: Path) -> None:
    part = "compare: {searchers: {doge: {}, multidds: {}, tdro: {}, doremi: {}, short: {algorithm: tdro, length: 9}}}\n"
    found = load_comparison(written(file, part, "budget: {runs: 4}\n")).comparison
    lengths = {label: search.settings["length"] for label, search in found.contenders.items()}
    assert lengths == {**dict.fromkeys(("doge", "multidds", "tdro", "doremi"), "budget"), "short": 9}


def test_a_length_that_is_given_stays(file: Path) -> None:
    part = "compare: {searchers: {doge: {length: 70}}}\n"
    found = load_comparison(written(file, part, "budget: {runs: 4}\n"))
    assert found.comparison.contenders == {"doge": Search("doge", {"length": 70})}


def test_run_says_that_the_file_is_one_to_compare(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"study\.yaml:4: .*mixtune compare"):
        load(written(file, PART, "budget: {runs: 4}\n"))


def test_who_only_looks_sees_the_first_search(file: Path) -> None:
    assert load(written(file, PART, "budget: {runs: 4}\n"), looking=True).study.search == Search("scout")


def test_a_file_with_both_parts_serves_both_commands(file: Path) -> None:
    both = written(file, PART, "search: {algorithm: random}\n", "budget: {runs: 4}\n")
    assert load(both).study.search == Search("random")
    found = load_comparison(both).comparison
    assert (load(both).study.name, found.name, len(found.contenders)) == ("duel", "duel-compare", 3)


WRONG = {
    "baseline as contender": ("scout: {}", "uniform: {}", "4: compare.searchers names 'uniform', which always takes"),
    "no such algorithm": ("scout: {}", "scuot: {}", "4: unknown algorithm 'scuot'; did you mean 'scout'"),
    "no such setting": ("scout: {}", "scout: {rat: 1}", "4: compare.searchers.scout: scout has no setting 'rat'"),
    "no expert": ("prior: uniform", "prior: expert", "prior is 'expert', but no source has a weight"),
    "same name": ("tpe late", "tpe!", "'tpe' and 'tpe!', which read the same in a study's name"),
    "no replicates": ("replicates: 3", "replicates: 0", "4: compare.replicates is 0; allowed: a number above 0"),
    "equal what": ("replicates: 3", "equal: time", "4: compare.equal is 'time'; allowed: 'flops', 'trials' or 'sec"),
    "no such key": ("replicates: 3", "repeats: 3", "4: unknown key 'repeats' in compare"),
    "not in the budget": ("replicates: 3", "equal: trials", "4: compare.equal is 'trials', so budget must say"),
    "settings that are none": ("scout: {}", "scout: 3", "compare.searchers.scout is 3; allowed: a mapping"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_with_its_line(file: Path, case: str) -> None:
    good, bad, said = WRONG[case]
    assert good in PART
    with pytest.raises(ConfigError) as error:
        load_comparison(written(file, PART.replace(good, bad), "budget: {runs: 4}\n"))
    assert said in str(error.value)
