"""The keys of a study file and what each may hold. Defaults are not here: what is not given is left to the values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Required, TypeAlias, get_args, get_type_hints

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError, with_config
from pydantic import JsonValue as Json
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict, is_typeddict

from mixtune.config.problems import Place, Problem, dotted, unknown_name

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise ValueError("letters, digits, `.`, `_` and `-`, at most 100, starting with a letter or digit")
    return text


def _metric(text: str) -> str:
    if not re.fullmatch(r"(ndcg|recall|mrr|map)@[1-9]\d{0,3}", text):
        raise ValueError("ndcg@K, recall@K, mrr@K or map@K in lower case, such as ndcg@10")
    return text


def _trainable(text: str) -> str:
    if not re.fullmatch(r"head|all|last:[1-9]\d{0,2}", text):
        raise ValueError("`head`, `all`, or `last:N` such as last:2")
    return text


def _form(value: object) -> str:
    return "each" if isinstance(value, dict) else "all"


def _count(value: object) -> str:
    return "many" if isinstance(value, list) else "one"


Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Kept = Annotated[float, Field(gt=0, le=1)]
Shares = Annotated[Annotated[Share, Tag("all")] | Annotated[dict[str, Share], Tag("each")], Discriminator(_form)]
Levels = Annotated[list[Kept], Field(min_length=1)]
Keep = Annotated[Annotated[Levels, Tag("all")] | Annotated[dict[str, Levels], Tag("each")], Discriminator(_form)]
Texts = Annotated[
    Annotated[Text, Tag("one")] | Annotated[Annotated[list[Text], Field(min_length=1)], Tag("many")],
    Discriminator(_count),
]
Kind = Literal["beir", "csv", "docstrings", "hub", "jsonl", "parquet"]
TaskKind = Literal["beir", "docstrings", "hub"]


@dataclass(frozen=True, slots=True)
class KindKeys:
    """What the entries of one kind may say: where its rows are (`location`), and what else only some kinds have."""

    location: Literal["package", "path"]
    source: frozenset[str]
    target: frozenset[str] = frozenset()
    many: bool = False


_TABLE = frozenset({"columns", "min_score"})
KINDS: dict[str, KindKeys] = {
    "beir": KindKeys("path", frozenset({"split"})),
    "csv": KindKeys("path", _TABLE, many=True),
    "docstrings": KindKeys("package", frozenset({"split"})),
    "hub": KindKeys("path", _TABLE | {"split", "config", "revision", "streaming"}, frozenset({"revision"})),
    "jsonl": KindKeys("path", _TABLE, many=True),
    "parquet": KindKeys("path", _TABLE, many=True),
}
"""Kind -> its keys. `many`: path may be a list, a folder or a pattern."""


@with_config(STRICT)
class ColumnsEntry(TypedDict, total=False):
    """Which columns of a table hold what; columns that are not named are not read."""

    query: Required[Text]
    positive: Required[Texts]
    negative: Texts
    scores: Texts
    weight: Text


@with_config(STRICT)
class PromptsEntry(TypedDict, total=False):
    """Put before each query and each document."""

    query: str
    document: str


@with_config(STRICT)
class SourceEntry(TypedDict, total=False):
    """One source. docstrings reads an installed `package` (`stdlib`: the standard library), the others a `path`."""

    kind: Required[Kind]
    package: Text
    path: Texts
    split: Text
    config: Text
    revision: Text
    streaming: bool
    columns: ColumnsEntry
    min_score: float
    prompts: PromptsEntry
    limit: Annotated[int, Field(ge=2)]
    corrupt: Share
    weight: NotNegative


@with_config(STRICT)
class TargetEntry(TypedDict, total=False):
    """One target: dev steers the search, test is only reported."""

    kind: Required[TaskKind]
    package: Text
    path: Text
    revision: Text
    prompts: PromptsEntry
    dev: Text
    test: Text
    weight: NotNegative
    pool: Annotated[int, Field(ge=0)]


@with_config(STRICT)
class ProxyEntry(TypedDict, total=False):
    """The short run that stands in for the real training."""

    trainable: Annotated[str, AfterValidator(_trainable)]
    steps: Count
    batch_size: Annotated[int, Field(ge=2)]
    learning_rate: Positive
    loss: Literal["infonce", "margin-mse"]
    negatives: Annotated[int, Field(ge=0)]
    temperature: Positive
    schedule: Literal["constant", "linear"]
    warmup: Share
    weight_decay: NotNegative
    max_length: Annotated[int, Field(ge=4)]
    precision: Literal["auto", "fp32", "bf16"]


@with_config(STRICT)
class SpaceEntry(TypedDict, total=False):
    """The recipes that may be visited."""

    mapping: Literal["softmax", "-log", "stick-breaking"]
    floor: Shares
    cap: Shares
    must_include: list[str]
    at_most: Count
    max_epochs: Positive
    keep: Keep


SearchEntry: TypeAlias = dict[str, Json]
"""The algorithm, and its own settings beside it, which the algorithm itself checks."""


@with_config(STRICT)
class BudgetEntry(TypedDict, total=False):
    """When the search ends."""

    runs: Positive
    trials: Count
    workers: Count
    max_failures: Count


@with_config(STRICT)
class StoppingEntry(TypedDict, total=False):
    """When a fresh run of the search is ended early."""

    first: Required[Count]
    reduction: Annotated[int, Field(ge=2)]


@with_config(STRICT)
class FinalEntry(TypedDict, total=False):
    """The training that the recipe is for."""

    steps: Count
    batch_size: Annotated[int, Field(ge=2)]
    seeds: Count


@with_config(STRICT)
class ObjectiveEntry(TypedDict, total=False):
    """What the search maximises on dev."""

    metric: Annotated[str, AfterValidator(_metric)]
    aggregate: Literal["weighted", "macro", "worst"]


@with_config(STRICT)
class StudyEntry(TypedDict, total=False):
    """The whole file, its keys in the order in which we write them."""

    name: Name
    model: Text
    proxy: ProxyEntry
    sources: dict[Name, SourceEntry]
    targets: dict[Name, TargetEntry]
    space: SpaceEntry
    search: SearchEntry
    budget: BudgetEntry
    stopping: StoppingEntry
    final: FinalEntry
    objective: ObjectiveEntry
    seed: Annotated[int, Field(ge=0)]
    db: Text


REQUIRED = ("name", "sources", "targets", "search", "budget")
"""Keys without which there is no study."""

WHOLE = ("budget", "stopping")
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
    problems = [_lacks((), key) for key in REQUIRED if key not in value]
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
        return _lacks(place, str(detail["loc"][-1]))
    allowed = ALLOWED[detail["type"]].format(**detail.get("ctx", {}))
    if detail["loc"][-1] == "[key]":
        return Problem(place, f"{dotted(place[:-1])} has the name {place[-1]!r}; allowed: {allowed}")
    return Problem(place, f"{dotted(place)} is {_shown(detail['input'])}; allowed: {allowed}")


def _lacks(place: Place, key: str) -> Problem:
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
