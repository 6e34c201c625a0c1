from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtune.errors import DataError
from mixtune.preparation import Preparation
from mixtune.proxy import Final, Proxy
from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Objective, Search
from mixtune.source import Source, SourceFacts
from mixtune.space import Space
from mixtune.study import Study
from mixtune.target import Target


def study_of(rows: dict[str, int], **changes: object) -> Study:
    facts = {name: SourceFacts(count, count, 40.0, "") for name, count in rows.items()}
    study = Study(
        name="study",
        sources=tuple(Source(name, "docstrings", name) for name in rows),
        targets=(Target("t", "docstrings", "t"), Target("u", "docstrings", "u", weight=3.0)),
        search=Search("uniform"),
        budget=Budget(trials=5),
        proxy=Proxy(batch_size=10),
        final=Final(steps=100),
        preparation=Preparation("key", facts, {}, 1e12),
    )
    return replace(study, **changes)  # type: ignore[arg-type]


THREE = study_of({"a": 100, "b": 200, "c": 700})


def weigh(study: Study, **weights: float) -> None:
    sources = tuple(replace(source, weight=weights.get(source.name)) for source in study.sources)
    object.__setattr__(study, "sources", sources)


def test_a_source_of_weight_zero_is_not_usable() -> None:
    study = study_of({"a": 100, "b": 200})
    weigh(study, a=0.0)
    assert (study.names, study.rows, dict(study.proportional())) == (("b",), {"b": 200}, {"b": 1.0})


def test_an_unprepared_study_says_so() -> None:
    with pytest.raises(DataError, match="'study' has not been prepared yet: run it first"):
        _ = replace(THREE, preparation=None).rows


@pytest.mark.parametrize(("alpha", "expected"), [(0, [1 / 3] * 3), (1, [0.1, 0.2, 0.7])])
def test_temperature_goes_from_uniform_to_proportional(alpha: float, expected: list[float]) -> None:
    assert THREE.proportional(alpha).array("abc") == pytest.approx(expected)


def test_expert_weights_count_1_where_nothing_was_said() -> None:
    study = study_of({"a": 100, "b": 200, "c": 700})
    assert study.expert() is None
    weigh(study, a=2.0)
    assert study.expert() == Mixture({"a": 0.5, "b": 0.25, "c": 0.25})


def test_epochs_are_drawn_rows_over_kept_rows() -> None:
    recipe = Recipe(Mixture({"a": 0.5, "b": 0.5}), Pruning({"b": 0.25}))
    # 100 steps of 10 rows: 500 rows of a over 100, 500 of b over 50, none of c.
    assert THREE.epochs(recipe) == {"a": 5.0, "b": 10.0, "c": 0.0}


def test_the_final_batch_size_goes_before_the_proxys() -> None:
    assert THREE.final_rows == 1000
    assert replace(THREE, final=Final(steps=100, batch_size=64)).final_rows == 6400


def test_bounds_are_the_default_floor_and_no_cap() -> None:
    low, high = THREE.bounds()
    assert low.tolist() == [1e-3] * 3 and high.tolist() == [1.0] * 3


def test_bounds_follow_floors_caps_and_epochs() -> None:
    study = replace(THREE, space=Space(floor={"a": 0.05}, cap={"c": 0.5}, max_epochs=1.0))
    low, high = study.bounds()
    assert low == pytest.approx([0.05, 1e-3, 1e-3])
    assert high == pytest.approx([0.1, 0.2, 0.5])


def test_fewer_kept_rows_mean_a_lower_cap() -> None:
    _, high = replace(THREE, space=Space(max_epochs=1.0)).bounds(Pruning({"c": 0.5}))
    assert high == pytest.approx([0.1, 0.2, 0.35])


def test_a_cap_below_the_default_floor_wins() -> None:
    low, high = replace(THREE, space=Space(cap={"a": 0.0})).bounds()
    assert (low[0], high[0]) == (0.0, 0.0)


