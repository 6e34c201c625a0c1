"""A training source as the study names it, and what reading it showed."""

from dataclasses import dataclass, field

from mixtune.prompts import Prompts

LEAST_SCORE = 0.5
"""Scored pairs count as positives from this score on, where a source does not say another (ours)."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table hold what.

    A cell of query is one text. The cells of positive and negative, over all of their columns, are one text or a list
    of texts each; a text may be an object with `text` and perhaps `title`. The numbers of scores, over all of its
    columns, are a teacher's: one for each positive, then one for each negative. One score a row and no negatives
    makes scored pairs. weight is what a row's loss is multiplied with.
    """

    query: str
    positive: tuple[str, ...]
    negative: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    weight: str | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """All columns that are read, each once."""
        weight = [self.weight] if self.weight else []
        return tuple(dict.fromkeys((self.query, *self.positive, *self.negative, *self.scores, *weight)))


@dataclass(frozen=True, slots=True)
class Source:
    """Where the (query, positive) training pairs of one source come from.

    kind names a reader; location is what that reader opens: an installed package (`docstrings`), a folder (`beir`), a
    data set on the hub or a local copy of one (`hub`), or files, folders and patterns (`jsonl`, `csv`, `parquet`).
    split is that of docstrings, beir and hub. config, revision and streaming are those of hub; a streamed source is
    the first `limit` rows of a shuffled stream. columns None means that the usual names are looked for. Of scored
    pairs, those of at least min_score are positives; None means LEAST_SCORE, for scores from 0 to 1.

    limit keeps a seeded sample of that many rows. corrupt is the share of rows whose positives are permuted, for
    controlled experiments. mine is how many hard negatives each pair gets from the source's own documents when a study
    is prepared, 0 for none; a source that brings its own keeps those and mines none. weight is the user's expert
    weight, unnormalised: None where nothing was said, and 0 takes the source out of every mixture.
    """

    name: str
    kind: str
    location: str | tuple[str, ...]
    split: str = "train"
    limit: int | None = None
    corrupt: float = 0.0
    weight: float | None = None
    columns: Columns | None = None
    min_score: float | None = None
    config: str | None = None
    revision: str | None = None
    streaming: bool = False
    prompts: Prompts = field(default_factory=Prompts)
    mine: int = 0

    @property
    def locations(self) -> tuple[str, ...]:
        """Every place that the source is read from."""
        return (self.location,) if isinstance(self.location, str) else self.location


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What reading a source showed: pairs (rows), distinct queries, mean tokens per pair, and its content hash.

    revision is what was read: the commit of a hub's data set, or the version of the distribution that holds a package's
    docstrings (of Python for its standard library). None where there is none. left_out are the numbers of rows that
    were taken out because dev or test hold their texts (see mixtune.contamination); all else here is told without them.
    """

    rows: int
    unique_queries: int
    tokens_per_pair: float
    sha256: str
    revision: str | None = None
    left_out: tuple[int, ...] = ()
