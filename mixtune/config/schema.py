"""The keys of a study file and what each may hold. Defaults are not here: what is not given is left to the values."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal, Required, TypeAlias

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, with_config
from pydantic import JsonValue as Json
from typing_extensions import TypedDict

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
Method = Literal["none", "dynamic", "infobatch"]
Methods = Annotated[
    Annotated[Method, Tag("one")] | Annotated[Annotated[list[Method], Field(min_length=1)], Tag("many")],
    Discriminator(_count),
]
Strength = Annotated[float, Field(ge=1)]
QueryEnd = Annotated[float, Field(ge=2)]
CutoffEnd = Annotated[float, Field(gt=0, lt=1)]
Strengths = Annotated[
    Annotated[Strength, Tag("one")] | Annotated[Annotated[list[Strength], Field(min_length=1)], Tag("many")],
    Discriminator(_count),
]
QueryEnds = Annotated[
    Annotated[QueryEnd, Tag("one")] | Annotated[Annotated[list[QueryEnd], Field(min_length=1)], Tag("many")],
    Discriminator(_count),
]
CutoffEnds = Annotated[
    Annotated[CutoffEnd, Tag("one")] | Annotated[Annotated[list[CutoffEnd], Field(min_length=1)], Tag("many")],
    Discriminator(_count),
]
Size = Annotated[int, Field(ge=0)]
Sizes = Annotated[
    Annotated[Size, Tag("one")] | Annotated[Annotated[list[Size], Field(min_length=1)], Tag("many")],
    Discriminator(_count),
]
Counts = Annotated[
    Annotated[Count, Tag("one")] | Annotated[Annotated[list[Count], Field(min_length=1)], Tag("many")],
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
    mine: Annotated[int, Field(ge=0)]
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
class TeacherEntry(TypedDict):
    """A model whose scores a loss learns from."""

    model: Text
    kind: Literal["cross-encoder", "sentence-transformer"]


@with_config(STRICT)
class ProxyEntry(TypedDict, total=False):
    """The short run that stands in for the real training."""

    trainable: Annotated[str, AfterValidator(_trainable)]
    steps: Count
    batch_size: Annotated[int, Field(ge=2)]
    learning_rate: Positive
    loss: Literal["dual", "in-batch", "infonce", "margin-mse"]
    teacher: TeacherEntry
    batch_teacher: TeacherEntry
    teacher_scale: Literal["matched", "raw"]
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


@with_config(STRICT)
class PruningEntry(TypedDict, total=False):
    """Which pairs of a source are used during a run; of a list the search chooses one value."""

    method: Methods
    query_end: QueryEnds
    cutoff_end: CutoffEnds
    strength: Strengths
    refresh: Annotated[int, Field(ge=0)]
    least: Count


@with_config(STRICT)
class BatchingEntry(TypedDict, total=False):
    """How the batches of a source are composed; of a list the search chooses one value."""

    topics: Sizes
    clusters: Count
    margin_bins: Counts


SearchEntry: TypeAlias = dict[str, Json]
"""The algorithm, and its own settings beside it, which the algorithm itself checks."""


@with_config(STRICT)
class BudgetEntry(TypedDict, total=False):
    """When the search ends."""

    runs: Positive
    trials: Count
    seconds: Positive
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
    finalists: Count
    finalist_seeds: Count
    warn_epochs: Positive


@with_config(STRICT)
class ObjectiveEntry(TypedDict, total=False):
    """What the search maximises on dev."""

    metric: Annotated[str, AfterValidator(_metric)]
    aggregate: Literal["weighted", "macro", "worst"]


@with_config(STRICT)
class CompareEntry(TypedDict, total=False):
    """Searchers on this study against each other: label -> settings, with the algorithm where the label is not it."""

    searchers: Required[Annotated[dict[Text, dict[str, Json] | None], Field(min_length=1)]]
    replicates: Count
    equal: Literal["flops", "trials", "seconds"]


@with_config(STRICT)
class StudyEntry(TypedDict, total=False):
    """The whole file, its keys in the order in which we write them."""

    name: Name
    model: Text
    proxy: ProxyEntry
    sources: dict[Name, SourceEntry]
    targets: dict[Name, TargetEntry]
    decontaminate: Literal["none", "queries", "all"]
    space: SpaceEntry
    pruning: PruningEntry
    batching: BatchingEntry
    search: SearchEntry
    compare: CompareEntry
    budget: BudgetEntry
    stopping: StoppingEntry
    final: FinalEntry
    objective: ObjectiveEntry
    seed: Annotated[int, Field(ge=0)]
    db: Text
