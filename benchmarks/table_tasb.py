"""Table 4: topics, balanced margins and two teachers (TAS-B, arXiv 2104.06967)."""

from dataclasses import dataclass
from pathlib import Path

from judging import NDCG, RECALL, Judged, Judging, overall, print_table, said
from lexical import bm25
from results import Results
from scenarios import Scenario
from student import static_student
from triples import with_negatives

from mixtune.batching import Batching
from mixtune.config.home import home
from mixtune.proxy import Final, Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.study import OFFLINE_MODEL, Study
from mixtune.teacher import Teacher

PAPER = f"the paper: {NDCG} +44 % over BM25; topics help only with the in-batch teacher, about +20 thousandths"

SETS = ("banking77", "medquad", "nl2bash", "policyqa", "stacks_math", "tatqa", "tldr")
"""English sets of at least 1,000 training queries that are neither nearly solved nor noise: sources and targets."""

TEACHER = Teacher(OFFLINE_MODEL, "sentence-transformer")

LOSSES = {"none": "infonce", "pairwise": "margin-mse", "in-batch": "in-batch", "both": "dual"}
"""By who teaches."""

SAMPLING = {
    "random": Batching(),
    "topics": Batching(topics=200),
    "topics+balanced": Batching(topics=200, margin_bins=10),
}

NEGATIVES = 10
"""Of each pair, so that there are margins to balance."""

RATE = 1e-2
"""Learning rate of the student's token embeddings."""


@dataclass(frozen=True)
class Taught:
    """A student on SETS under one of LOSSES. student is its folder."""

    data: str
    student: str
    loss: str
    steps: int
    batch_size: int
    rate: float = RATE

    @property
    def key(self) -> str:
        """What results are found by."""
        run = f"{self.steps} steps of {self.batch_size} at {self.rate:g}"
        return f"tasb, {NEGATIVES} negatives, {Path(self.student).name}, {self.loss}, {run}"

    def study(self) -> Study:
        """The study, not prepared."""
        scenario, cache = Scenario(SETS, SETS, {}), home().ready().cache
        sources = scenario.source_values(Path(self.data))
        return Study(
            name="tasb",
            sources=tuple(with_negatives(source, cache, NEGATIVES) for source in sources),
            targets=scenario.target_values(Path(self.data)),
            search=Search("uniform"),
            budget=Budget(runs=1.0, workers=1),
            model=self.student,
            proxy=Proxy(
                "all",
                self.steps,
                self.batch_size,
                learning_rate=self.rate,
                loss=self.loss,
                teacher=TEACHER,
                batch_teacher=TEACHER if self.loss in ("in-batch", "dual") else None,
            ),
            final=Final(steps=self.steps, seeds=0),
        )


def print_tasb(
    results: Results, data: str, steps: int, seeds: int, batch_size: int = 32, contextual: bool = True
) -> None:
    """Train the student under each teacher and sampling; BM25 and the untrained student stand beside it."""
    student = str(static_student(home().ready().cache / "benchmarks", contextual=contextual))
    recipes = {name: Recipe(Mixture.uniform(SETS), batching=batching) for name, batching in SAMPLING.items()}
    jobs = {
        (teacher, sampling, seed): Judging(Taught(data, student, loss, steps, batch_size), recipe, seed, 1)
        for teacher, loss in LOSSES.items()
        for sampling, recipe in recipes.items()
        for seed in range(seeds)
    }
    lines = dict(zip(jobs, results.finish(list(jobs.values())), strict=True))
    judged = {
        (teacher, sampling): [Judged.of(lines[teacher, sampling, seed]) for seed in range(seeds)]
        for teacher in LOSSES
        for sampling in SAMPLING
    }
    cache = home().ready().cache
    lexical = [bm25(Scenario(SETS, SETS, {}).target_values(Path(data)), cache)] * seeds
    print(
        f"\n## StaticEmbedding student, {steps} steps of {batch_size}, {seeds} seeds, sets {', '.join(SETS)};"
        f" differences in thousandths of {NDCG}"
    )
    rows = [
        ["BM25", "", f"{overall([lexical]).value:.4f}", f"{overall([lexical], metric=RECALL).value:.4f}", *[""] * 3]
    ]
    for (teacher, sampling), runs in judged.items():
        versus = overall([runs], [lexical])
        rows.append(
            [
                teacher,
                sampling,
                f"{overall([runs]).value:.4f}",
                f"{overall([runs], metric=RECALL).value:.4f}",
                "" if sampling == "random" else said(overall([runs], [judged[teacher, "random"]])),
                "" if teacher == "none" else said(overall([runs], [judged["none", sampling]])),
                f"{said(versus)} ({versus.value / overall([lexical]).value:+.0%})",
            ]
        )
    print_table(("teacher", "sampling", NDCG, RECALL, "- random", "- no teacher", "- BM25"), rows)
    print(PAPER)
    for remark in sorted({remark for line in lines.values() for remark in line["remarks"]}):
        print(f"remark: {remark}")