def test_the_default_floor_is_applied_by_mixing() -> None:
    weights = THREE.recipe({"a": 0.0, "b": 0.25, "c": 0.75}).mixture.array("abc")
    assert weights == pytest.approx([0.001, 0.997 * 0.25 + 0.001, 0.997 * 0.75 + 0.001])


def test_a_recipe_repeats_no_row_more_often_than_max_epochs() -> None:
    study = replace(THREE, space=Space(max_epochs=2.0))
    recipe = study.recipe({"a": 0.8, "b": 0.1, "c": 0.1})
    assert study.epochs(recipe)["a"] == pytest.approx(2.0)
    assert max(study.epochs(recipe).values()) <= 2.0 + 1e-9


def test_bounds_without_a_mixture_are_refused() -> None:
    with pytest.raises(ValueError, match="no mixture fits"):
        replace(THREE, space=Space(max_epochs=0.9)).recipe({"a": 1.0})


def test_at_most_k_sources_have_any_weight() -> None:
    study = replace(THREE, space=Space(at_most=2))
    assert study.recipe({"a": 0.5, "b": 0.2, "c": 0.3}).mixture.array("abc")[1] == 0
    assert sum(w > 0 for w in study.recipe({"a": 1.0}).mixture.values()) == 2


def test_must_include_takes_one_of_the_k_places() -> None:
    weights = replace(THREE, space=Space(at_most=2, must_include=("b",))).recipe({"a": 0.5, "b": 0.1, "c": 0.4})
    assert weights.mixture["b"] > 0.1 and weights.mixture["c"] == 0


def test_a_source_with_a_floor_takes_one_of_the_k_places() -> None:
    weights = replace(THREE, space=Space(at_most=2, floor={"b": 0.2})).recipe({"a": 0.6, "b": 0.0, "c": 0.4}).mixture
    assert weights.array("abc") == pytest.approx([0.8, 0.2, 0.0])


def test_a_floor_for_more_than_k_sources_holds_for_those_that_are_chosen() -> None:
    space = Space(at_most=2, floor={"a": 0.2, "b": 0.2, "c": 0.2})
    weights = replace(THREE, space=space).recipe({"a": 0.9, "b": 0.01, "c": 0.09}).mixture
    assert weights.array("abc") == pytest.approx([0.8, 0.0, 0.2])


def test_at_most_k_works_where_the_heaviest_sources_are_capped() -> None:
    study = replace(THREE, space=Space(at_most=2, max_epochs=1.2))
    # Caps are .12, .24 and .84: a is the heaviest, but only b and c can make 1 together.
    weights = study.recipe({"a": 0.5, "b": 0.4, "c": 0.1}).mixture.array("abc")
    assert weights == pytest.approx([0.0, 0.24, 0.76])


def test_at_most_k_sources_that_cannot_make_a_mixture_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the caps of 2 sources sum to 0\.9 at most; allow more"):
        replace(THREE, space=Space(at_most=2, max_epochs=1.0)).recipe({"a": 1.0})


@pytest.mark.parametrize(
    ("space", "broken"),
    [
        (Space(), ()),
        (Space(cap={"a": 0.3, "b": 0.5}), ("a 0.41 above its cap 0.3",)),
        (Space(floor={"b": 0.3, "c": 0.25}), ("c 0.2 below its floor 0.25",)),
        (Space(at_most=2), ("3 sources have weight, 2 may",)),
        # 1000 rows of the final training: .41 are 4.1 passes over the 100 of a.
        (Space(max_epochs=2.0), ("a 4.1 epochs above max_epochs 2",)),
        (
            Space(cap={"a": 0.1}, floor={"c": 0.5}, at_most=1),
            ("3 sources have weight, 1 may", "a 0.41 above its cap 0.1", "c 0.2 below its floor 0.5"),
        ),
    ],
)
def test_the_bounds_that_a_recipe_breaks_are_named(space: Space, broken: tuple[str, ...]) -> None:
    recipe = Recipe(Mixture({"a": 0.41, "b": 0.39, "c": 0.2}))
    assert replace(THREE, space=space).broken_bounds(recipe) == broken


