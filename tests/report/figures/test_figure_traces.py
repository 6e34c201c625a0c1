"""What figures draw of numbers that are few, many, or at the edge."""

import json
from typing import Any

import plotly.graph_objects as go
import pytest

from mixtune.report.figures import anytime, influence, matrix, rounds
from mixtune.report.figures import compared as curves
from mixtune.report.figures.anytime import Anytime, Step
from mixtune.report.figures.compared import Point
from mixtune.report.figures.influence import Arm, Influences
from mixtune.report.figures.matrix import Entry, Matrix
from mixtune.report.figures.rounds import Rounds, RoundWeight


def traces(drawn: go.Figure) -> list[dict[str, Any]]:
    return list(json.loads(drawn.to_json())["data"])


def layout(drawn: go.Figure) -> dict[str, Any]:
    return dict(json.loads(drawn.to_json())["layout"])


def test_a_band_has_the_same_steps_above_and_below() -> None:
    rows = [Point("a", 1.0, 0.3, 0.2, 0.4), Point("a", 2.0, 0.5, 0.4, 0.6), Point("a", 3.0, 0.6, 0.5, 0.7)]
    band, line = traces(curves._curves(rows, "ndcg", "runs"))
    half = len(band["x"]) // 2
    upper = list(zip(band["x"][:half], band["y"][:half], strict=True))
    lower = list(zip(band["x"][half:], band["y"][half:], strict=True))[::-1]
    assert upper == [(1.0, 0.4), (2.0, 0.4), (2.0, 0.6), (3.0, 0.6), (3.0, 0.7)]
    assert [(x, pytest.approx(y - 0.2)) for x, y in upper] == lower
    assert "shape" not in band.get("line", {}) and line["line"]["shape"] == "hv"
    # The last level has no width: its mark and interval are drawn.
    assert line["marker"]["size"] == [0, 0, 11] and line["error_y"]["array"] == [0, 0, pytest.approx(0.1)]


def test_no_two_of_many_curves_look_alike() -> None:
    rows = [Point(f"c{place}", at, 0.3, None, None) for place in range(20) for at in (1.0, 2.0)]
    drawn = traces(curves._curves(rows, "ndcg", "runs"))
    marks = {(trace["marker"]["color"], trace["marker"]["symbol"]) for trace in drawn}
    lines = {(trace["line"]["color"], trace["line"]["dash"]) for trace in drawn}
    assert len(marks) == len(lines) == 20


def test_the_least_influential_sources_are_drawn_too() -> None:
    arms = tuple(Arm(f"s{place}", 0.5 - 0.01 * place, 0.001, 2, 0.1) for place in range(42))
    drawn = influence.figure(Influences(0, "loss", arms))
    dots, names = traces(drawn)[0], layout(drawn)["yaxis"]["ticktext"]
    assert names[14:17] == ["s14", "… 12 left out …", "s27"] and names[-1] == "s41"
    assert dots["y"] == [*range(15), *range(16, 31)] and dots["x"][-1] == pytest.approx(0.09)


def test_a_heat_map_of_many_sources_keeps_both_ends() -> None:
    rows = tuple(Entry(f"s{place}", "easy", 1.0 - 0.01 * place, None, 1) for place in range(42))
    drawn = matrix.figure(Matrix("influence", rows))
    cells, names = traces(drawn)[0], layout(drawn)["yaxis"]["ticktext"]
    assert len(cells["z"]) == len(cells["text"]) == len(names) == 31
    assert (names[15], cells["z"][15], cells["text"][15]) == ("… 12 left out …", [None], [""])
    assert (names[-1], cells["z"][-1]) == ("s41", [pytest.approx(0.59)])


@pytest.mark.parametrize("targets, bar", [(6, False), (7, True)])
def test_a_heat_map_without_room_for_numbers_has_a_colour_bar(targets: int, bar: bool) -> None:
    rows = tuple(Entry("a", f"t{place}", 0.1, None, 1) for place in range(targets))
    heat = traces(matrix.figure(Matrix("influence", rows)))[0]
    assert heat["showscale"] is bar and ("texttemplate" in heat) is not bar


def test_a_source_that_fell_is_named_where_it_was_largest() -> None:
    shares = {"kept": (0.3, 0.5, 0.98), "fallen": (0.65, 0.48, 0.01), "small": (0.05 - 1e-3, 0.02, 0.01)}
    rows = [RoundWeight(at, at, name, own[at]) for at in range(3) for name, own in shares.items()]
    drawn = layout(rounds.figure(Rounds(tuple(rows))))
    named = {each["text"]: (each["x"], each["y"]) for each in drawn["annotations"]}
    assert named == {"kept": (2, pytest.approx(0.49)), "fallen": (0, pytest.approx(0.3 + 0.325))}
    assert (drawn["xaxis"]["tick0"], drawn["xaxis"]["dtick"]) == (0, 1)


def test_a_chain_is_two_marks_without_a_line_between() -> None:
    base = Step("base model", "base model", None, 0.0, 0.2, 0.2)
    drawn = traces(anytime.figure(Anytime("ndcg", (base, Step("recommended", "tuned", None, 3.0, 0.5, 0.5)))))
    assert [(trace["mode"], trace["x"], trace["cliponaxis"]) for trace in drawn] == [
        ("markers", [0.0], False),
        ("markers", [3.0], False),
    ]
    assert drawn[0]["name"] == "base model"


def test_a_best_run_that_comes_last_has_a_mark_at_the_end_of_the_staircase() -> None:
    runs = [Step("search", "search", place, float(place), 0.1 * place, 0.1 * place) for place in (1, 2)]
    drawn = traces(anytime.figure(Anytime("ndcg", tuple(runs))))
    assert any(trace["mode"] == "markers" and trace["x"] == [2.0] for trace in drawn)
