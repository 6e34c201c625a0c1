"""The answers that every store gives alike to what it cannot do."""

import difflib
from collections.abc import Sequence

from mixtune.errors import LeaseLost, StoreError, StudyExists, StudyNotFound
from mixtune.store.base import Lease
from mixtune.trial import Trial

FEW = 3
"""Names of studies that are told where none is like the one that was asked for."""


def no_such_study(name: str, names: Sequence[str], comparisons: Sequence[str] = ()) -> StudyNotFound:
    """Name the nearest study or comparison there is, or where none is near the first few."""
    names = [*comparisons, *names]
    if not names:
        return StudyNotFound(f"there is no study {name!r}, nor any other yet: `mixtune run FILE` makes one")
    nearest = difflib.get_close_matches(name, names, n=1)
    told = f"the nearest name is {nearest[0]!r}" if nearest else f"known: {', '.join(map(repr, names[:FEW]))}"
    return StudyNotFound(f"there is no study {name!r}; {told}, `mixtune ls` lists all")


def no_such_comparison(name: str, names: Sequence[str]) -> StudyNotFound:
    """Name the comparisons that there are."""
    known = f"known: {', '.join(map(repr, names[:FEW]))}, `mixtune ls` lists all" if names else "there is none yet"
    return StudyNotFound(f"there is no comparison {name!r}; {known}")


def is_comparison(name: str) -> StudyNotFound:
    """Say that a name is that of a comparison, where a study was asked for."""
    return StudyNotFound(
        f"{name!r} is a comparison, not a study: `mixtune show {name}` shows it, `mixtune ls --all` lists its studies"
    )


def name_taken(name: str) -> StudyExists:
    """Say how to get another name, or the old study."""
    return StudyExists(
        f"there is a study {name!r} already: choose another name, `mixtune resume {name}` to go on with it, or "
        f"`mixtune rm {name}` to remove it"
    )


def fenced_off(lease: Lease) -> LeaseLost:
    """Say that a writer's time is over."""
    return LeaseLost(
        f"study {lease.study!r} was taken over by another tuner (or removed) while this one was silent: nothing more "
        f"is written; `mixtune show {lease.study}` shows how it goes on"
    )


def no_such_trial(name: str, number: int) -> StoreError:
    """Say which trial is not there."""
    return StoreError(f"study {name!r} has no trial {number}: `mixtune trials {name}` lists them")


def require_next(name: str, expected: int, trial: Trial) -> None:
    """Refuse a new trial whose number is not the next one.

    Raises:
        StoreError: the number is taken, or leaves a gap.
    """
    if trial.number != expected:
        problem = "is taken" if trial.number < expected else "leaves a gap"
        raise StoreError(f"trial number {trial.number} {problem} in study {name!r}: the next one is {expected}")


def require_same_name(lease: Lease, name: str) -> None:
    """Refuse a specification of another name.

    Raises:
        StoreError: the name is not the leased study's.
    """
    if name != lease.study:
        raise StoreError(f"study {lease.study!r} cannot become {name!r}: a study keeps its name")
