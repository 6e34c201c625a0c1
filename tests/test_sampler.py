import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtune.recipe import Mixture
from mixtune.sampler import RecipeDraw, Rows

SIZES = {"tiny": 3, "small": 10, "large": 100}
MIXTURE = Mixture({"tiny": 0.2, "small": 0.3, "large": 0.5})


def rows_of(sizes: dict[str, int]) -> dict[str, Rows]:
    """Row numbers that tell the source, in no order: 1000 and up, 2000 and up, ..."""
    rng = np.random.default_rng(1)
    return {name: 1000 * (1 + i) + rng.permutation(size) for i, (name, size) in enumerate(sizes.items())}


def draw_of(seed: int = 5, mixture: Mixture = MIXTURE, batch_size: int = 8) -> RecipeDraw:
    return RecipeDraw(rows_of(SIZES), mixture, batch_size, seed)


def drawn(draw: RecipeDraw, batches: int) -> list[tuple[str, list[int]]]:
    return [(name, rows.tolist()) for name, rows in (draw.draw() for _ in range(batches))]


def test_realised_shares_are_the_weights_within_sampling_error() -> None:
    counts = Counter(name for name, _ in drawn(draw_of(), 4000))
    for name, weight in MIXTURE.items():
        assert abs(counts[name] - 4000 * weight) < 4 * (4000 * weight * (1 - weight)) ** 0.5


def test_a_source_without_weight_is_never_drawn() -> None:
    mixture = Mixture({"tiny": 0.0, "small": 1.0, "large": 0.0})
    assert {name for name, _ in drawn(draw_of(mixture=mixture), 500)} == {"small"}


@given(st.integers(2, 60), st.integers(1, 70), st.integers(0, 100))
@settings(max_examples=60, deadline=None)
def test_each_pass_draws_each_row_once_and_no_batch_a_row_twice(size: int, batch_size: int, seed: int) -> None:
    rows = rows_of({"only": size})
    draw = RecipeDraw(rows, Mixture({"only": 1.0}), batch_size, seed)
    batches = [draw.draw()[1].tolist() for _ in range(3 * size)]
    assert all(len(set(batch)) == len(batch) == min(batch_size, size) for batch in batches)
    walked = [row for batch in batches for row in batch]
    for start in range(0, len(walked) - size + 1, size):
        assert sorted(walked[start : start + size]) == sorted(rows["only"].tolist())


def test_passes_are_in_different_orders() -> None:
    draw = RecipeDraw(rows_of({"only": 50}), Mixture({"only": 1.0}), 50, 0)
    assert draw.draw()[1].tolist() != draw.draw()[1].tolist()


def test_a_small_source_gives_all_it_has_and_starts_over() -> None:
    draw = RecipeDraw(rows_of({"tiny": 3}), Mixture({"tiny": 1.0}), 8, 0)
    assert [sorted(rows) for _, rows in drawn(draw, 3)] == [[1000, 1001, 1002]] * 3
    assert draw.receipt()["tiny"].epochs == 3.0


def test_equal_seeds_draw_alike_and_others_do_not() -> None:
    assert drawn(draw_of(seed=5), 50) == drawn(draw_of(seed=5), 50)
    assert drawn(draw_of(seed=5), 50) != drawn(draw_of(seed=6), 50)


@pytest.mark.parametrize("stop", range(40))
def test_a_draw_restored_at_any_step_goes_on_as_if_undisturbed(stop: int) -> None:
    whole = drawn(draw_of(), 80)
    first = draw_of()
    drawn(first, stop)
    second = draw_of()
    second.restore(json.loads(json.dumps(first.state())))
    assert drawn(second, 80 - stop) == whole[stop:]


def test_restoring_undoes_what_was_drawn_since() -> None:
    draw = draw_of()
    drawn(draw, 7)
    state = draw.state()
    once = drawn(draw, 20)
    draw.restore(state)
    assert drawn(draw, 20) == once


def test_what_is_not_a_state_is_refused() -> None:
    with pytest.raises(ValueError, match="not a state of RecipeDraw"):
        draw_of().restore({"batches": 3})


def test_the_receipt_counts_what_was_drawn() -> None:
    draw = draw_of()
    batches = drawn(draw, 60)
    receipt = draw.receipt()
    for name, size in SIZES.items():
        rows = [row for source, batch in batches if source == name for row in batch]
        found = receipt[name]
        assert found.batches == sum(source == name for source, _ in batches)
        assert (found.rows, found.unique_rows, found.epochs) == (len(rows), len(set(rows)), len(rows) / size)


