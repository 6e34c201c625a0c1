from dataclasses import replace

import numpy as np
import pytest
import torch
from small_study import SOURCES, bench_of, run_of, study_of, synthetic

from mixtune.errors import TrainingError
from mixtune.proposal import Probe
from mixtune.training.encoding.encodings import Encodings
from mixtune.training.measuring.devloss import DevMeasure, DevPool
from mixtune.training.run import Run
from mixtune.training.signals.probing import RoundEnd, dev_measures, end_round, influence_of, probe_pools, split_of

TABLE, PREPARED = synthetic()
STUDY = study_of(PREPARED)
POOLS = {name: DevPool(name, target, target.signal) for name, target in PREPARED.targets.items()}
HALVES = {"left": 0.5, "right": 0.5}


def started(steps: int = 5, **proxy: object) -> Run:
    """A run over `other` behind some ordinary steps."""
    study = replace(STUDY, proxy=replace(STUDY.proxy, **proxy))  # type: ignore[arg-type]
    run = run_of(bench_of(TABLE, PREPARED), study, {"other": 1.0})
    for _ in range(steps):
        run.advance()
    return run


def weight(run: Run) -> torch.Tensor:
    return run.optimiser.parameters["weight"].detach().clone()


def ended(run: Run, *sources: str, steps: int = 2, seed: int = 3, **probe: object) -> RoundEnd:
    return end_round(run, POOLS, HALVES, Probe(sources or SOURCES, steps, **probe), seed)  # type: ignore[arg-type]


def test_the_source_that_follows_the_targets_map_has_the_largest_influence() -> None:
    found = ended(started()).influence
    good, other, shuffled = (found[name].value for name in SOURCES)
    assert good is not None and other is not None and shuffled is not None
    assert good > max(0.0, other, shuffled)


def measured(losses: list[float], gains: list[float] | None = None) -> DevMeasure:
    return DevMeasure(np.array(losses), np.array(gains or [0.5] * len(losses)))


def test_an_influence_is_the_relative_fall_of_the_dev_loss_with_its_paired_error() -> None:
    before = {"a": measured([1.0, 3.0, 2.0]), "b": measured([0.002, 0.004])}
    after = {"a": measured([0.5, 2.5, 1.4]), "b": measured([0.001, 0.001])}
    found = influence_of(before, after, {"a": 0.75, "b": 0.25})
    a, b = np.array([0.5, 0.5, 0.6]) / 2, np.array([0.001, 0.003]) / 0.01
    assert found.per_target == pytest.approx({"a": a.mean(), "b": b.mean()})
    assert found.value == pytest.approx(0.75 * a.mean() + 0.25 * b.mean())
    errors = a.std(ddof=1) / 3**0.5, b.std(ddof=1) / 2**0.5
    assert found.per_target_error == pytest.approx(dict(zip("ab", errors, strict=True)))
    assert found.error == pytest.approx(np.hypot(0.75 * errors[0], 0.25 * errors[1]))


def test_beside_it_stands_the_relative_rise_of_ndcg() -> None:
    before, after = measured([1.0, 1.0], [0.5, 0.3]), measured([2.0, 2.0], [0.6, 0.5])
    found = influence_of({"a": before}, {"a": after}, {"a": 1.0})
    rise = np.array([0.1, 0.2]) / 0.4
    assert found.rank["a"] == pytest.approx(rise.mean())
    assert found.rank_error["a"] == pytest.approx(rise.std(ddof=1) / 2**0.5)
    assert found.value is not None and found.value < 0


def test_a_loss_that_is_not_finite_drops_the_source() -> None:
    found = influence_of({"a": measured([1.0, 2.0])}, {"a": measured([1.0, np.nan])}, {"a": 1.0})
    assert (found.value, found.error) == (None, None)


