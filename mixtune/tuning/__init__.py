"""Tuning: which trial comes next, Ray that runs it, and the store that keeps it.

`as_ray` and `described` are for trainables of your own. `as_ray` is loaded when it is asked for, and Ray with it.
"""

from typing import TYPE_CHECKING

from mixtune.tuning.description import described

if TYPE_CHECKING:
    from mixtune.tuning.asray import as_ray

__all__ = ["as_ray", "described"]


def __getattr__(name: str) -> object:
    if name != "as_ray":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mixtune.tuning.asray import as_ray

    return as_ray
