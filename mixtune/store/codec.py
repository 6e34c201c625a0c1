"""Frozen values to plain JSON and back, exactly: every float returns with the same bits."""

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic import JsonValue as Json
from pydantic_core import PydanticSerializationError
from typing_extensions import TypeForm

T = TypeVar("T")


def to_json(value: object) -> dict[str, Json]:
    """Turn a frozen value (a Study, Trial, Proposal, Measurement, Preparation, Scores, ...) into plain JSON.

    Raises:
        ValueError: it holds a number that is not finite, text that is not Unicode, or something that is not plain
            (a numpy integer, an array).
    """
    kind = dict if isinstance(value, dict) else type(value)
    try:
        data = cast(Json, _adapter(kind).dump_python(value, mode="json", warnings="error"))
    except PydanticSerializationError as error:
        said = " ".join(str(error).split())
        raise ValueError(f"a {kind.__name__} cannot be stored, only plain values can: {said:.200}") from error
    _require_storable(data, kind.__name__)
    return cast(dict[str, Json], data)


def from_json(kind: TypeForm[T], data: Mapping[str, Json]) -> T:
    """Build a value of a type from what `to_json` made of it.

    Raises:
        ValueError: the data is not that of such a value.
    """
    try:
        return _adapter(kind).validate_python(data)
    except ValidationError as error:
        raise ValueError(_refusal(error)) from error


def to_text(value: object) -> str:
    """Turn a value into a line of JSON. Raises ValueError as `to_json` does."""
    return json.dumps(to_json(value), allow_nan=False, separators=(",", ":"))


def from_text(kind: TypeForm[T], text: str) -> T:
    """Build a value from what `to_text` made of it. Raises ValueError as `from_json` does."""
    try:
        return _adapter(kind).validate_json(text)
    except ValidationError as error:
        raise ValueError(_refusal(error)) from error


def from_texts(kind: TypeForm[list[T]], texts: Sequence[str]) -> list[T]:
    """Build a list of values from what `to_text` made of each, in one call. Raises ValueError as `from_json` does."""
    return from_text(kind, f"[{','.join(texts)}]")


def storable(text: str) -> str:
    """Text that every database holds: NUL and unpaired surrogates as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


def _adapter(kind: TypeForm[T]) -> TypeAdapter[T]:
    return cast(TypeAdapter[T], _cached_adapter(cast(Hashable, kind)))


@lru_cache(maxsize=64)
def _cached_adapter(kind: Hashable) -> TypeAdapter[object]:
    # A plain dict says nothing about its numbers, and pydantic would write those that are not finite as null.
    config = ConfigDict(ser_json_inf_nan="constants") if kind is dict else None
    return TypeAdapter(cast(type[object], kind), config=config)


def _refusal(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"not the JSON of a {error.title}: {where or 'value'}: {first['msg']}, got {first['input']!r:.80}{more}"


def _require_storable(data: Json, where: str) -> None:
    if isinstance(data, float):
        if not math.isfinite(data):
            raise ValueError(
                f"{where} is {data}: only finite numbers can be stored; leave the value out, or fail the trial"
            )
    elif isinstance(data, str):
        if storable(data) != data.replace("\x00", "\\x00"):
            raise ValueError(f"{where} is {data!r}: only Unicode text can be stored, without unpaired surrogates")
    elif isinstance(data, dict):
        for key, item in data.items():
            _require_storable(item, f"{where}.{key}")
    elif isinstance(data, list):
        for index, item in enumerate(data):
            _require_storable(item, f"{where}[{index}]")
