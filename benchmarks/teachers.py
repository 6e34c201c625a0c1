"""The teachers of table 4: all-MiniLM-L6-v2 as it is, and with a head that is trained on the table's own pairs."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from driver import Driver
from judging import METRICS, Judged
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense
from torch import Tensor, nn

from mixtune.batching import Batching
from mixtune.measurement import Outcome
from mixtune.proposal import Proposal, Role
from mixtune.proxy import Final, Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source
from mixtune.study import OFFLINE_MODEL, Study
from mixtune.target import Target
from mixtune.training.base import Task
from mixtune.training.checkpoint import load_checkpoint
from mixtune.training.data.reading import target_hash
from mixtune.training.encoding import models

LENGTHS = (0, 300, 800, 1500, 3000)
"""Steps of the head's training that dev chooses from; 0 is all-MiniLM-L6-v2 itself."""

BATCH, RATE = 64, 3e-4
SEED = 101
"""Of no student."""

BATCHING = Batching(topics=200)
"""By topic: the best dev score comes at 1,500 steps (0.628); random batches take 3,000 to the same (0.629)."""


@dataclass(frozen=True)
class TrainedTeacher:
    """Where it lies, how long its head was trained, dev nDCG@10 by length, and how it and its base rank test."""

    model: str
    steps: int
    dev: Mapping[int, float]
    judged: Judged
    base: Judged


def trained_teacher(
    pool: Source, targets: Sequence[Target], cache: Path, lengths: Sequence[int] = LENGTHS
) -> TrainedTeacher:
    """The base model with a dense layer that InfoNCE trained on the pool; it is made on the first call.

    Its length is that of the best dev score, and test is looked at once that is chosen.
    """
    base = models.resolve(OFFLINE_MODEL)
    judges = [target_hash(target, cache) for target in targets]
    made_of = [base.fingerprint, Path(str(pool.location)).name, judges, list(lengths), BATCH, RATE, SEED, str(BATCHING)]
    digest = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]
    place = cache / "benchmarks" / f"teacher-{digest}"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as name:
            beside = Path(name) / "teacher"
            _make(_study(pool, targets, max(lengths)), lengths, beside, Path(name) / "runs")
            shutil.move(beside, place)
    found = json.loads((place / "record.json").read_text())
    dev = {int(steps): score for steps, score in found["dev"].items()}
    best, zero = Judged(found["test"], dev[found["steps"]]), Judged(found["base"], dev.get(0, 0.0))
    return TrainedTeacher(str(place), found["steps"], dev, best, zero)


def headed(weight: Tensor) -> SentenceTransformer:
    """The base model with a dense layer without bias behind its pooling, shape (384, 384)."""
    *body, normalise = models.load(models.resolve(OFFLINE_MODEL), max_length=128)
    head = Dense(weight.shape[1], weight.shape[0], bias=False, activation_function=nn.Identity(), init_weight=weight)
    return SentenceTransformer(modules=[*body, head, normalise], device="cpu")


def _study(pool: Source, targets: Sequence[Target], steps: int) -> Study:
    return Study(
        name="teacher",
        sources=(pool,),
        targets=tuple(targets),
        search=Search("uniform"),
        budget=Budget(runs=1.0, workers=1),
        proxy=Proxy("head", steps, BATCH, learning_rate=RATE),
        final=Final(steps=steps, seeds=1),
    )


def _make(study: Study, lengths: Sequence[int], folder: Path, runs: Path) -> None:
    driver = Driver(study)
    recipe = Recipe(Mixture({source.name: 1.0 for source in study.sources}), batching=BATCHING)

    def run(steps: int, role: Role) -> Outcome:
        task = Task(0, Proposal(recipe, steps, role, horizon=steps), SEED, runs / str(steps))
        return driver.trainer.train(driver.prepared, task, lambda step, score: None)

    def test(steps: int) -> dict[str, dict[str, list[float]]]:
        scores = run(steps, Role.RERUN).scores
        return {name: {metric: list(values[metric]) for metric in METRICS} for name, values in scores.items()}

    dev = {steps: study.score(run(steps, Role.REFERENCE).measurement.dev) for steps in lengths}
    best = max((steps for steps in dev if steps), key=lambda steps: dev[steps])
    headed(load_checkpoint(runs / str(best)).parameters["weight"]).save_pretrained(str(folder), create_model_card=False)
    record = {"steps": best, "dev": dev, "test": test(best), "base": test(0)}
    (folder / "record.json").write_text(json.dumps(record))
