from dataclasses import replace

import pytest
from ledger import STUDY

from mixtune.measurement import Measurement
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.report.panels.nearoptimal import (
    NearOptimal,
    evidence,
    near_optimal,
    near_optimal_document,
    near_optimal_sheet,
    what_to_do,
)
from mixtune.report.preference import Preference
from mixtune.source import Source, SourceFacts
from mixtune.space import Space
from mixtune.study import Study
from mixtune.trial import Trial, TrialState

TOKENS = {"a": 10.0, "b": 20.0, "c": 90.0, "d": 40.0}


def four(space: Space | None = None) -> Study:
    """Sources a to d with 300, 100, 100 and 500 rows and TOKENS; batches of 32 rows."""
    rows = {"a": 300, "b": 100, "c": 100, "d": 500}
    facts = {name: SourceFacts(count, count, TOKENS[name], "") for name, count in rows.items()}
    sources = tuple(Source(name, "docstrings", name) for name in rows)
    return replace(STUDY, sources=sources, space=space or Space(), preparation=replace(STUDY.prepared, sources=facts))


def recipe(a: float, b: float, c: float, d: float) -> Recipe:
    return Recipe(Mixture({"a": a, "b": b, "c": c, "d": d}))


BEST = recipe(0.5, 0.3, 0.1, 0.1)
SPARSE = recipe(0.5, 0.495, 0.005, 0.0)
PROPORTIONAL = recipe(0.3, 0.1, 0.1, 0.5)
NEARLY = recipe(0.35, 0.12, 0.1, 0.43)
CHEAP = recipe(0.97, 0.01, 0.01, 0.01)
WORSE = recipe(0.0, 0.0, 1.0, 0.0)


class Notebook:
    """Trials by hand, each with a seed of its own."""

    def __init__(self) -> None:
        self.trials: list[Trial] = []

    def ran(self, role: Role, made: Recipe, *scores: float, steps: int = 10) -> None:
        for score in scores:
            number = len(self.trials)
            proposal = Proposal(made, steps, role, replicate=number)
            self.trials.append(
                Trial(number, proposal, number, state=TrialState.COMPLETE, measurement=Measurement(score=score))
            )


@pytest.fixture
def book() -> Notebook:
    """The noise is .02 with two degrees of freedom; so .0861 tells one run from three, .0608 means of two, of three."""
    book = Notebook()
    book.ran(Role.ANCHOR, PROPORTIONAL, 0.50, 0.50)
    book.ran(Role.SEARCH, BEST, 0.70)
    book.ran(Role.SEARCH, SPARSE, 0.55)
    book.ran(Role.SEARCH, NEARLY, 0.58)
    book.ran(Role.SEARCH, CHEAP, 0.53)
    book.ran(Role.SEARCH, WORSE, 0.40)
    book.ran(Role.RERUN, BEST, 0.60, 0.62, 0.58)
    return book


def found(book: Notebook, study: Study | None = None) -> NearOptimal:
    near = near_optimal(study or four(), book.trials, BEST)
    assert near is not None
    return near


def test_the_interval_is_students_with_the_pooled_noise_and_the_runs_of_both(book: Notebook) -> None:
    # Squares within recipes: 0 of proportional's two runs, .0008 of the best's three; three degrees of freedom.
    near = found(book)
    sparse = near.preferred(Preference.SPARSE)
    noise = (0.0008 / 3) ** 0.5
    assert near.noise == pytest.approx(noise) and near.freedom == 3
    assert sparse.difference == pytest.approx(-0.05)
    assert sparse.high - sparse.difference == pytest.approx(3.18245 * noise * (1 + 1 / 3) ** 0.5, rel=1e-4)


def test_recipes_that_are_worse_by_more_than_noise_are_not_in_the_set(book: Notebook) -> None:
    # The half width is .0600 for a single run against three and .0474 for two.
    near = found(book)
    assert [member.recipe for member in near.members] == [BEST, NEARLY, SPARSE]
    assert near.compared == 6


def test_the_best_counts_by_its_new_runs_and_not_by_the_one_that_chose_it(book: Notebook) -> None:
    near = found(book)
    assert near.best.score == pytest.approx(0.60) and not near.chosen_on
    assert near.best.trials == (7, 8, 9)


def test_a_best_that_has_not_run_again_says_so(book: Notebook) -> None:
    book.trials = book.trials[:7]
    book.ran(Role.ANCHOR, WORSE, 0.40, 0.44)
    near = found(book)
    assert near.chosen_on and near.best.score == 0.70
    assert "too small" in " ".join(near_optimal_sheet(near).lines)


def test_a_finalist_counts_by_its_runs_as_a_finalist(book: Notebook) -> None:
    book.ran(Role.FINALIST, NEARLY, 0.50, 0.52)
    assert NEARLY not in [member.recipe for member in found(book).members]


