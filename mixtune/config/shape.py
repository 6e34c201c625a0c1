"""Whether a study file has the shape of its schema: what has, and in words what has not."""

from collections.abc import Sequence
from typing import Any, get_args, get_type_hints

from pydantic import JsonValue as Json
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import is_typeddict

from mixtune.config.problems import Place, Problem, dotted, unknown_name
from mixtune.config.schema import StudyEntry

REQUIRED = ("name", "sources", "targets", "budget")
"""Keys without which there is no study; a file has `search` or `compare` besides."""

WHOLE = ("budget", "stopping", "compare")
"""Parts that mean nothing without the key that is wrong in them."""

ALLOWED = {
    "string_type": "text (quote it)",
    "string_too_short": "text that is not empty",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "list_type": "a list",
    "dict_type": "a mapping, one `key: value` a line",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "less_than": "a number below {lt}",
    "literal_error": "{expected}",
    "too_short": "at least one item",
    "value_error": "{error}",
}
"""What pydantic finds wrong -> what would be right."""


def shape(value: dict[str, Json]) -> tuple[StudyEntry, list[Problem]]:
    """The parts of a file that have the right shape, holding only what was given, and what is wrong with the rest.

    What is wrong is left out with everything below the second level: a source, a target, a bound of the space.
    """
    adapter = TypeAdapter(StudyEntry)
    problems = [lacks((), key) for key in REQUIRED if key not in value]
    try:
        return adapter.validate_python(value), problems
    except ValidationError as error:
        problems += [_problem(detail, value) for detail in error.errors(include_url=False)]
    good = dict(value)
    for problem in problems:
        part, *inside = problem.place
        entries = good.get(str(part))
        if part not in WHOLE and inside and isinstance(entries, dict):
            good[str(part)] = {name: each for name, each in entries.items() if name != inside[0]}
        else:
            good.pop(str(part), None)
    return adapter.validate_python(good), problems


def _problem(detail: ErrorDetails, value: dict[str, Json]) -> Problem:
    place = _place(detail["loc"], value)
    if detail["type"] == "extra_forbidden":
        return unknown_name(place[:-1], str(place[-1]), "key", _keys(place[:-1]))
    if detail["type"] == "missing":
        return lacks(place, str(detail["loc"][-1]))
    allowed = ALLOWED[detail["type"]].format(**detail.get("ctx", {}))
    if detail["loc"][-1] == "[key]":
        return Problem(place, f"{dotted(place[:-1])} has the name {place[-1]!r}; allowed: {allowed}")
    return Problem(place, f"{dotted(place)} is {_shown(detail['input'])}; allowed: {allowed}")


def lacks(place: Place, key: str) -> Problem:
    """A key that must be there and is not."""
    return Problem((*place, key), f"{dotted(place) or 'the file'} lacks the key {key!r}")


def _place(location: Sequence[str | int], value: Json) -> Place:
    """The part of pydantic's location that stands in the file (it also names union members and missing keys)."""
    if not location:
        return ()
    part, rest = location[0], location[1:]
    if isinstance(value, dict) and isinstance(part, str) and part in value:
        return (part, *_place(rest, value[part]))
    if isinstance(value, list) and isinstance(part, int):
        return (part, *_place(rest, value[part]))
    return _place(rest, value)


def _keys(place: Place) -> list[str]:
    """The keys that are known at a place whose schema is a mapping of fixed keys."""
    schema: Any = StudyEntry
    for part in place:
        schema = get_type_hints(schema)[str(part)] if is_typeddict(schema) else get_args(schema)[1]
    return list(get_type_hints(schema))


def _shown(value: object) -> str:
    text = "empty" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
