"""The neutral mixture file: a recipe with everything that someone else's trainer needs, as validated JSON."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from mixtune.batching import Batching
from mixtune.contamination import Contamination
from mixtune.errors import ConfigError
from mixtune.prompts import Prompts
from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Mixture, Recipe
from mixtune.source import Columns, Source

SCHEMA = "mixtune/mixture/1"

_OPTIONS = {field.name for field in fields(Source)} - {"name", "kind", "location", "weight"}
"""What a source's uri may say after its location."""


class _Part(BaseModel):
    """Frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FinalBudget(_Part):
    """The training that the mixture is for: optimiser steps, pairs per batch, and pairs in all."""

    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    rows: int = Field(ge=1)


class SourceEntry(_Part):
    """One source: where it is, what it held when the study read it, and its part in the mixture.

    uri is read by `source_at`. revision is what was read there: a hub's commit, or the version of a package (None: it
    has none). rows and sha256 describe the whole source; kept is the share that static pruning leaves, kept_rows that
    many pairs. floor and cap bounded the weight in the search. implied_epochs are the passes over the kept rows at the
    file's budget. left_out are numbers of rows, as `read_source` gives them, that the study took out because its dev or
    test holds their texts: rows and sha256 are told without them.
    """

    name: str
    uri: str
    revision: str | None = None
    rows: int = Field(ge=1)
    sha256: str
    weight: float = Field(ge=0, le=1)
    kept: float = Field(gt=0, le=1)
    kept_rows: int = Field(ge=1)
    floor: float = Field(ge=0, le=1)
    cap: float = Field(ge=0, le=1)
    implied_epochs: float = Field(ge=0)
    left_out: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _counts_agree(self) -> Self:
        if self.kept_rows > self.rows:
            raise ValueError(f"kept_rows is {self.kept_rows}, but source {self.name!r} has {self.rows} rows")
        return self


class Prior(_Part):
    """The mixture that the user had before any search: `expert` weights, else `proportional` to rows."""

    kind: Literal["expert", "proportional"]
    weights: dict[str, float]


class MetricEntry(_Part):
    """What the mixture scored: metric name, mean value, 95 % interval, and the number of seeds behind it."""

    name: str
    value: float | None
    ci: tuple[float, float] | None
    seeds: int = Field(ge=0)


class ScheduleEntry(_Part):
    """The numbers of a pruning schedule, as mixtune.pruning.Schedule has them."""

    query_end: float = Field(ge=2)
    cutoff_end: float = Field(gt=0, lt=1)
    strength: float = Field(ge=1)
    refresh: int = Field(ge=0)


class BatchingEntry(_Part):
    """How batches are composed, as mixtune.batching.Batching has it."""

    topics: int = Field(default=0, ge=0)
    clusters: int = Field(default=1, ge=1)
    margin_bins: int = Field(default=1, ge=1)


class MixtureFile(_Part):
    """A mixture as written to disk. Weights are shares of batches, one source per batch (`unit`: batches).

    pruning names what decides which pairs are used: `none`, `static` (the best `kept` of each source), or a schedule
    over the kept pairs, `dynamic` with the numbers in `schedule`, or `infobatch`. keep_least is the number of pairs
    below which nothing prunes a source. batch_policy says how a batch is put together from its source: `random`
    (without replacement within a pass, then a new pass), `topics`, or `mixed`, rows of all sources alike, whose losses
    the weights multiply (`unit`: loss); batching holds the numbers. Files from before these fields say nothing of them,
    read as no schedule and random batches. negatives is how many hard negatives each pair of a
    source that has them brings; files from before this field say nothing, read as 0. precision is that of the study's
    runs, as Proxy.precision; older files say nothing, read as `auto`.
    contamination is what the sources were found to share with the study's dev and test, before any row was left out;
    None where nobody has looked. created is UTC, ISO 8601.
    """

    format: Literal["mixtune/mixture/1"] = Field(alias="schema")
    study: str
    trial: int | None
    unit: Literal["batches", "loss"] = "batches"
    budget: FinalBudget
    sources: tuple[SourceEntry, ...] = Field(min_length=1)
    pruning: Literal["none", "static", "dynamic", "infobatch"]
    schedule: ScheduleEntry | None = None
    keep_least: int = Field(default=1, ge=1)
    batch_policy: Literal["random", "topics", "mixed"] = "random"
    batching: BatchingEntry = BatchingEntry()
    negatives: int = Field(default=0, ge=0)
    precision: str = Field(default="auto", pattern="^(auto|fp32|bf16)$")
    prior: Prior
    metric: MetricEntry
    contamination: Contamination | None = None
    versions: dict[str, str]
    created: str

    @model_validator(mode="after")
    def _is_a_mixture(self) -> Self:
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"sources named twice: {', '.join(twice)}")
        if abs(sum(source.weight for source in self.sources) - 1) > 1e-6:
            raise ValueError(f"weights must sum to 1, got {sum(source.weight for source in self.sources)!r}")
        if (self.pruning == "dynamic") is (self.schedule is None):
            raise ValueError(f"pruning is {self.pruning!r}: a schedule stands beside `dynamic`, and nothing else")
        policy = "mixed" if self.unit == "loss" else "topics" if self.batching.topics else "random"
        if policy != self.batch_policy:
            raise ValueError(
                f"batch_policy is {self.batch_policy!r}, but unit {self.unit!r} and batching.topics "
                f"{self.batching.topics} make it {policy!r}"
            )
        return self

    @property
    def recipe(self) -> Recipe:
        """The recipe, exactly as it was exported."""
        kept = {source.name: source.kept for source in self.sources}
        schedule = None
        if self.schedule is not None:
            schedule = Schedule("dynamic", **self.schedule.model_dump())
        elif self.pruning == "infobatch":
            schedule = Schedule("infobatch")
        return Recipe(
            Mixture({source.name: source.weight for source in self.sources}),
            Pruning(kept, schedule, self.keep_least),
            Batching(**self.batching.model_dump(), mixed=self.batch_policy == "mixed"),
        )

    @property
    def beyond_sampling(self) -> tuple[str, ...]:
        """What of the recipe a plain sampler of batches cannot carry over, in words; empty for most."""
        told = []
        if self.pruning in ("dynamic", "infobatch"):
            told.append(
                f"pruning schedule {self.pruning}, which needs scores of the model as it trains (every pass draws all "
                "kept pairs)"
            )
        if self.batch_policy == "topics":
            told.append(f"topics of about {self.batching.topics} queries (rows are drawn at random from their source)")
        if self.batch_policy == "mixed":
            told.append("weights of the loss in batches of all sources (they are drawn as shares of batches)")
        if self.batching.margin_bins > 1:
            told.append(f"{self.batching.margin_bins} bins of the teacher's margin (pairs are drawn as they come)")
        return tuple(told)

    @property
    def drawn(self) -> tuple[SourceEntry, ...]:
        """The sources that have any weight, in the order of the file."""
        return tuple(source for source in self.sources if source.weight > 0)

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def read_mixture(path: str | Path) -> MixtureFile:
    """Read and validate a mixture file.

    Raises:
        ConfigError: no such file, not JSON, an unknown schema or key, or values that make no mixture.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read mixture file {str(path)!r} ({error.strerror}): write one with `mixtune export`"
        ) from error
    try:
        return MixtureFile.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'file'}: {fault['msg']}" for fault in error.errors()
        )
        raise ConfigError(f"{str(path)!r} is not a mixture file of schema {SCHEMA!r}: {faults}") from error


