from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from planted import World, explore, finish, planted_study, recommended, survey

from mixtune.errors import ConfigError, NotReady, SearchExhausted
from mixtune.measurement import Influence, Measurement
from mixtune.policies import softmax
from mixtune.proposal import Proposal, Role
from mixtune.recipe import FloatArray
from mixtune.searchers.chain import left_after
from mixtune.searchers.infdds import InfDDS
from mixtune.source import SourceFacts
from mixtune.space import Space
from mixtune.study import Study
from mixtune.trial import Trial, TrialState


def answered(study: Study, proposal: Proposal, number: int, gains: dict[str, float], error: float = 0.0) -> Trial:
    """A complete round in which each probed source had the given influence on every target."""
    assert proposal.probe is not None
    influence = {name: Influence(gains[name], error) for name in proposal.probe.sources if name in gains}
    measurement = Measurement(influence=influence, checkpoint="here")
    return Trial(number, proposal, study.trial_seed(number), state=TrialState.COMPLETE, measurement=measurement)


def rounds(searcher: InfDDS, study: Study, gains: dict[str, float], count: int) -> list[Trial]:
    trials: list[Trial] = []
    state = searcher.start(study)
    for number in range(count):
        trials.append(answered(study, searcher.propose(state, study, study.rng(number)), number, gains))
        state = searcher.update(state, study, trials[-1])
    return trials


def weights(searcher: InfDDS, study: Study, trials: list[Trial]) -> FloatArray:
    return searcher.fold(study, trials).weights


def test_the_first_round_only_probes_from_the_base_model_at_the_prior() -> None:
    study = planted_study(3)
    proposal = InfDDS().suggest(study, [survey(study)], study.rng(1))
    assert (proposal.role, proposal.parent, proposal.steps, proposal.horizon) == (Role.ROUND, None, 0, None)
    expected = study.recipe(study.proportional()).mixture.array(study.names)
    assert proposal.recipe.mixture.array(study.names) == pytest.approx(expected)


def test_each_round_continues_the_last_complete_one() -> None:
    trials = explore(InfDDS(steps=7), World(planted_study(3)), 4)[1:]
    assert [trial.proposal.parent for trial in trials] == [None, 1, 2, 3]
    assert [trial.proposal.steps for trial in trials] == [0, 7, 7, 7]


def test_after_a_failed_round_the_chain_goes_on_from_the_last_complete_one() -> None:
    study = planted_study(20)
    trials = explore(InfDDS(), World(study), 3)
    failed = [*trials[:-1], replace(trials[-1], state=TrialState.FAILED, measurement=None)]
    proposal = InfDDS().suggest(study, failed, study.rng(4))
    assert proposal.parent == 2
    assert proposal.recipe == failed[-1].proposal.recipe
    assert proposal.probe != failed[-1].proposal.probe


def test_a_failed_first_round_is_followed_by_a_first_round() -> None:
    study = planted_study(3)
    failed = replace(explore(InfDDS(), World(study), 1)[1], state=TrialState.FAILED, measurement=None)
    proposal = InfDDS().suggest(study, [failed], study.rng(2))
    assert (proposal.parent, proposal.steps) == (None, 0)


@pytest.mark.parametrize(
    ("sources", "asked", "expected"), [(3, None, 3), (20, None, 8), (20, 5, 5), (3, 5, 3), (1, 1, 1)]
)
def test_that_many_sources_are_probed_and_none_twice(sources: int, asked: int | None, expected: int) -> None:
    study = planted_study(sources, targets=1)
    for trial in explore(InfDDS(probes=asked), World(study), 10)[1:]:
        assert trial.proposal.probe is not None
        assert len(set(trial.proposal.probe.sources)) == len(trial.proposal.probe.sources) == expected


@pytest.mark.parametrize(("sources", "asked"), [(25, 8), (10, 3), (7, 5), (200, 8)])
def test_probes_go_round_all_sources_before_any_comes_again(sources: int, asked: int) -> None:
    study = planted_study(sources)
    seen: Counter[str] = Counter(dict.fromkeys(study.names, 0))
    for trial in explore(InfDDS(probes=asked), World(study), 60)[1:]:
        assert trial.proposal.probe is not None
        seen.update(trial.proposal.probe.sources)
        assert max(seen.values()) - min(seen.values()) <= 1


