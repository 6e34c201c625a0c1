"""How long the rest of a study will take."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Pace:
    """Learns from the moments at which trials finish.

    The first finish starts the clock, so that cold workers and preparation do not count; until three trials have
    finished nothing is said.
    """

    finishes: list[float] = field(default_factory=list)

    def finished(self, now: float) -> None:
        """A trial has finished, at a moment in seconds."""
        self.finishes.append(now)

    def remaining(self, left: int, now: float) -> float | None:
        """Seconds until that many more trials have finished; None while it cannot be told."""
        if len(self.finishes) < 3:
            return None
        each = (self.finishes[-1] - self.finishes[0]) / (len(self.finishes) - 1)
        return max(0.0, left * each - (now - self.finishes[-1]))