def source_uri(source: Source) -> str:
    """Where a source's pairs come from, as one string: kind:location?split=...&limit=...&corrupt=...

    What else decides the pairs follows where it was given: further locations (also=...), columns and prompts as JSON,
    min_score, config, revision, streaming and mine.

    Raises:
        ValueError: the kind holds a colon.
    """
    if ":" in source.kind:
        raise ValueError(f"a source kind has no colon, got {source.kind!r}")
    first, *others = source.locations
    given = {
        "also": others,
        "split": source.split,
        "limit": source.limit,
        "corrupt": source.corrupt or None,
        "columns": None if source.columns is None else _given(source.columns),
        "min_score": source.min_score,
        "config": source.config,
        "revision": source.revision,
        "streaming": source.streaming or None,
        "mine": source.mine or None,
        "prompts": None if source.prompts == Prompts() else _given(source.prompts),
    }
    query = {key: value for key, value in given.items() if value is not None and value != []}
    return f"{source.kind}:{quote(first)}?{urlencode(query, doseq=True)}"


def _given(value: Columns | Prompts) -> str:
    return json.dumps({key: each for key, each in asdict(value).items() if each})


def source_at(name: str, uri: str) -> Source:
    """The source behind a uri of `source_uri`.

    Raises:
        ValueError: not such a uri.
    """
    kind, colon, rest = uri.partition(":")
    location, _, query = rest.partition("?")
    pairs = parse_qsl(query)
    options: dict[str, object] = {key: value for key, value in pairs if key != "also"}
    also = [value for key, value in pairs if key == "also"]
    if not (kind and colon and location) or not options.keys() <= _OPTIONS:
        raise ValueError(f"not a source uri: {uri!r} (kind:location?split=...&limit=...&corrupt=...)")
    parts: dict[str, object] = {key: json.loads(str(options[key])) for key in ("columns", "prompts") if key in options}
    first = unquote(location)
    whole: dict[str, object] = {
        **options,
        **parts,
        "name": name,
        "kind": kind,
        "location": (first, *also) if also else first,
    }
    return TypeAdapter(Source).validate_python(whole)