def test_the_cycle_is_shuffled_anew() -> None:
    trials = explore(InfDDS(probes=4), World(planted_study(8)), 4)[1:]
    first, second, third, fourth = (trial.proposal.probe.sources for trial in trials if trial.proposal.probe)
    assert first + second != third + fourth


def test_a_cycle_that_ends_inside_a_round_begins_anew_without_what_the_round_took() -> None:
    assert left_after(frozenset("ab"), ("a", "b", "c"), "abcd") == frozenset("abd")
    assert left_after(frozenset("ab"), ("a",), "abcd") == frozenset("b")
    assert left_after(frozenset("ab"), ("b", "a"), "abcd") == frozenset("abcd")


def test_sources_with_fewer_than_two_pairs_are_not_probed() -> None:
    study = planted_study(3)
    facts = dict(study.prepared.sources) | {"s1": SourceFacts(1, 1, 40.0, "")}
    study = replace(study, preparation=replace(study.prepared, sources=facts))
    proposal = InfDDS().suggest(study, [], study.rng(0))
    assert proposal.probe is not None and set(proposal.probe.sources) == {"s0", "s2"}


def test_with_nothing_to_probe_the_search_is_exhausted() -> None:
    study = planted_study(2)
    facts = dict.fromkeys(study.names, SourceFacts(1, 1, 40.0, ""))
    study = replace(study, preparation=replace(study.prepared, sources=facts))
    with pytest.raises(SearchExhausted, match="at least 2 pairs"):
        InfDDS().suggest(study, [], study.rng(0))


@pytest.mark.parametrize(
    ("prior", "expected"), [("proportional", [2, 3, 4]), ("uniform", [1, 1, 1]), ("expert", [1, 2, 3])]
)
def test_the_start_is_the_prior_asked_for(prior: str, expected: list[int]) -> None:
    study = planted_study(3)  # 100, 150 and 200 rows, expert weights 1, 2 and 3
    searcher = InfDDS(prior=prior)  # type: ignore[arg-type]
    assert weights(searcher, study, []) == pytest.approx(np.array(expected) / sum(expected))
    first = searcher.suggest(study, [], study.rng(0)).recipe.mixture.array(study.names)
    assert first == pytest.approx(0.997 * np.array(expected) / sum(expected) + 0.001)


@pytest.mark.parametrize(
    "gains",
    [
        {"s0": 0.3, "s1": 0.2, "s2": 0.1},
        {"s0": -0.1, "s1": -0.2, "s2": -0.3},
        {"s0": 7.3, "s1": 7.2, "s2": 7.1},
        {"s0": 0.03, "s1": 0.02, "s2": 0.01},
    ],
)
def test_kl_settles_at_the_same_weights_whatever_sign_shift_and_scale_influences_have(gains: dict[str, float]) -> None:
    study = planted_study(3)
    expected = softmax(np.log(study.proportional().array(study.names)) + 1.5 * np.sqrt(1.5) * np.array([1, 0, -1]))
    assert weights(
        InfDDS(beta=1.5, fade=0.0), study, rounds(InfDDS(beta=1.5, fade=0.0), study, gains, 4)
    ) == pytest.approx(expected)


def test_kl_forgets_what_influences_once_were() -> None:
    study = planted_study(3)
    searcher, gains = InfDDS(), {"s0": 0.3, "s1": 0.2, "s2": 0.1}
    trials = rounds(searcher, study, {"s0": -9.0, "s1": 0.0, "s2": 9.0}, 3)
    state = searcher.fold(study, trials)
    for number in range(3, 80):
        trial = answered(study, searcher.propose(state, study, study.rng(number)), number, gains)
        state = searcher.update(state, study, trial)
    assert state.weights == pytest.approx(weights(searcher, study, rounds(searcher, study, gains, 3)), abs=1e-4)


def test_reinforce_in_expectation_ends_on_the_best_source() -> None:
    study = planted_study(4)
    searcher = InfDDS(policy="reinforce_expected", prior="uniform")
    gains = {"s0": 0.5, "s1": 0.3, "s2": 0.1, "s3": 0.1}
    path = [weights(searcher, study, rounds(searcher, study, gains, count))[0] for count in (0, 50, 400)]
    assert path[0] == pytest.approx(0.25) and path == sorted(path) and path[-1] > 0.95