def test_sparsest_nearest_and_cheapest_by_hand(book: Notebook) -> None:
    book.ran(Role.SEARCH, CHEAP, 0.60)
    near = found(book)
    assert near.preferred(Preference.SPARSE).recipe == SPARSE  # of CHEAP's weights all are 1 % or more
    assert near.preferred(Preference.PROPORTIONAL).recipe == NEARLY
    assert near.preferred(Preference.PROPORTIONAL).apart == pytest.approx(0.07)
    cheap = near.preferred(Preference.CHEAP)
    assert cheap.recipe == CHEAP
    assert cheap.tokens == pytest.approx(32 * (0.97 * 10 + 0.2 + 0.9 + 0.4))


def test_of_equally_many_sources_the_less_even_is_the_sparser(book: Notebook) -> None:
    book.ran(Role.SEARCH, recipe(0.9, 0.1, 0.0, 0.0), 0.60)
    assert found(book).preferred(Preference.SPARSE).recipe == recipe(0.9, 0.1, 0.0, 0.0)


def test_sources_that_the_sparsest_lacks_can_go(book: Notebook) -> None:
    near = found(book)
    assert near.preferred(Preference.SPARSE).sources == 2
    assert near.dispensable == ("c", "d")
    said = near_optimal_sheet(near).lines[1]
    assert (
        "can go at no measurable cost (it is at most 0.1100, by 1 run of the sparse recipe as a whole): c, d." in said
    )


def test_weights_range_over_the_set(book: Notebook) -> None:
    assert found(book).weights == {"a": (0.35, 0.5), "b": (0.12, 0.495), "c": (0.005, 0.1), "d": (0.0, 0.43)}


def test_recipes_that_the_space_does_not_allow_are_left_out(book: Notebook) -> None:
    near = found(book, four(Space(cap={"b": 0.4})))
    assert SPARSE not in [member.recipe for member in near.members] and near.compared == 5


def test_runs_of_another_length_do_not_count(book: Notebook) -> None:
    book.ran(Role.SEARCH, recipe(0.9, 0.1, 0.0, 0.0), 0.60, steps=9)
    assert found(book).compared == 6


def test_without_a_second_run_of_anything_the_set_is_the_best_and_says_why() -> None:
    book = Notebook()
    book.ran(Role.SEARCH, BEST, 0.6)
    book.ran(Role.SEARCH, SPARSE, 0.6)
    near = found(book)
    assert [member.recipe for member in near.members] == [BEST] and near.noise is None
    assert "final: {seeds: 3}" in what_to_do(near)
    assert "final: {seeds: 3}" in evidence(near, Preference.SPARSE)


def test_there_is_no_set_before_the_recommendation_has_run(book: Notebook) -> None:
    assert near_optimal(four(), book.trials, None) is None
    assert near_optimal(four(), book.trials, recipe(1.0, 0.0, 0.0, 0.0)) is None


def test_evidence_names_difference_interval_and_runs(book: Notebook) -> None:
    said = evidence(found(book), Preference.SPARSE)
    assert "dev ndcg@10 -0.0500, 95 % interval [-0.1100, +0.0100], on 1 run against 3 runs" in said
    assert "2 sources above 1% (best: 4)" in said


def test_the_document_points_at_the_preferred_members(book: Notebook) -> None:
    near = found(book)
    told = near_optimal_document(four(), near)
    assert told["preferred"] == {"sparse": 2, "proportional": 1, "cheap": 2}
    assert isinstance(told["members"], list) and len(told["members"]) == 3


def test_recipes_that_no_run_tells_apart_are_one_by_the_runs_of_all(book: Notebook) -> None:
    before = found(book)
    book.ran(Role.SEARCH, recipe(0.50001, 0.49499, 0.005, 0.0), 0.57)
    after = found(book)
    assert (after.compared, len(after.members)) == (before.compared, len(before.members))
    assert len(after.preferred(Preference.SPARSE).trials) == 2


def test_of_recipes_with_as_many_sources_the_best_is_the_sparsest(book: Notebook) -> None:
    book.trials = [trial for trial in book.trials if trial.proposal.recipe not in (SPARSE, CHEAP)]
    near = found(book)
    assert near.preferred(Preference.SPARSE) is near.best and not near.dispensable


def test_where_noise_is_not_known_nothing_is_said_to_be_within_it() -> None:
    book = Notebook()
    book.ran(Role.SEARCH, BEST, 0.7)
    book.ran(Role.SEARCH, SPARSE, 0.69)
    (line,) = near_optimal_sheet(found(book)).lines[-1:]
    assert "What seeds do is not known" in line
    assert not any("cannot be told" in said for said in near_optimal_sheet(found(book)).lines)


def test_a_member_as_json_has_the_whole_recipe(book: Notebook) -> None:
    (member, *_) = near_optimal_document(four(), found(book))["members"]  # type: ignore[misc]
    assert {"weights", "pruning", "schedule", "batching", "keep_least", "options"} <= set(member)  # type: ignore[arg-type]
