"""What is wrong with a study file, in words: the place, the value, what is allowed and the nearest known name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

from mixtune.errors import ConfigError

Place: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the top of the file."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct: where, and a sentence. line is set where it is not the line of the place."""

    place: Place
    text: str
    line: int | None = None


def refusal(file: Path, lines: Mapping[Place, int], problems: Sequence[Problem]) -> ConfigError:
    """One error for all problems of a file, in the order of its lines."""
    numbered = sorted((problem.line or line_of(problem.place, lines), problem.text) for problem in problems)
    said = [f"{file}:{line}: {text}" for line, text in dict.fromkeys(numbered)]
    return ConfigError(said[0] if len(said) == 1 else "\n  ".join([f"{file} has {len(said)} problems:", *said]))


def line_of(place: Place, lines: Mapping[Place, int]) -> int:
    """Line of a place, or of the nearest place around it that stands in the file."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def dotted(place: Place) -> str:
    """A place as people write it: `sources.numpy.limit`, `space.keep[1]`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one, or None where none is alike."""
    spelled = {each.lower().replace("-", "_"): each for each in known}
    found = get_close_matches(name.lower().replace("-", "_"), spelled, n=1, cutoff=0.5)
    return spelled[found[0]] if found else None


def unknown_name(place: Place, name: str, what: str, known: Sequence[str]) -> Problem:
    """A name where only certain ones are known: `unknown source 'nunpy' in space.floor; did you mean 'numpy'?`."""
    inside = f" in {dotted(place)}" if place else ""
    alike = nearest(name, known)
    hint = f"did you mean {alike!r}?" if alike else f"known: {', '.join(known)}"
    return Problem((*place, name), f"unknown {what} {name!r}{inside}; {hint}")
