import pytest
from scipy.stats import friedmanchisquare

from mixtune.report.comparing.ranking import ranking


def test_ranks_are_shared_by_ties_and_averaged_over_replicates() -> None:
    found = ranking({"a": {0: 0.9, 1: 0.5}, "b": {0: 0.9, 1: 0.7}, "c": {0: 0.1, 1: 0.6}})
    assert found is not None
    assert found.ranks == {"a": (1.5, 3.0), "b": (1.5, 1.0), "c": (3.0, 2.0)}
    assert found.means == {"b": 1.25, "a": 2.25, "c": 2.5}
    assert list(found.means) == ["b", "a", "c"]


def test_the_critical_difference_is_that_of_demsars_worked_example() -> None:
    # Demsar 2006, section 3.2.2: 4 classifiers on 14 data sets, q 2.569, critical difference 1.25.
    found = ranking({name: {each: float(value) for each in range(14)} for value, name in enumerate("abcd")})
    assert found is not None
    assert found.critical == pytest.approx(2.569 * (4 * 5 / (6 * 14)) ** 0.5, abs=1e-3)
    assert found.critical == pytest.approx(1.25, abs=0.005)
    assert found.apart("a", "d") and not found.apart("a", "b")


def test_friedmans_test_is_scipys_with_ties() -> None:
    table = {"a": [3.0, 2.0, 2.0, 5.0], "b": [3.0, 1.0, 4.0, 1.0], "c": [1.0, 0.5, 4.0, 2.0]}
    found = ranking({label: dict(enumerate(column)) for label, column in table.items()})
    assert found is not None
    assert found.p == pytest.approx(friedmanchisquare(*table.values()).pvalue)


def test_entrants_that_always_tie_are_surely_alike() -> None:
    found = ranking({label: {0: 0.5, 1: 0.6} for label in "abc"})
    assert found is not None
    assert (found.p, set(found.means.values())) == (1.0, {2.0})


def test_only_replicates_that_all_have_are_ranked() -> None:
    found = ranking({"a": {0: 1.0, 2: 1.0}, "b": {1: 0.0, 2: 2.0}})
    assert found is not None
    assert (found.replicates, found.ranks) == ((2,), {"a": (2.0,), "b": (1.0,)})
    assert (found.p, found.critical, found.apart("a", "b")) == (None, None, False)


@pytest.mark.parametrize("scores", [{"a": {0: 1.0}}, {"a": {0: 1.0}, "b": {1: 1.0}}])
def test_one_entrant_or_no_common_replicate_has_no_ranks(scores: dict[str, dict[int, float]]) -> None:
    assert ranking(scores) is None