def test_a_source_that_must_be_included_and_has_no_weight_is_named() -> None:
    study = replace(THREE, space=Space(must_include=("c",)))
    assert study.broken_bounds(Recipe(Mixture({"a": 0.5, "b": 0.5}))) == ("c has no weight, but must",)


def test_a_floor_of_a_source_that_is_not_among_the_chosen_is_not_broken() -> None:
    study = replace(THREE, space=Space(at_most=2, floor={"a": 0.2, "b": 0.2, "c": 0.2}))
    assert study.broken_bounds(Recipe(Mixture({"a": 0.8, "c": 0.2}))) == ()


def test_fewer_kept_rows_break_a_limit_of_epochs() -> None:
    study = replace(THREE, space=Space(max_epochs=2.0))
    mixture = Mixture({"a": 0.1, "b": 0.1, "c": 0.8})
    assert study.broken_bounds(Recipe(mixture)) == ()
    assert study.broken_bounds(Recipe(mixture, Pruning({"c": 0.5}))) == ("c 2.29 epochs above max_epochs 2",)


@given(st.sampled_from([2, 25, 1000]), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_every_recipe_lies_in_the_space(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [f"s{index}" for index in range(size)]
    capped = rng.choice(names, size // 3, replace=False)
    space = Space(
        floor={names[0]: 0.3 / size} if rng.random() < 0.5 else {},
        cap={str(name): float(rng.uniform(0, 2 / size)) for name in capped},
        at_most=int(rng.integers(max(1, size // 2), size + 1)),
        must_include=(names[0],),
    )
    study = study_of({name: int(rng.integers(1, 5000)) for name in names}, space=space)
    weights = dict(zip(names, rng.dirichlet(np.full(size, 0.3)).tolist(), strict=True))
    found = study.recipe(weights).mixture.array(names)
    low, high = study.bounds()
    assert found.sum() == pytest.approx(1) and (found <= high + 1e-9).all()
    assert (found > 0).sum() <= (space.at_most or size)
    assert found[0] > 0 and ((found >= low - 1e-9) | (found == 0)).all()


def test_the_objective_weighs_targets_as_asked() -> None:
    metrics = {"t": {"ndcg@10": 0.2}, "u": {"ndcg@10": 0.6}}
    scores = {
        kind: replace(THREE, objective=Objective(aggregate=kind)).score(metrics)
        for kind in ("weighted", "macro", "worst")
    }
    assert scores == pytest.approx({"weighted": 0.5, "macro": 0.4, "worst": 0.2})


def test_an_objective_without_its_metric_is_refused() -> None:
    with pytest.raises(KeyError, match="ndcg@10"):
        THREE.score({"t": {}, "u": {}})


def test_seeds_differ_between_numbers_replicates_and_studies() -> None:
    seeds = [replace(THREE, seed=seed).trial_seed(number) for seed in range(3) for number in range(500)]
    seeds += [replace(THREE, seed=seed).judging_seed(replicate) for seed in range(3) for replicate in range(20)]
    assert len(set(seeds)) == len(seeds)


def test_generators_differ_between_numbers_and_from_what_the_trial_draws() -> None:
    draws = [THREE.rng(number).random() for number in range(100)]
    draws += [np.random.default_rng(THREE.trial_seed(number)).random() for number in range(100)]
    assert len(set(draws)) == len(draws)


def test_seeds_do_not_depend_on_the_name() -> None:
    other = replace(THREE, name="other")
    assert (other.trial_seed(3), other.judging_seed(1)) == (THREE.trial_seed(3), THREE.judging_seed(1))
    assert other.rng(3).random() == THREE.rng(3).random()