def test_kl_settles_at_the_prior_times_exp_beta_z() -> None:
    study = planted_study(3)
    trials = rounds(InfDDS(beta=1.5, fade=0.0), study, {"s0": 0.3, "s1": 0.2, "s2": 0.1}, 5)
    z = np.sqrt(1.5) * np.array([1, 0, -1])
    prior = study.proportional().array(study.names)
    assert weights(InfDDS(beta=1.5, fade=0.0), study, trials) == pytest.approx(softmax(np.log(prior) + 1.5 * z))


def test_influences_are_averaged_over_rounds() -> None:
    study = planted_study(2, targets=1)
    trials = rounds(InfDDS(), study, {"s0": 1.0, "s1": 0.0}, 1)
    proposal = InfDDS().suggest(study, trials, study.rng(1))
    trials.append(answered(study, proposal, 1, {"s0": 0.0, "s1": 0.0}))
    notes = InfDDS().suggest(study, trials, study.rng(2)).notes
    assert notes["influence"] == pytest.approx([0.7, 0.0])
    assert notes["visits"] == [2, 2]


def after_one_round(searcher: InfDDS, gains: dict[str, float], error: float) -> np.ndarray:
    study = planted_study(len(gains), targets=1)
    first = searcher.suggest(study, [], study.rng(0))
    return weights(searcher, study, [answered(study, first, 0, gains, error)])


def test_noise_of_the_size_of_the_differences_damps_them() -> None:
    sharp, dull = (after_one_round(InfDDS(), {"s0": 0.2, "s1": 0.1}, error) for error in (0.0, 0.5))
    prior = 0.4  # 100 and 150 rows
    assert sharp[0] > 0.9 and prior < dull[0] < prior + 0.15


def test_the_prior_fades_as_far_as_the_influences_are_clear() -> None:
    gains = {"s0": 0.1, "s1": 0.3, "s2": 0.2}  # 100, 150 and 200 rows
    variance = np.var([0.1, 0.3, 0.2])
    z = np.sqrt(1.5) * np.array([-1, 1, 0])
    for fade, error in ((1.0, 0.0), (0.5, 0.0), (1.0, 0.03), (0.0, 0.0)):
        left = 1 - fade * (1 - error**2 / variance)
        found = after_one_round(InfDDS(beta=1.0, fade=fade), gains, error)
        assert found == pytest.approx(softmax(left * np.log([2, 3, 4]) + z)), (fade, error)


def test_the_prior_stays_until_every_source_has_been_probed() -> None:
    study = planted_study(4, targets=1)
    searcher = InfDDS(probes=2)
    path = [
        weights(searcher, study, rounds(searcher, study, {"s0": 0.4, "s1": 0.3, "s2": 0.2, "s3": 0.1}, count))
        for count in (1, 2)
    ]
    prior = study.proportional().array(study.names)
    probed = searcher.suggest(study, [], study.rng(0)).probe
    assert probed is not None
    others = [index for index, name in enumerate(study.names) if name not in probed.sources]
    assert path[0][others[0]] / path[0][others[1]] == pytest.approx(prior[others[0]] / prior[others[1]])
    assert path[1].tolist() == sorted(path[1], reverse=True)


def test_a_probe_takes_a_fifteenth_of_a_fresh_run_and_a_sample_of_dev() -> None:
    study = planted_study(3)
    study = replace(study, proxy=replace(study.proxy, steps=300))
    probe = InfDDS().suggest(study, [], study.rng(0)).probe
    assert probe is not None and (probe.steps, probe.queries, probe.negatives) == (20, 48, 48)
    whole = InfDDS(queries=None, probe_steps=2).suggest(study, [], study.rng(0)).probe
    assert whole is not None and (whole.steps, whole.queries, whole.negatives) == (2, None, 0)


def test_progress_is_scored_in_every_so_manieth_round() -> None:
    study, searcher = planted_study(3), InfDDS(score_every=3)
    trials = rounds(searcher, study, {"s0": 0.3, "s1": 0.2, "s2": 0.1}, 7)
    assert [trial.proposal.scored for trial in trials] == [False, False, True, False, False, True, False]


