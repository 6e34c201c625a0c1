"""What a store of studies must do. The database is the truth: every change is committed before anyone acts on it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from mixtune.comparison import Comparison
from mixtune.measurement import Scores
from mixtune.proposal import Role
from mixtune.recipe import Recipe
from mixtune.study import Study, StudyState
from mixtune.trial import Trial, TrialState

LEASE_SECONDS = 30.0
"""A lease that was not renewed for this long is dead, wherever its holder ran."""


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study as stored. reason says why it stopped or failed; versions are those of the libraries that ran it.

    driven says that somebody held the study's lease and lived when the record was read. A tuner that is killed leaves
    its study `running`: `told` is what to tell people.
    """

    study: Study
    state: StudyState
    uid: str
    created: float
    updated: float
    reason: str = ""
    versions: dict[str, str] | None = None
    driven: bool = False

    @property
    def told(self) -> "StudyRecord":
        """The record with a running study that nobody drives shown as what it is: stopped."""
        if self.state is not StudyState.RUNNING or self.driven:
            return self
        return replace(self, state=StudyState.STOPPED, reason="its tuner is gone (killed, or its machine is)")


@dataclass(frozen=True, slots=True)
class ComparisonRecord:
    """A comparison as stored. Its members are studies of their own, see Comparison.members."""

    comparison: Comparison
    created: float
    updated: float


@dataclass(frozen=True, slots=True)
class Twin:
    """A complete trial found by its fingerprint: the study that it is of, and its per-query test scores."""

    study: str
    trial: Trial
    scores: Scores


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a study's rows. A later lease has a higher fence, and writes under a lower one are refused."""

    study: str
    owner: str
    fence: int


class AttemptOutcome(StrEnum):
    """How one attempt at a trial went."""

    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    LOST = "lost"
    """It ended without an account: the trial was queued or begun again, and nothing said why."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a trial. error is its own traceback, which outlives the success of a later attempt."""

    number: int
    attempt: int
    outcome: AttemptOutcome
    started: float | None = None
    finished: float | None = None
    node: str | None = None
    pid: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """A line of a list of trials: what is shown, without what was measured (cost_flops is 0 before that).

    stopped_at is the step at which a pruned trial was ended, None for all others. reused is that of the Trial.
    """

    number: int
    role: Role
    label: str
    state: TrialState
    attempt: int
    recipe: Recipe
    score: float | None
    cost_flops: float
    node: str | None
    pid: int | None
    started: float | None
    finished: float | None
    stopped_at: int | None = None
    reused: str = ""


class Store(Protocol):
    """Studies, their trials and the lease that lets one tuner at a time drive a study.

    Reading needs no lease. Every method is one transaction. Methods may be called from any thread. What is stored is
    read back equal, except that characters no database holds (NUL, unpaired surrogates) in a trial's error and a
    study's reason become backslash escapes. Numbers that are not finite are refused with ValueError.
    """

    def create_study(self, study: Study) -> StudyRecord:
        """Add a study, queued. Raises StudyExists if a study or a comparison has the name."""
        ...

    def study(self, name: str) -> StudyRecord:
        """One study. Raises StudyNotFound, naming the nearest name there is."""
        ...

    def studies(self) -> list[StudyRecord]:
        """All studies, oldest first."""
        ...

    def delete_study(self, name: str) -> None:
        """Remove a study and its trials. Raises StudyNotFound; LeaseHeld while a living tuner drives it."""
        ...

    def update_study(
        self,
        lease: Lease,
        *,
        study: Study | None = None,
        state: StudyState | None = None,
        reason: str | None = None,
        versions: dict[str, str] | None = None,
        add: Sequence[Trial] = (),
    ) -> StudyRecord:
        """Change what is given and add trials, all or nothing. Raises LeaseLost."""
        ...

    def trials(self, name: str) -> list[Trial]:
        """All trials in number order. Raises StudyNotFound."""
        ...

    def summaries(self, name: str) -> list[TrialSummary]:
        """All trials in number order, for showing: several times faster than `trials`. Raises StudyNotFound."""
        ...

    def attempts(self, name: str, number: int) -> list[Attempt]:
        """All attempts at a trial, first one first. Raises StudyNotFound, StoreError for an unknown number."""
        ...

    def add_trial(self, lease: Lease, trial: Trial) -> None:
        """Add a trial; its number must be the next one. Raises LeaseLost, StoreError for a number that is taken."""
        ...

    def update_trial(self, lease: Lease, trial: Trial, scores: Scores | None = None) -> None:
        """Replace a trial's row, and store per-query test scores with it. Raises LeaseLost, StoreError if unknown.

        The attempts are kept from what is stored: one whose trial is queued or begun again is `failed` if that
        brings a new error, else `lost`.
        """
        ...

    def scores(self, name: str, number: int) -> Scores:
        """Per-query test scores of a judged trial, empty if it has none.

        Raises StudyNotFound, StoreError for an unknown number.
        """
        ...

    def acquire(self, name: str, owner: str) -> Lease:
        """Take the lease of a study: free, expired, or held by a process of this host that is gone.

        owner names the process (see store.lease.process_owner). Raises StudyNotFound; LeaseHeld, saying by whom.
        """
        ...

    def renew(self, lease: Lease) -> None:
        """Keep the lease alive for another LEASE_SECONDS. Raises LeaseLost."""
        ...

    def release(self, lease: Lease) -> None:
        """Give the lease back. Does nothing if it is lost already."""
        ...

    def twin(self, fingerprint: str) -> Twin | None:
        """A complete trial of any study with that fingerprint, None if there is none.

        The oldest that ran itself; where its study was removed, the oldest that took it over.
        """
        ...

    def create_comparison(self, comparison: Comparison) -> ComparisonRecord:
        """Add a comparison without members. Raises StudyExists if a study or a comparison has the name."""
        ...

    def comparison(self, name: str) -> ComparisonRecord:
        """One comparison. Raises StudyNotFound."""
        ...

    def comparisons(self) -> list[ComparisonRecord]:
        """All comparisons, oldest first."""
        ...

    def update_comparison(self, comparison: Comparison) -> ComparisonRecord:
        """Replace what is stored under the comparison's name. Raises StudyNotFound."""
        ...

    def delete_comparison(self, name: str) -> None:
        """Remove a comparison and all its members, or nothing.

        Raises StudyNotFound; LeaseHeld while a living tuner drives a member.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
