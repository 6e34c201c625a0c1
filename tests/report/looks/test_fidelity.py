import pytest
from listing import look, runs

from mixtune.proxy import Proxy
from mixtune.report.looks.fidelity import Fidelity, Trust, fidelity, fidelity_document, fidelity_sheets

OWN = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
LARGER = Proxy(trainable="last:1", steps=600)


def found(larger: list[float], own: list[float] | None = None, noise: float = 0.01) -> Fidelity:
    """Two seeds under both proxies, the second one higher."""
    labels = [f"r{number}" for number in range(len(larger))]

    def scores(values: list[float]) -> dict[str, list[float | None]]:
        return {
            label: [value, value + noise * (1 if place % 2 else -1)]
            for place, (label, value) in enumerate(zip(labels, values, strict=True))
        }

    result = fidelity(
        look("fidelity", Proxy()),
        runs(scores((own or OWN)[: len(larger)])),
        look("fidelity.larger", LARGER),
        runs(scores(larger)),
    )
    assert result is not None
    return result


def test_agreement_is_said_with_its_interval() -> None:
    same = found([value / 2 for value in OWN])
    assert same.trust is Trust.YES
    assert same.sentence == (
        "head (300 steps) ranks recipes as last:1 (600 steps) does: rank correlation +1.00, 95 % interval "
        f"[{same.overall.correlation.low:+.2f}, +1.00] over 8 recipes."  # type: ignore[union-attr]
    )
    assert same.targets.keys() == {"easy", "hard"}
    assert same.overall.lost == 0


def test_with_the_whole_interval_below_six_tenths_it_says_that_it_does_not_rank_alike() -> None:
    other = found([1 - value for value in OWN])
    assert other.overall.correlation is not None and other.overall.correlation.high < 0.6
    assert other.trust is Trust.NO
    assert other.sentence.startswith("Warning: head (300 steps) does not rank recipes as last:1 (600 steps) does")
    assert "all of it below 0.6" in other.sentence
    assert fidelity_document(other)["warning"] is True


def test_below_six_tenths_with_an_interval_that_reaches_above_it_warns_and_cannot_tell() -> None:
    other = found([0.3, 0.8, 0.1, 0.2, 0.9, 0.7, 0.4, 0.5])
    assert other.overall.correlation is not None and other.overall.correlation.value < 0.6
    assert other.overall.correlation.high > 0.6
    assert other.trust is Trust.CANNOT_TELL
    assert other.sentence.startswith("Warning: head (300 steps) may not rank recipes")
    assert "the interval reaches above it, so it cannot be told for sure" in other.sentence
    assert fidelity_document(other)["warning"] is True


def test_a_wide_interval_is_no_promise() -> None:
    near = found([0.1, 0.3, 0.2, 0.5, 0.4, 0.6, 0.8, 0.7])
    assert near.overall.correlation is not None and near.overall.correlation.value > 0.6 > near.overall.correlation.low
    assert near.trust is Trust.CANNOT_TELL
    assert "more --recipes" in near.sentence
    assert fidelity_document(near)["warning"] is False


def test_too_few_recipes_are_no_correlation() -> None:
    few = found([0.1, 0.2, 0.3, 0.4])
    assert few.trust is Trust.CANNOT_TELL
    assert "4 recipes that differ in score are too few" in few.sentence


def test_what_is_lost_by_the_proxys_choice() -> None:
    # The proxy takes r7, which the larger one scores .2 below its best.
    other = found([0.1, 0.2, 0.3, 0.9, 0.5, 0.6, 0.65, 0.7], noise=0.0)
    assert other.overall.lost == pytest.approx(0.2)


def test_noise_bounds_the_correlation_and_is_said() -> None:
    # Means differ by .005, and what the seeds leave of a mean is larger.
    noisy = found([value / 100 for value in OWN], [value / 100 for value in OWN], noise=0.02)
    assert noisy.overall.ceiling is not None and noisy.overall.ceiling < 0.6
    lines = [line for sheet in fidelity_sheets(noisy) for line in sheet.lines]
    assert any("more --seeds" in line for line in lines)
    clean = found(OWN, noise=0.0)
    assert clean.overall.ceiling == 1


def test_a_recipe_that_failed_under_one_proxy_is_left_out_of_both() -> None:
    own = runs({f"r{n}": [value] for n, value in enumerate(OWN)})
    larger = runs({f"r{n}": [None if n == 2 else value] for n, value in enumerate(OWN)})
    result = fidelity(look("fidelity"), own, look("fidelity.larger", LARGER), larger)
    assert result is not None
    assert (result.recipes, result.failed) == (7, ("r2",))
    assert "Left out, since a run failed: r2." in [line for sheet in fidelity_sheets(result) for line in sheet.lines]


def test_while_one_pass_has_nothing_there_is_no_answer() -> None:
    assert fidelity(look("fidelity"), runs({"a": [0.1]}), look("fidelity.larger"), []) is None


def test_the_table_ranks_by_the_larger_proxy() -> None:
    first, second = fidelity_sheets(found([0.5, 0.1, 0.2, 0.3, 0.4, 0.05], noise=0.0))
    assert [row[0] for row in first.rows] == ["r0", "r4", "r3", "r2", "r1", "r5"]
    assert first.rows[0] == ("r0", "0.5000", "1", "0.1000", "6")
    assert [row[0] for row in second.rows] == ["all", "easy", "hard"]
