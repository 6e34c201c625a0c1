import json
from pathlib import Path

import null
import numpy as np
import pytest
from null_draws import Draw, compared, coverage, decided, likeness, noise, truth, won
from null_runs import Twins
from null_scores import ARMS, Arm, Recorded

ARM = Arm({"first": np.arange(48.0).reshape(2, 6, 4), "second": np.arange(36.0).reshape(2, 6, 3)})
"""Six seeds; per side, seed and query another value, so that a value tells where it comes from."""


@pytest.fixture(scope="module")
def shipped() -> Recorded:
    return Recorded.load(null.SHIPPED)


def test_the_shipped_runs_hold_every_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert null.main(["--json", "--comparisons", "2000"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said) == {"comparisons", "replicates", "false_winner_rate", "coverage", "power"}
    assert (said["comparisons"], said["replicates"]) == (2000, 5)
    assert said["false_winner_rate"] <= 0.05
    assert 0.93 <= said["coverage"] <= 0.97
    assert said["power"]["2"] >= 0.6 > said["power"]["1"] > said["false_winner_rate"]


def test_the_shipped_file_is_small_and_holds_enough_runs_that_differ(shipped: Recorded) -> None:
    assert null.SHIPPED.stat().st_size < 5_000_000
    assert shipped.runs >= 400
    runs = np.concatenate([np.concatenate(values) for values in shipped.arms["identical"].scores.values()], axis=1)
    assert len(np.unique(runs, axis=0)) == shipped.runs
    assert shipped.command
    assert shipped.versions.keys() >= {"mixtune", "torch", "pandas"}


@pytest.mark.parametrize("draw", [Draw(paired=False), Draw(3), Draw(10)], ids=["unpaired", "three", "ten"])
def test_intervals_cover_zero_however_equal_contenders_are_drawn(shipped: Recorded, draw: Draw) -> None:
    found = compared(shipped.arms["identical"], draw, 1000)
    assert 0.93 <= coverage(found, 0.0) <= 0.98
    assert decided(found) == pytest.approx(1 - coverage(found, 0.0))


def test_intervals_cover_a_real_difference_on_new_queries(shipped: Recorded) -> None:
    arm = shipped.arms["different"]
    found = compared(arm, Draw(exchangeable=False, new_queries=True), 1000)
    assert abs(truth(arm)) > noise(arm)
    assert 0.93 <= coverage(found, truth(arm)) <= 0.98


def test_the_mixtures_on_identical_sources_are_each_other_with_the_sources_in_reverse() -> None:
    one, other = ARMS["identical"]
    assert list(one) == list(other) == ["a", "b", "c", "d"]
    assert list(one.values()) == list(other.values())[::-1]
    sources = {source.name: source for source in Twins().study().sources}
    assert len({sources[name].locations for name in one}) == 1


def test_pairs_are_of_one_seed_and_a_coin_says_which_run_is_mine() -> None:
    found = [Draw(3).sides(ARM, np.random.default_rng(seed)) for seed in range(20)]
    sides = set()
    for mine, other in found:
        assert [part.shape for part in mine] == [(3, 4), (3, 3)]
        apart = (mine[0] - other[0]) * 2  # two targets count half each
        assert np.all(np.abs(apart) == 24)
        sides |= set(apart[:, 0])
        assert np.all(np.sign(mine[0] - other[0])[:, :3] == np.sign(mine[1] - other[1]))
    assert sides == {-24.0, 24.0}


def test_unpaired_sides_have_no_seed_in_common() -> None:
    for seed in range(20):
        mine, other = Draw(3, paired=False).sides(ARM, np.random.default_rng(seed))
        ours, theirs = ((side[0][:, 0] * 2 % 24 // 4).tolist() for side in (mine, other))
        assert not {*ours} & {*theirs}


def test_new_queries_are_the_same_for_both_sides_and_repeat_some() -> None:
    draw = Draw(3, exchangeable=False, new_queries=True)
    mine, other = draw.sides(ARM, np.random.default_rng(0))
    assert np.all((other[0] - mine[0]) * 2 == 24)
    assert len(set((mine[0][0] * 2 % 4).tolist())) < 4


def test_noise_likeness_and_truth_are_those_of_the_runs_means() -> None:
    runs = np.array([[0.1, 0.3, 0.2], [0.4, 0.6, 0.5]])
    arm = Arm({name: np.repeat(runs[:, :, None], 2, axis=2) for name in ("first", "second")})
    assert noise(arm) == pytest.approx(0.1)
    assert likeness(arm) == pytest.approx(1)
    assert truth(arm) == pytest.approx(-0.3)


def test_what_is_planted_is_what_the_difference_moves_by() -> None:
    plain, planted = (compared(ARM, Draw(3), 5, planted=effect) for effect in (0.0, 0.7))
    assert [each.value for each in planted] == pytest.approx([each.value + 0.7 for each in plain])
    assert won(compared(ARM, Draw(3), 5, planted=1e6)) == 1


def test_a_missed_bar_is_told_by_the_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "far.npz"
    rng = np.random.default_rng(0)
    # Every query of a run moves alike and only two replicates are compared: two deviations are not found.
    scores = np.repeat(rng.normal(size=(2, 40, 1)), 6, axis=2)
    Recorded({"identical": Arm({"only": scores})}, {}).save(file)
    assert null.main(["--file", str(file), "--comparisons", "200", "--replicates", "2"]) == 1
    assert "A BAR IS MISSED" in capsys.readouterr().out


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    Recorded({"identical": ARM}, {"torch": "1"}, "a command").save(tmp_path / "file.npz")
    found = Recorded.load(tmp_path / "file.npz")
    assert (found.versions, found.command, found.runs) == ({"torch": "1"}, "a command", 12)
    assert np.array_equal(found.arms["identical"].scores["first"], ARM.scores["first"])


def test_fresh_runs_are_made_by_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIXTUNE_HOME", str(tmp_path / "home"))
    asked = ["--fresh", "--file", str(tmp_path / "tiny.npz"), "--packages", "tqdm", "cmaes", "--seeds", "4"]
    asked += ["--steps", "60", "--replicates", "2", "--comparisons", "20", "--json"]
    null.main(asked)
    assert json.loads(capsys.readouterr().out)["comparisons"] == 20
    found = Recorded.load(tmp_path / "tiny.npz")
    assert [arm.seeds for arm in found.arms.values()] == [4, 2]
    assert all(0 <= values.min() < values.max() <= 1 for arm in found.arms.values() for values in arm.scores.values())
    assert found.command == f"python benchmarks/null.py {' '.join(asked)}"
    assert found.runs == 8
    # Fewer rows than a batch: no order to differ by. But the other rows teach something else.
    assert not np.array_equal(*found.arms["different"].scores["tqdm"])
