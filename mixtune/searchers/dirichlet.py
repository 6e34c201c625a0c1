"""Mixtures drawn around a prior, as RegMix draws them."""

from dataclasses import dataclass

import numpy as np

from mixtune.recipe import FloatArray

STRENGTHS = np.logspace(-1, np.log10(5), 15)
"""Sums of the Dirichlet's parameters (the authors' code): at .1 nearly all weight lies on one source, 5 is tamer."""

MOST_OF_PRIOR = 15.0
"""A mixture with an entry above min(15 x prior, 1) is rejected (paper)."""

_TEMPERATURE = 0.5
"""The draws are centred on prior ** .5, normalised (the authors' code)."""

_PASSED = 0.1
"""Share of draws that have to pass the rejection; the strength is doubled until they do (ours)."""

_TRIED = 64
"""Draws by which that is seen."""


@dataclass(frozen=True, slots=True)
class Around:
    """Dirichlet draws around a prior, shape (M,), those above `limit` rejected.

    The paper has seventeen sources. With many of them, nearly every mixture of the authors' strengths gives some
    source more than 15 times its prior, so the strength is doubled until a tenth of a draw passes, and the centre keeps
    below half of each limit that is not 1 (both ours).
    """

    prior: FloatArray

    @property
    def limit(self) -> FloatArray:
        """The highest weights, shape (M,)."""
        return np.minimum(MOST_OF_PRIOR * self.prior, 1.0)

    @property
    def centre(self) -> FloatArray:
        """The mean of the draws before the rejection, shape (M,)."""
        high = np.where(self.limit < 1, self.limit / 2, 1.0)
        tempered = self.prior**_TEMPERATURE
        centre = np.minimum(tempered / tempered.sum(), high)
        room = high - centre
        return np.asarray(centre + (1 - centre.sum()) * room / max(room.sum(), 1e-300))

    def draw(self, rng: np.random.Generator, strength: float, size: int) -> FloatArray:
        """Of `size` draws those that pass, shape (at least 1, M)."""
        centre, limit = np.maximum(self.centre, 1e-12), self.limit * (1 + 1e-9)
        while (rng.dirichlet(strength * centre, _TRIED) <= limit).all(axis=1).mean() < _PASSED:
            strength *= 2
        while True:
            drawn = rng.dirichlet(strength * centre, size)
            passed = drawn[(drawn <= limit).all(axis=1)]
            if len(passed):
                return passed

    def one(self, rng: np.random.Generator) -> FloatArray:
        """A single mixture, shape (M,), at one of the strengths."""
        return np.asarray(self.draw(rng, float(rng.choice(STRENGTHS)), _TRIED)[0])