def test_reinforce_works_on_influences_divided_by_their_mean_size() -> None:
    study = planted_study(4)
    gains = {"s0": 0.05, "s1": 0.03, "s2": 0.01, "s3": 0.01}
    searcher = InfDDS(policy="reinforce_sum", prior="uniform")
    assert weights(searcher, study, rounds(searcher, study, gains, 300)) == pytest.approx(
        [0.5, 0.3, 0.1, 0.1], abs=1e-3
    )
    first = weights(searcher, study, rounds(searcher, study, gains, 1))
    # R = I / .025 = 2, 1.2, .4, .4, their sum 4, all weights 1/4.
    assert first == pytest.approx(softmax(0.1 * (np.array([2.0, 1.2, 0.4, 0.4]) - 1.0)))
    doubled = {name: 2 * gain for name, gain in gains.items()}
    expected = weights(searcher, study, rounds(searcher, study, gains, 3))
    assert weights(searcher, study, rounds(searcher, study, doubled, 3)) == pytest.approx(expected)


def test_exponential_adds_gamma_times_the_standardised_influence() -> None:
    study = planted_study(2)
    searcher = InfDDS(policy="exponential", prior="uniform", gamma=0.2)
    found = weights(searcher, study, rounds(searcher, study, {"s0": 0.3, "s1": 0.1}, 3))
    assert found == pytest.approx(softmax([0.6, -0.6]))


@pytest.mark.parametrize("policy", ["reinforce_sum", "reinforce_expected"])
def test_a_step_without_gain_is_skipped_and_recorded(policy: str) -> None:
    study = planted_study(2)
    searcher = InfDDS(policy=policy)  # type: ignore[arg-type]
    trials = rounds(searcher, study, {"s0": -0.3, "s1": 0.1}, 1)
    proposal = searcher.suggest(study, trials, study.rng(1))
    assert proposal.notes["skipped"] is True
    assert proposal.recipe == trials[0].proposal.recipe


def test_an_influence_that_is_lost_is_left_out_and_recorded() -> None:
    study = planted_study(3)
    proposal = InfDDS().suggest(study, [], study.rng(0))
    trial = answered(study, proposal, 0, {"s0": 0.3, "s1": float("nan"), "s2": 0.1})
    notes = InfDDS().suggest(study, [trial], study.rng(1)).notes
    assert notes["dropped"] == ["s1"]
    assert notes["visits"] == [1, 0, 1]
    assert notes["z"] == [1.0, None, -1.0]
    assert notes["influence"] == [0.3, None, 0.1]


def test_a_round_whose_influences_are_all_lost_keeps_the_weights_and_the_chain() -> None:
    study = planted_study(3)
    trial = answered(study, InfDDS().suggest(study, [], study.rng(0)), 0, {})
    proposal = InfDDS().suggest(study, [trial], study.rng(1))
    assert (proposal.parent, proposal.recipe, proposal.notes["skipped"]) == (0, trial.proposal.recipe, True)
    assert proposal.notes["dropped"] == list(trial.proposal.probe.sources if trial.proposal.probe else ())


def test_notes_hold_the_weights_before_floors() -> None:
    study = planted_study(3, space=Space(floor={"s0": 0.5}))
    proposal = InfDDS().suggest(study, [], study.rng(0))
    assert proposal.notes["weights"] == pytest.approx(study.proportional().array(study.names))
    assert proposal.recipe.mixture["s0"] == pytest.approx(0.5)


def test_a_softmax_merge_takes_its_temperature_from_earlier_rounds() -> None:
    study = planted_study(2)
    searcher = InfDDS(reptile="softmax")
    first, second = rounds(searcher, study, {"s0": 0.3, "s1": 0.1}, 2)
    assert first.proposal.probe is not None and first.proposal.probe.temperature is None
    assert second.proposal.probe is not None and second.proposal.probe.temperature == pytest.approx(0.1)


def test_a_linear_merge_has_no_temperature() -> None:
    trials = rounds(InfDDS(), planted_study(2), {"s0": 0.3, "s1": 0.1}, 2)
    assert [trial.proposal.probe.temperature for trial in trials if trial.proposal.probe] == [None, None]


def test_a_keep_level_without_a_choice_is_held_and_not_probed() -> None:
    study = planted_study(3, space=Space(levels={"s0": (0.5,)}))
    trials = explore(InfDDS(), World(study), 3)
    recipes = [trial.proposal.recipe for trial in trials[1:]] + [InfDDS().recommend(study, trials)]
    assert all(dict(recipe.pruning.kept) == {"s0": 0.5} for recipe in recipes)
    assert all(trial.proposal.probe.levels == () for trial in trials[1:] if trial.proposal.probe)
    assert all("arms" not in trial.proposal.notes for trial in trials[1:])


