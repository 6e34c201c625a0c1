import numpy as np
import pytest
from datasets import Dataset

from mixtune.training.teaching.margins import ROWS, scaled, spread_of

PLACES = {"q": (1.0, 0.0), "near": (0.8, 0.6), "far": (0.0, 1.0), "away": (-1.0, 0.0)}


def embed(texts: list[str]) -> np.ndarray:
    return np.array([PLACES[text] for text in texts], dtype=np.float32)


def source(negative: str, scores: list[float], rows: int = 1) -> Dataset:
    columns = {"anchor": ["q"] * rows, "positive": ["near"] * rows, "negative_1": [negative] * rows}
    return Dataset.from_dict({**columns, "scores": [scores] * rows})


def test_margins_of_all_sources_are_divided_by_one_number_that_gives_them_the_students_spread() -> None:
    # Teacher margins 2 and 10: deviation 4. Cosine margins 0.8 and 1.8: deviation 0.5, over temperature 0.1 it is 5.
    sources = {"a": source("far", [3.0, 1.0]), "b": source("away", [10.0, 0.0])}
    found, divisor = scaled(sources, embed, temperature=0.1)
    assert divisor == pytest.approx(4 / 5)
    assert found["a"]["scores"][:] == [pytest.approx([3.75, 1.25])]
    assert found["b"]["scores"][:] == [pytest.approx([12.5, 0.0])]
    assert found["a"]["anchor"][:] == ["q"]


def test_a_row_without_a_negative_of_its_own_tells_nothing_of_the_spread() -> None:
    rows = [source("far", [3.0, 1.0]), source("away", [10.0, 0.0]), source("near", [50.0, 50.0])]
    spread = spread_of(rows, embed)
    assert (spread.teacher, spread.cosine) == pytest.approx((4.0, 0.5))


def test_where_margins_do_not_spread_scores_stay_as_they_are() -> None:
    assert scaled({"a": source("far", [3.0, 1.0], rows=3)}, embed, temperature=0.1)[1] == 1.0
    assert scaled({"a": source("near", [3.0, 3.0])}, embed, temperature=0.1)[1] == 1.0


def test_of_many_rows_a_sample_is_embedded() -> None:
    looked = []

    def counted(texts: list[str]) -> np.ndarray:
        looked.append(len(texts))
        return np.zeros((len(texts), 2), dtype=np.float32)

    rows = 3 * ROWS
    columns = {"anchor": [str(row) for row in range(rows)], "positive": ["p"] * rows, "negative_1": ["n"] * rows}
    spread_of([Dataset.from_dict({**columns, "scores": [[1.0, 0.0]] * rows})], counted)
    assert looked == [ROWS + 2]
