from mixtune.comparison import Equal
from mixtune.report.comparing.entrant import Entrant, Spent
from mixtune.report.comparing.evenness import LENGTHS, ONE_RECIPE, evenness_notes, given
from mixtune.search import Budget, Search
from mixtune.searchers import SEARCHERS, setting_types
from mixtune.searchers.baselines import Baseline
from mixtune.searchers.surveyed import Surveyed

THREE = Budget(runs=3)


def user(algorithm: str, *runs: float) -> Entrant:
    """A contender whose replicates used so much."""
    spent = {replicate: Spent(runs=each, seconds=10 * each, trials=4) for replicate, each in enumerate(runs)}
    return Entrant(algorithm, Search(algorithm), vain=spent)


def notes(*entrants: Entrant, equal: Equal = Equal.FLOPS, budget: Budget = THREE) -> list[str]:
    return list(evenness_notes(equal, [budget], entrants, []))


def test_a_chain_that_used_much_more_is_named_with_the_settings_that_decide() -> None:
    assert notes(user("tdro", 4.49)) == [
        "tdro used 4.49 fresh runs where 3 were given to each: its comparisons are not at equal compute; its settings "
        "length and reference_steps decide what it uses (`mixtune check` prices the first searcher of a file)"
    ]


def test_a_chain_that_used_much_less_is_named_too() -> None:
    assert notes(user("multidds", 1.68))[0].startswith("multidds used 1.68 fresh runs where 3 were given to each")
    assert "its setting length decides" in notes(user("multidds", 1.68))[0]


def test_what_counts_is_the_mean_over_replicates_and_a_tenth_is_forgiven() -> None:
    assert notes(user("tpe", 3.6, 2.6), user("random", 2.75), user("scout", 3.25)) == []


def test_who_has_whole_trials_is_told_that_more_compute_evens_it_out() -> None:
    found = notes(user("random", 1.0), budget=Budget(runs=1.4))
    assert found == [
        "random used 1 fresh run where 1.4 were given to each: its comparisons are not at equal compute; its trials "
        "are whole, so the more is given to each, the nearer it comes"
    ]


def test_a_searcher_of_one_recipe_may_use_less() -> None:
    assert notes(user("neighbours", 1.0), user("crisp", 1.0), user("temperature", 1.0)) == []


def test_the_searchers_of_one_recipe_are_those_that_exist() -> None:
    assert {name for name, found in SEARCHERS.items() if issubclass(found, Baseline | Surveyed)} == ONE_RECIPE


def test_the_settings_that_decide_are_those_that_exist() -> None:
    wanted = ("length", "reference_steps")
    found = {name: tuple(each for each in wanted if each in setting_types(SEARCHERS[name])) for name in SEARCHERS}
    assert {name: each for name, each in found.items() if each} == LENGTHS


def test_baselines_are_given_nothing() -> None:
    assert notes(Entrant("uniform", None)) == []


def test_seconds_are_said_to_depend_on_the_machine_and_are_compared_too() -> None:
    found = notes(user("random", 3.0), user("tpe", 4.0), equal=Equal.SECONDS, budget=Budget(seconds=30))
    assert found[0].startswith("seconds depend on how busy the machine was, and reused trials count with")
    assert [note.partition(":")[0] for note in found[1:]] == ["tpe used 40 seconds where 30 were given to each"]
    assert "not at equal seconds" in found[1]


def test_trials_are_compared_too() -> None:
    found = notes(user("random", 3.0), equal=Equal.TRIALS, budget=Budget(trials=9))
    assert found[0].startswith("random used 4 trials where 9 were given to each")


def test_a_chain_with_nothing_to_recommend_is_told_what_to_shorten() -> None:
    found = list(evenness_notes(Equal.FLOPS, [Budget(runs=1)], [user("tdro", 1.0, 1.0)], [("tdro", 0), ("tdro", 1)]))
    assert found == [
        "tdro found nothing to recommend within 1 fresh run in replicates 0, 1: give it more (budget.runs), or shorter "
        "length and reference_steps"
    ]


def test_nothing_is_given_alike_where_budgets_differ() -> None:
    assert given(Equal.FLOPS, [THREE, THREE]) == 3
    assert given(Equal.FLOPS, [THREE, Budget(runs=3, trials=9)]) is None
