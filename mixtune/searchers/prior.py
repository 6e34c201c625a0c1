"""The mixture that a search starts from."""

from typing import Literal, TypeAlias

from mixtune.errors import ConfigError
from mixtune.recipe import Mixture
from mixtune.study import Study

Prior: TypeAlias = Literal["proportional", "uniform", "expert"]


def prior_mixture(study: Study, prior: Prior) -> Mixture:
    """Weights of a prior: proportional to rows, all equal, or the user's own.

    Raises:
        ConfigError: `expert` is asked for and no source has a weight.
    """
    if prior == "proportional":
        return study.proportional()
    if prior == "uniform":
        return Mixture.uniform(study.names)
    expert = study.expert()
    if expert is None:
        raise ConfigError(
            "expert weights are asked for, but no source has a weight: give at least one source a `weight`, "
            "or choose proportional or uniform"
        )
    return expert
