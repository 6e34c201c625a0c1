"""The two trainings of a study: the short proxy that its trials run, and the final one that it stands in for."""

from dataclasses import dataclass

from mixtune.teacher import Teacher


@dataclass(frozen=True, slots=True)
class Proxy:
    """The short training run that stands in for the real one.

    trainable is `head` (a dense layer on frozen embeddings), `last:n` (the last n transformer layers) or `all`.
    temperature divides the cosine in the contrastive loss (0.05 is the usual scale of 20). schedule is the learning
    rate after a linear warm-up over the share `warmup` of the steps: `constant` or `linear` decay to 0; rounds of a
    chain have no horizon and keep it constant. negatives is how many of its hard negatives each pair brings into a
    step (1, ours: triplets; 0 leaves them out). learning_rate None means 5e-4 for `head`, 5e-5 for `last:n`, 3e-5 for
    `all` (ours). precision is `auto` (bf16 autocast where the CPU has bf16 matrix instructions), `fp32` or `bf16`.

    loss is `infonce`; `margin-mse`, on pairs with a teacher's scores and hard negatives; `in-batch`, on all documents
    of the batch as batch_teacher scores them; or `dual`, both of these (TAS-B, arXiv 2104.06967). teacher scores each
    pair's positive and hard negatives, None: the scores are in the data. batch_teacher scores every document of a
    batch for every query; beside `infonce` it says which of them are no negatives. A cross-encoder as batch_teacher
    scores about 2 batch_size ** 2 pairs of texts a step, which only trials that draw the same batches share.

    teacher_scale says what a teacher's margins are divided by, once for a study: `matched` (ours) makes them spread
    as the untrained student's do, whose cosine, unlike the dot product in the paper, cannot grow to the teacher's
    scale; `raw` leaves them as they are (the paper), for a teacher whose scores stand on the scale of
    cosine / temperature.
    """

    trainable: str = "head"
    steps: int = 300
    batch_size: int = 32
    learning_rate: float | None = None
    loss: str = "infonce"
    temperature: float = 0.05
    schedule: str = "constant"
    warmup: float = 0.0
    weight_decay: float = 0.0
    max_length: int = 128
    precision: str = "auto"
    negatives: int = 1
    teacher: Teacher | None = None
    batch_teacher: Teacher | None = None
    teacher_scale: str = "matched"

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        if self.learning_rate is not None:
            return self.learning_rate
        return {"head": 5e-4, "all": 3e-5}.get(self.trainable, 5e-5)


@dataclass(frozen=True, slots=True)
class Final:
    """The training that the recipe is for (its steps decide the implied epochs), and the seeds that judge it.

    seeds 0 leaves judging out: no baselines, no runs of the recommendation, and nothing is read on test. Of what a
    search found, the `finalists` best on dev run again on as many new seeds as finalist_seeds says, and their mean
    there decides which one is recommended (defaults ours).
    Of a recipe that goes through a source more than warn_epochs times (8, ours) reports warn; space.max_epochs forbids.
    """

    steps: int = 2000
    batch_size: int | None = None
    seeds: int = 3
    finalists: int = 3
    finalist_seeds: int = 2
    warn_epochs: float = 8.0