def test_a_source_that_gave_nothing_is_not_on_the_receipt() -> None:
    draw = draw_of(mixture=Mixture({"large": 1.0}))
    assert draw.receipt() == {}
    draw.draw()
    assert list(draw.receipt()) == ["large"]


def test_a_receipt_starts_at_zero_after_a_restore() -> None:
    draw = draw_of()
    drawn(draw, 30)
    draw.restore(draw.state())
    assert draw.receipt() == {}


def test_another_mixture_holds_from_the_next_batch_and_keeps_every_place() -> None:
    draw = draw_of()
    before = [row for name, batch in drawn(draw, 5) if name == "large" for row in batch]
    draw.use(Mixture({"large": 1.0}))
    after = drawn(draw, 5)
    assert {name for name, _ in after} == {"large"}
    walked = before + [row for _, batch in after for row in batch]
    assert len(set(walked)) == len(walked)


def test_shares_follow_a_change_of_mixture() -> None:
    draw = draw_of()
    drawn(draw, 100)
    draw.use(Mixture({"tiny": 0.7, "large": 0.3}))
    counts = Counter(name for name, _ in drawn(draw, 2000))
    assert abs(counts["tiny"] - 1400) < 4 * (2000 * 0.7 * 0.3) ** 0.5 and counts["small"] == 0


def test_a_source_is_chosen_by_seed_and_batch_number_alone() -> None:
    probed, plain = draw_of(), draw_of()
    probed.draw_from("large")
    assert [name for name, _ in drawn(probed, 50)] == [name for name, _ in drawn(plain, 50)]


def test_one_source_can_be_drawn_whatever_its_weight() -> None:
    draw = draw_of(mixture=Mixture({"large": 1.0}))
    assert sorted(draw.draw_from("tiny").tolist()) == [1000, 1001, 1002]
    assert draw.receipt()["tiny"].batches == 1


def test_weight_on_a_source_without_rows_is_refused() -> None:
    rows = rows_of(SIZES) | {"tiny": np.empty(0, dtype=np.int64)}
    with pytest.raises(ValueError, match="sources with weight but without rows: tiny"):
        RecipeDraw(rows, MIXTURE, 8, 0)
    assert RecipeDraw(rows, Mixture({"large": 1.0}), 8, 0).draw()[0] == "large"


def test_a_mixture_of_an_unknown_source_is_refused() -> None:
    with pytest.raises(ValueError, match="without rows: other"):
        draw_of(mixture=Mixture({"other": 0.5, "large": 0.5}))


def test_a_batch_holds_at_least_one_row() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        draw_of(batch_size=0)


def mixed_batches(draw: RecipeDraw, batches: int) -> list[dict[str, int]]:
    return [draw.choose_rows() for _ in range(batches)]


def test_rows_of_mixed_batches_come_alike_from_all_sources_with_weight() -> None:
    draw = RecipeDraw(rows_of({"a": 5, "b": 500, "c": 50, "d": 9}), Mixture({"a": 0.01, "b": 0.9, "c": 0.09}), 10, 3)
    batches = mixed_batches(draw, 600)
    assert {sum(batch.values()) for batch in batches} == {10}
    counts = Counter[str]()
    for batch in batches:
        counts.update(batch)
    assert set(counts) == {"a", "b", "c"}
    assert all(abs(count - 2000) < 200 for count in counts.values())


def test_mixed_batches_go_on_after_a_restore_as_if_undisturbed() -> None:
    draw, other = draw_of(), draw_of()
    mixed_batches(draw, 4)
    other.restore(json.loads(json.dumps(draw.state())))
    assert mixed_batches(draw, 5) == mixed_batches(other, 5)


def test_a_mixed_batch_holds_no_row_twice_and_passes_are_whole() -> None:
    draw = RecipeDraw(rows_of({"a": 7, "b": 40}), Mixture({"a": 0.5, "b": 0.5}), 8, 1)
    seen = Counter[int]()
    for batch in mixed_batches(draw, 50):
        rows = draw.walk("a", batch.get("a", 0)).tolist()
        assert len(set(rows)) == len(rows)
        seen.update(rows)
    assert max(seen.values()) - min(seen.values()) <= 1


def test_the_receipt_knows_rows_in_any_order() -> None:
    draw = RecipeDraw({"a": np.array([9, 2, 7, 4])}, Mixture({"a": 1.0}), 2, 0)
    draw.count("a", np.array([7, 9]))
    draw.count("a", np.array([9]))
    assert (draw.receipt()["a"].rows, draw.receipt()["a"].unique_rows) == (3, 2)
