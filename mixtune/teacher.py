"""A model whose scores a student learns from."""

from dataclasses import dataclass

KINDS = ("cross-encoder", "sentence-transformer")
"""What a teacher may be, by the name of its class in sentence-transformers."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """A teacher: any model of sentence-transformers that scores a document for a query.

    model is a name on the hub, a folder, or the offline model; it is never trained. A `cross-encoder` reads both texts
    together, and its score is its logit, without a sigmoid. A `sentence-transformer` embeds them, and its score is 20
    times their cosine (the usual scale; ours). Both see the texts with the source's prompts before them.

    Raises:
        ValueError: there is no such kind.
    """

    model: str
    kind: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a teacher's kind is one of {', '.join(KINDS)}, got {self.kind!r}")