@pytest.mark.parametrize("splits", [1, 2, 3])
def test_splits_divide_the_marked_queries_and_come_round(splits: int) -> None:
    marked = np.arange(120) % 2 == 0
    parts = [split_of(marked, number, splits) for number in range(splits)]
    assert (np.sum(parts, axis=0) == marked).all()
    assert {int(part.sum()) for part in parts} == {60 // splits}
    assert (split_of(marked, splits, splits) == parts[0]).all()


def test_few_queries_are_not_split_into_parts_that_say_nothing() -> None:
    marked = np.ones(40, dtype=bool)
    assert {int(split_of(marked, number, 5).sum()) for number in range(5)} == {20}
    assert split_of(np.ones(20, dtype=bool), 3, 5).all()


def test_a_round_measures_on_the_queries_of_its_split() -> None:
    rounds = [probe_pools(PREPARED, Probe(SOURCES, 2, queries=4, split=number, splits=2), 5) for number in (0, 1)]
    for name, target in PREPARED.targets.items():
        used = [set(pools[name].used.tolist()) for pools in rounds]
        marked = [set(np.flatnonzero(split_of(target.signal, number, 2)).tolist()) for number in (0, 1)]
        assert used[0] <= marked[0] and used[1] <= marked[1]


def test_a_source_that_breaks_the_model_is_dropped_and_the_others_are_merged() -> None:
    table, prepared = synthetic()
    table.embeddings[prepared.sources["shuffled"].documents] = np.nan
    run = run_of(bench_of(table, prepared), STUDY, {"other": 1.0})
    end = ended(run)
    assert end.influence["shuffled"].value is None
    assert end.merge == "merged" and "shuffled" not in end.merge_weights
    assert torch.isfinite(weight(run)).all()


def test_a_dev_loss_that_is_not_finite_before_probing_ends_the_run() -> None:
    run = started(0)
    with torch.no_grad():
        run.optimiser.parameters["weight"].fill_(torch.nan)
    with pytest.raises(TrainingError, match="dev loss of target 'left' is not finite after step 0"):
        ended(run)


def test_one_merged_source_is_plain_training_on_it() -> None:
    run, plain = started(0), started(0)
    end = ended(run, "good", steps=1)
    assert end.merge_weights == {"good": 1.0}
    assert end.exposure == {"good": 1.0}
    probed, base = (dev_measures(Encodings(one.model), POOLS, 0.05)["left"].losses.mean() for one in (run, plain))
    assert end.influence["good"].per_target["left"] == pytest.approx(1 - probed / base, rel=1e-4)


def test_the_merge_is_the_weighted_mean_of_what_each_probe_alone_learns() -> None:
    run = started()
    theta = weight(run)
    end = ended(run, epsilon=0.5)
    assert len(end.merge_weights) >= 1 and sum(end.merge_weights.values()) == pytest.approx(1)
    expected = theta.clone()
    for source, share in end.merge_weights.items():
        alone = started()
        ended(alone, source)
        expected += 0.5 * share * (weight(alone) - theta)
    torch.testing.assert_close(weight(run), expected, rtol=1e-5, atol=1e-6)
    assert end.exposure == pytest.approx({source: 2 * 0.5 * share for source, share in end.merge_weights.items()})


def test_an_influence_does_not_depend_on_what_else_is_probed() -> None:
    together, alone = ended(started()), ended(started(), "good")
    assert together.influence["good"] == alone.influence["good"]


def test_the_softmax_merge_depends_on_its_temperature() -> None:
    cold, warm = (ended(started(), reptile="softmax", temperature=t) for t in (1e-4, 1e4))
    assert max(cold.merge_weights.values()) > 0.99
    assert max(warm.merge_weights.values()) == pytest.approx(1 / len(warm.merge_weights), rel=1e-3)


def test_without_a_helpful_source_the_parameters_stay() -> None:
    table, prepared = synthetic()
    good, reverse = prepared.sources["good"], prepared.sources["shuffled"]
    table.embeddings[reverse.queries] = table.embeddings[good.queries]
    table.embeddings[reverse.documents] = -table.embeddings[good.documents]
    run = run_of(bench_of(table, prepared), STUDY, {"good": 1.0})
    for _ in range(20):
        run.advance()
    theta = weight(run)
    end = ended(run, "shuffled", steps=5)
    assert (end.merge, dict(end.merge_weights), dict(end.exposure)) == ("no_merge", {}, {})
    assert torch.equal(weight(run), theta)


def test_probing_leaves_optimiser_draw_and_random_numbers_alone() -> None:
    run, still = started(), started()
    drawn, kept, noise = run.draw.state(), run.optimiser.snapshot(), torch.get_rng_state()
    ended(run)
    assert torch.equal(torch.get_rng_state(), noise)
    assert run.draw.state() == drawn and run.draw.receipt() == still.draw.receipt()
    after = run.optimiser.snapshot()
    assert all(torch.equal(a["exp_avg"], b["exp_avg"]) for a, b in zip(kept.state, after.state, strict=True))


def test_the_schedule_moves_on_by_one_probe() -> None:
    run = started(5)
    ended(run, steps=3)
    assert run.optimiser.position == 8


def test_probing_is_decided_by_the_seed() -> None:
    first, same, other = (ended(started(), seed=seed) for seed in (3, 3, 4))
    assert first == same
    assert first.influence["good"] != other.influence["good"]


def test_the_cost_counts_every_probe_step_and_every_dev_loss() -> None:
    run = started()
    end = ended(run, steps=2)
    dim, batch = 16, 16
    step = 2 * batch * 4 * dim * dim + 3 * 2 * batch * batch * dim
    measure = sum(2 * dim * dim * (len(p.queries) + len(p.documents)) + 2 * dim * p.products for p in POOLS.values())
    assert end.probe_flops == pytest.approx(3 * 2 * step)
    assert end.dev_flops == pytest.approx(4 * measure)


def test_influence_can_be_measured_on_a_sample_of_dev_that_each_round_draws_anew() -> None:
    probe = Probe(("good", "bad"), steps=1, queries=2, negatives=3)
    first, again, other = (probe_pools(PREPARED, probe, seed) for seed in (1, 1, 2))
    for name, target in PREPARED.targets.items():
        assert len(first[name].queries) == 2 and target.signal[first[name].used].all()
        assert np.array_equal(first[name].used, again[name].used)
    assert any(not np.array_equal(first[name].positions, other[name].positions) for name in first)
    whole = probe_pools(PREPARED, Probe(("good",), steps=1), 1)
    assert {name: pool.used.tolist() for name, pool in whole.items()} == {n: p.used.tolist() for n, p in POOLS.items()}
