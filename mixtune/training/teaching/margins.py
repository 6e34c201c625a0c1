"""A teacher's margins in the unit of the student's, for trainers other than mixtune's own."""

from collections.abc import Callable, Mapping, Sequence

import datasets
import numpy as np

from mixtune.training.prepared import Floats, Spread

ROWS = 4000
"""About as many rows, evenly spaced over all sources, tell how widely margins spread (ours)."""

Embed = Callable[[list[str]], Floats]
"""Embeddings of norm 1, shape (n, D), of texts by the untrained model."""


def scaled(
    sources: Mapping[str, datasets.Dataset], embed: Embed, temperature: float
) -> tuple[datasets.DatasetDict, float]:
    """Sources whose teacher scores are divided as a study divides them (see Prepared.spread), and by what.

    The divisor is one for all sources. A study tells it from all pairs of all its sources, this from a sample of these.

    Args:
        sources: with columns anchor, positive, negative_1 ... negative_k and scores, as `triplets_of` lays them out.
        embed: of the untrained student.
        temperature: the student's score is cosine / temperature.
    """
    divisor = spread_of(list(sources.values()), embed).divisor(temperature)

    def divided(scores: Sequence[Sequence[float]]) -> dict[str, list[list[float]]]:
        return {"scores": [[score / divisor for score in row] for row in scores]}

    found = {name: each.map(divided, batched=True, input_columns="scores") for name, each in sources.items()}
    return datasets.DatasetDict(found), divisor


def spread_of(sources: Sequence[datasets.Dataset], embed: Embed) -> Spread:
    """Spread of the teacher's margins and of the model's cosines on the same pairs, over all sources together.

    A row whose negative is its own positive has none, and does not count.
    """
    step = max(1, sum(map(len, sources)) // ROWS)
    margins, cosines = list[float](), list[float]()
    for source in sources:
        columns = source.select(range(0, len(source), step)).to_dict()
        queries, positives, scores = columns["anchor"], columns["positive"], columns["scores"]
        given = [columns[name] for name in columns if name.startswith("negative_")]
        texts = list(dict.fromkeys([*queries, *positives, *(text for column in given for text in column)]))
        embeddings, place = embed(texts), dict(zip(texts, range(len(texts)), strict=True))
        for row, (query, positive) in enumerate(zip(queries, positives, strict=True)):
            for number, column in enumerate(given, start=1):
                if column[row] != positive:
                    apart = embeddings[place[positive]] - embeddings[place[column[row]]]
                    margins.append(scores[row][0] - scores[row][number])
                    cosines.append(float(embeddings[place[query]] @ apart))
    return Spread(float(np.std(margins)), float(np.std(cosines))) if margins else Spread(0.0, 0.0)
