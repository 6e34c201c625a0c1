"""Whether a study leaves its search algorithm anything to propose."""

from mixtune.errors import ConfigError, NotReady, SearchExhausted
from mixtune.searchers.base import Searcher
from mixtune.study import Study


def require_possible(study: Study, searcher: Searcher) -> None:
    """Find out before anything is trained that a study allows no mixture, or lacks what its algorithm starts from.

    Raises:
        DataError: the study has not been prepared.
        ConfigError: the bounds of the space exclude each other, or the prior is not there.
    """
    _, high = study.bounds()
    for name, cap in zip(study.names, high.tolist(), strict=True):
        floor = study.space.floor.get(name, 0.0)
        if floor > cap + 1e-9:
            raise ConfigError(
                f"study {study.name!r}: space.floor of {name!r} is {floor:g}, but its {study.rows[name]:,} rows and "
                f"space.max_epochs cap it at {cap:.4g}: lower the floor or final.steps, or raise space.max_epochs"
            )
    try:
        study.recipe(study.proportional())
        searcher.suggest(study, (), study.rng(0))
    except ValueError as error:
        raise ConfigError(
            f"study {study.name!r}: the space allows no mixture: {error}; raise space.max_epochs or space.cap, or "
            f"lower final.steps"
        ) from error
    except (NotReady, SearchExhausted):
        pass  # it needs a trial first, which is no mistake of the study's
