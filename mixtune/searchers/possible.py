"""Whether a study leaves its search algorithm anything to propose."""

from mixtune.errors import NotReady, SearchExhausted
from mixtune.feasible import no_mixture, require_mixture
from mixtune.searchers.base import Searcher
from mixtune.study import Study


def require_possible(study: Study, searcher: Searcher) -> None:
    """Find out before anything is trained that a study allows no mixture, or lacks what its algorithm starts from.

    Raises:
        DataError: the study has not been prepared.
        ConfigError: the bounds exclude each other, a keep level empties a source, or the prior is not there.
    """
    require_mixture(study)
    try:
        searcher.suggest(study, (), study.rng(0))
    except ValueError as error:
        raise no_mixture(study, error) from error
    except (NotReady, SearchExhausted):
        pass  # it needs a trial first, which is no mistake of the study's