def test_the_recommendation_is_the_mean_over_the_last_half_of_the_rounds() -> None:
    study = planted_study(3)
    searcher = InfDDS(policy="exponential")
    trials = rounds(searcher, study, {"s0": 0.3, "s1": 0.2, "s2": 0.1}, 5)
    path = [weights(searcher, study, trials[:length]) for length in (3, 4, 5)]
    expected = study.recipe(dict(zip(study.names, np.mean(path, axis=0).tolist(), strict=True)))
    found = searcher.recommend(study, trials).mixture.array(study.names)
    assert found == pytest.approx(expected.mixture.array(study.names))


def test_without_a_complete_round_there_is_nothing_to_recommend() -> None:
    study = planted_study(3)
    with pytest.raises(SearchExhausted, match="let at least one finish"):
        InfDDS().recommend(study, [survey(study)])


def test_an_expert_prior_without_weights_is_refused() -> None:
    study = planted_study(2)
    study = replace(study, sources=tuple(replace(source, weight=None) for source in study.sources))
    with pytest.raises(ConfigError, match="no source has a weight"):
        InfDDS(prior="expert").suggest(study, [], study.rng(0))


def test_a_running_round_is_waited_for() -> None:
    study = planted_study(3)
    running = Trial(4, InfDDS().suggest(study, [], study.rng(0)), seed=1, state=TrialState.RUNNING)
    with pytest.raises(NotReady, match="trial 4"):
        InfDDS().suggest(study, [running], study.rng(5))


@pytest.mark.parametrize("policy", ["kl", "exponential"])
def test_the_homes_of_the_targets_are_found(policy: str) -> None:
    world = World(planted_study(12, targets=3), noise=0.02)
    searcher = InfDDS(policy=policy)  # type: ignore[arg-type]
    before = world.study.proportional()
    after = recommended(searcher, world, 30)
    ranked = sorted(after, key=lambda name: -after[name] / before[name])
    assert set(ranked[:3]) == {"s0", "s1", "s2"}
    assert sum(after[name] for name in ranked[:3]) > 2 * sum(before[name] for name in ranked[:3])
    assert world.value(InfDDS().recommend(world.study, explore(searcher, world, 30))) > world.value(
        world.study.recipe(before)
    )


def test_a_source_that_harms_is_turned_down() -> None:
    study = planted_study(6)
    gains = dict.fromkeys(study.names, 0.1) | {"s5": -0.2}
    found = weights(InfDDS(), study, rounds(InfDDS(), study, gains, 6))
    assert found[5] < 0.1 * study.proportional()["s5"]


def test_one_source_and_a_thousand_sources_can_be_searched() -> None:
    for count in (1, 2, 1000):
        study = planted_study(count, targets=1)
        trials = explore(InfDDS(), World(study, noise=0.01), 3)
        assert len(trials) == 4
        assert sum(InfDDS().recommend(study, trials).mixture.values()) == pytest.approx(1)


def test_a_finished_trial_is_one_update() -> None:
    study = planted_study(3)
    trials = explore(InfDDS(), World(study), 3)
    state = InfDDS().fold(study, trials[:-1])
    state = InfDDS().update(state, study, trials[-1])
    assert (state.weights == InfDDS().fold(study, trials).weights).all()
    assert finish(World(study), InfDDS().propose(state, study, study.rng(4)), 4).proposal.parent == 3


def test_a_source_that_cannot_be_probed_keeps_no_prior_from_fading() -> None:
    gains = {"s0": 0.3, "s1": 0.2, "s2": 0.1}
    study = planted_study(3, targets=1)
    capped = planted_study(4, targets=1, space=Space(cap={"s3": 0.0}))
    of_three = weights(InfDDS(), study, rounds(InfDDS(), study, gains, 2))
    of_four = weights(InfDDS(), capped, rounds(InfDDS(), capped, gains, 2))[:3]
    assert of_four / of_four.sum() == pytest.approx(of_three)


def test_an_influence_whose_error_on_a_target_is_not_finite_is_left_out() -> None:
    study = planted_study(2, targets=1)
    trial = rounds(InfDDS(), study, {"s0": 0.2, "s1": 0.1}, 1)[0]
    assert trial.measurement is not None
    broken = Influence(0.2, 0.1, {"t0": 0.2}, {"t0": float("nan")})
    influence = {**trial.measurement.influence, "s0": broken}
    state = InfDDS().fold(study, [replace(trial, measurement=replace(trial.measurement, influence=influence))])
    assert state.dropped == ("s0",)
    assert np.isfinite(state.weights).all()


