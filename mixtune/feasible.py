"""Whether a study's space leaves a mixture, once the rows of its sources are known: before anything is computed."""

from collections.abc import Mapping
from dataclasses import replace

from mixtune.errors import ConfigError
from mixtune.preparation import Preparation
from mixtune.pruning import Pruning
from mixtune.source import SourceFacts
from mixtune.study import Study

LEAST_ROWS = 2
"""Pairs that a source must keep: with one, a batch has no negatives."""


def with_rows(study: Study, rows: Mapping[str, int]) -> Study:
    """The study as if it were prepared, with nothing known but the rows of its sources."""
    facts = {name: SourceFacts(count, 0, 0.0, "") for name, count in rows.items()}
    return replace(study, preparation=Preparation("", facts, {}, 0.0))


def require_mixture(study: Study) -> None:
    """Refuse a space whose bounds exclude each other, and keep levels that leave a source nothing to train on.

    Raises:
        DataError: the study has not been prepared.
        ConfigError: no mixture fits, or a source would keep fewer than LEAST_ROWS rows.
    """
    space = study.space
    for name, rows in study.rows.items():
        level = min(space.levels.get(name, space.shared_levels) or (1.0,))
        kept = Pruning({name: level}, least=space.keep_least).rows(name, rows)
        if kept < LEAST_ROWS:
            raise ConfigError(
                f"study {study.name!r}: the keep level {level:g} of space.keep leaves {kept} of the {rows:,} rows of "
                f"{name!r}, and training needs {LEAST_ROWS}: use levels of at least {LEAST_ROWS / rows:.2g} there, or "
                f"take the source out (weight: 0)"
            )
    _, high = study.bounds()
    for name, cap in zip(study.names, high.tolist(), strict=True):
        floor = space.floor.get(name, 0.0)
        if floor > cap + 1e-9:
            raise ConfigError(
                f"study {study.name!r}: space.floor of {name!r} is {floor:g}, but its {study.rows[name]:,} rows and "
                f"space.max_epochs cap it at {cap:.4g}: lower the floor or final.steps, or raise space.max_epochs"
            )
    try:
        study.recipe(study.proportional())
    except ValueError as error:
        raise no_mixture(study, error) from error


def no_mixture(study: Study, error: ValueError) -> ConfigError:
    """What to say where the bounds leave no mixture."""
    return ConfigError(
        f"study {study.name!r}: the space allows no mixture: {error}; raise space.max_epochs or space.cap, or "
        f"lower final.steps"
    )