def test_errors_fall_where_rounds_draw_their_dev_queries_and_stay_where_they_share_them() -> None:
    study = planted_study(2, targets=1)
    facts = {name: replace(found, dev_queries=200) for name, found in study.prepared.targets.items()}
    study = replace(study, preparation=replace(study.prepared, targets=facts))
    common = 48 / 140  # influence is measured on 140 of the dev queries, 48 a round
    fallen = np.sqrt(0.7**2 + 0.3**2 + 2 * 0.7 * 0.3 * common)
    for searcher, left in ((InfDDS(), fallen), (InfDDS(queries=None), 1.0), (InfDDS(queries=140), 1.0)):
        trials: list[Trial] = []
        for number in range(2):
            proposal = searcher.suggest(study, trials, study.rng(number))
            trials.append(answered(study, proposal, number, {"s0": 0.2, "s1": 0.1}, error=0.04))
        assert searcher.fold(study, trials).error == pytest.approx(np.full((2, 1), 0.04 * left))


def idle_ratios(searcher: InfDDS, noise: float, count: int, seed: int = 0) -> tuple[FloatArray, float]:
    """Log ratio of the weights of two sources of no effect after each of so many rounds, and that of their prior.

    Of eight sources s0 and s1 help; s2 (200 rows) and s7 (450) do nothing.
    """
    world = World(planted_study(8, targets=2, seed=seed), noise=noise)
    state, path = searcher.start(world.study), list[float]()
    for number in range(count):
        trial = finish(world, searcher.propose(state, world.study, world.study.rng(number)), number)
        state = searcher.update(state, world.study, trial)
        path.append(float(state.psi[7] - state.psi[2]))
    return np.array(path), float(np.log(450 / 200))


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_sources_without_effect_drift_back_to_their_prior_ratio_with_fade_0(noise: float) -> None:
    path, prior = idle_ratios(InfDDS(fade=0.0), noise, 200)
    assert path.mean() == pytest.approx(prior, abs=1e-9 if noise == 0 else 0.15)
    assert path.std() == pytest.approx(0.0, abs=1e-9) or noise > 0


def test_by_default_sources_without_effect_keep_of_their_prior_what_clarity_leaves() -> None:
    path, _ = idle_ratios(InfDDS(), 0.0, 20)
    assert path == pytest.approx(np.zeros(20))  # no noise: all clear, and the prior has nothing left to say
    noisy, prior = idle_ratios(InfDDS(), 0.2, 200)
    assert 0.0 < noisy[20:].mean() < prior + 0.2


def test_noise_about_no_effect_does_not_make_a_source_wander() -> None:
    settled, _ = idle_ratios(InfDDS(), 0.05, 200)
    # Were all spread noise: beta times the difference of two running means in units of one influence's error.
    bound = 3.0 * np.sqrt(2 * 0.3 / (2 - 0.3))
    assert settled[20:].std() < bound
    early, late = settled[20:80], settled[140:]
    assert late.std() < 2 * early.std() and abs(late.mean() - early.mean()) < early.std()


def test_unlike_with_exponential_weights_the_spread_over_seeds_does_not_grow_with_the_rounds() -> None:
    grown = {}
    for policy in ("kl", "exponential"):
        searcher = InfDDS(policy=policy)  # type: ignore[arg-type]
        paths = np.array([idle_ratios(searcher, 0.1, 60, seed)[0] for seed in range(8)])
        grown[policy] = paths[:, 45:].std(axis=0).mean() / paths[:, 5:15].std(axis=0).mean()
    assert grown["kl"] < 1.4 < 2.0 < grown["exponential"]


def test_a_source_pushed_by_a_lucky_round_comes_back() -> None:
    study = planted_study(4, targets=1)
    searcher, nothing = InfDDS(fade=0.0), dict.fromkeys(("s0", "s1", "s2", "s3"), 0.0)
    trials = [answered(study, searcher.suggest(study, [], study.rng(0)), 0, {**nothing, "s3": 0.1}, error=0.05)]
    pushed = weights(searcher, study, trials)
    for number in range(1, 30):
        proposal = searcher.suggest(study, trials, study.rng(number))
        trials.append(answered(study, proposal, number, nothing, error=0.05))
    prior = study.proportional().array(study.names)
    assert pushed[3] > 1.5 * prior[3]
    assert weights(searcher, study, trials) == pytest.approx(prior, rel=1e-3)
