"""Table 4: topics, balanced margins and two teachers (TAS-B, arXiv 2104.06967)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from judging import NDCG, RECALL, Judged, Judging, overall, print_table, said
from lexical import bm25
from results import Results
from scenarios import Scenario
from student import static_student
from teachers import LENGTHS, TrainedTeacher, trained_teacher
from triples import pooled

from mixtune.batching import Batching
from mixtune.config.home import home
from mixtune.proxy import Final, Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source
from mixtune.study import OFFLINE_MODEL, Study
from mixtune.teacher import Teacher

PAPER = (
    f"the paper, in thousandths of {NDCG}: topics - random about +20 with the in-batch teacher and nothing with the"
    " pairwise one alone, balanced - topics about +10 with the pairwise one; BM25 +44 %, no teacher +19 %"
)

SETS = ("banking77", "medquad", "nl2bash", "policyqa", "stacks_math", "tatqa", "tldr")
"""English sets of at least 1,000 training queries that are neither nearly solved nor noise: one source, and targets."""

NONE, MASKED = "none", "none, false negatives masked"

LOSSES = {NONE: "infonce", "pairwise": "margin-mse", "in-batch": "in-batch", "both": "dual"}
"""By who teaches."""

ANY_TOPIC = Batching(topics=10**9)
"""Queries drawn uniformly from the whole source, each with one of its pairs: a walk by topic over a single topic."""

SAMPLING = {
    "random": ANY_TOPIC,
    "topics": Batching(topics=200),
    "topics+balanced": Batching(topics=200, margin_bins=10),
}
"""All draw queries, of a topic or of all: a plain random walk would draw pairs."""

BLOCKS = (("trained", "raw"), ("trained", "matched"), ("zero-shot", "matched"))
"""Teacher and Proxy.teacher_scale, the main one first: as in the paper the teacher is trained, its margins unscaled."""

NEGATIVES = 10
"""Of each pair, so that there are margins to balance."""

FIRST_SEED = 2
"""0 was looked at while the table was designed, and chooses rates and steps; so was 1."""


@dataclass(frozen=True)
class Grid:
    """The steps and rates of the student that dev chooses from, for each loss, teacher and scale.

    More steps would still help; these keep the table within half an hour on two cores.
    """

    steps: tuple[int, ...] = (300, 900)
    rates: tuple[float, ...] = (3e-3, 1e-2, 3e-2)
    batch_size: int = 32


@dataclass(frozen=True)
class Taught:
    """A student on the pool of SETS. pool is its file; student and teacher are folders, or the offline model.

    With `infonce` nobody teaches: the teacher only gives the margins to balance, and says what is masked where masked.
    """

    data: str
    pool: str
    student: str
    teacher: str
    loss: str
    scale: str = "matched"
    masked: bool = False
    steps: int = 300
    batch_size: int = 32
    rate: float = 1e-2

    @property
    def key(self) -> str:
        """What results are found by: all but where things lie. The file of the pool is named after what is in it."""
        proxy = self.proxy
        parts = [
            f"tasb, {proxy.loss}{' masked' if self.masked else ''} at temperature {proxy.temperature:g}",
            f"{proxy.steps} steps of {proxy.batch_size} at {proxy.rate:g}, {proxy.negatives} negatives",
            f"teacher {Path(self.teacher).name}, {proxy.teacher_scale}",
            f"student {Path(self.student).name}",
            f"{Path(self.pool).stem} of {'+'.join(SETS)}",
        ]
        return "; ".join(parts)

    @property
    def proxy(self) -> Proxy:
        """What a run is."""
        teacher = Teacher(self.teacher, "sentence-transformer")
        return Proxy(
            "all",
            self.steps,
            self.batch_size,
            learning_rate=self.rate,
            loss=self.loss,
            teacher=teacher,
            batch_teacher=teacher if self.masked or self.loss in ("in-batch", "dual") else None,
            teacher_scale=self.scale,
        )

    def study(self) -> Study:
        """The study, not prepared."""
        return Study(
            name="tasb",
            sources=(Source("pool", "jsonl", self.pool, weight=1.0),),
            targets=Scenario(SETS, SETS, {}).target_values(Path(self.data)),
            search=Search("uniform"),
            budget=Budget(runs=1.0, workers=1),
            model=self.student,
            proxy=self.proxy,
            final=Final(steps=self.steps, seeds=0),
        )


def recipe(batching: Batching) -> Recipe:
    """The pool, drawn in this way."""
    return Recipe(Mixture({"pool": 1.0}), batching=batching)


def chosen(results: Results, settings: Sequence[Taught], grid: Grid) -> list[Taught]:
    """Each setting at the steps and rate of its best dev score, with random sampling and a seed of no table."""
    points = [
        [
            replace(setting, steps=steps, rate=rate, batch_size=grid.batch_size)
            for steps, rate in product(grid.steps, grid.rates)
        ]
        for setting in settings
    ]
    # Long runs first: none is begun last, while another process has nothing left to do.
    every = sorted((point for several in points for point in several), key=lambda point: -point.steps)
    lines = results.finish([Judging(point, recipe(ANY_TOPIC), 0, 1) for point in every])
    dev = {point: line["dev"] for point, line in zip(every, lines, strict=True)}
    return [max(several, key=lambda point: dev[point]) for several in points]


def print_tasb(
    results: Results,
    data: str,
    seeds: int = 5,
    grid: Grid = Grid(),
    blocks: Sequence[tuple[str, str]] = BLOCKS,
    contextual: bool = True,
    lengths: Sequence[int] = LENGTHS,
) -> None:
    """Train the student under each teaching and sampling, a block for each teacher and scale; BM25 stands beside."""
    cache, scenario = home().ready().cache, Scenario(SETS, SETS, {})
    targets = scenario.target_values(Path(data))
    pool = pooled(scenario.source_values(Path(data)), cache, NEGATIVES)
    student = str(static_student(cache / "benchmarks", contextual=contextual))
    trained = trained_teacher(pool, targets, cache, lengths)
    models = {"trained": trained.model, "zero-shot": OFFLINE_MODEL}
    lexical = bm25(targets, cache)
    print_teachers(trained, lexical)

    plain = Taught(data, str(pool.location), student, models[blocks[0][0]], "infonce", blocks[0][1])
    lessons = {(blocks[0], NONE): plain, (blocks[0], MASKED): replace(plain, masked=True)}
    for block, (name, loss) in product(blocks, LOSSES.items()):
        if name != NONE:
            lessons[block, name] = replace(plain, teacher=models[block[0]], loss=loss, scale=block[1])
    lessons = dict(zip(lessons, chosen(results, list(lessons.values()), grid), strict=True))
    cells = {
        (block, name, sampling): lesson
        for (block, name), lesson in lessons.items()
        for sampling in (("random", "topics") if name == MASKED else SAMPLING)
    }
    jobs = {
        (*cell, seed): Judging(lesson, recipe(SAMPLING[cell[2]]), seed, 1)
        for cell, lesson in cells.items()
        for seed in range(FIRST_SEED, FIRST_SEED + seeds)
    }
    lines = dict(zip(jobs, results.finish(list(jobs.values())), strict=True))
    judged = {cell: [Judged.of(lines[*cell, seed]) for seed in range(FIRST_SEED, FIRST_SEED + seeds)] for cell in cells}
    for block in blocks:
        # Where nobody teaches, the runs of the main block stand in all.
        places = {at[1:]: at for at in cells if at[0] == block or at[1] == NONE}
        print(
            f"\n## {block[0]} teacher, {block[1]} margins: StaticEmbedding student, batches of {grid.batch_size},"
            f" {seeds} seeds from {FIRST_SEED} on; differences in thousandths of {NDCG}"
        )
        print_block(
            {name: cells[place] for name, place in places.items()},
            {name: judged[place] for name, place in places.items()},
            [lexical] * seeds,
        )
    print(PAPER)
    for remark in sorted({remark for line in lines.values() for remark in line["remarks"]}):
        print(f"remark: {remark}")


def print_teachers(trained: TrainedTeacher, lexical: Judged) -> None:
    """What stands beside the students."""
    rows = [
        (name, f"{one.mean():.4f}", f"{one.mean(RECALL):.4f}")
        for name, one in (("BM25", lexical), ("zero-shot teacher", trained.base), ("trained teacher", trained.judged))
    ]
    print(f"\none source of {', '.join(SETS)}, which are also the targets")
    print_table(("ranked by", NDCG, RECALL), rows)
    dev = ", ".join(f"{steps} steps {score:.4f}" for steps, score in sorted(trained.dev.items()))
    print(f"trained teacher: a head on {OFFLINE_MODEL}, {trained.steps} steps; its {NDCG} on dev: {dev}")


def print_block(
    lessons: Mapping[tuple[str, str], Taught],
    judged: Mapping[tuple[str, str], Sequence[Judged]],
    lexical: Sequence[Judged],
) -> None:
    """A row for each teaching and sampling."""
    rows = []
    for (name, sampling), runs in judged.items():
        proxy, versus = lessons[name, sampling].proxy, overall([runs], [lexical])
        rows.append(
            [
                name,
                sampling,
                f"{proxy.steps} at {proxy.rate:g}",
                f"{overall([runs]).value:.4f}",
                f"{overall([runs], metric=RECALL).value:.4f}",
                "" if sampling == "random" else said(overall([runs], [judged[name, "random"]])),
                said(overall([runs], [judged[name, "topics"]])) if sampling == "topics+balanced" else "",
                "" if name == NONE else said(overall([runs], [judged[NONE, sampling]])),
                f"{said(versus)} ({versus.value / overall([lexical]).value:+.0%})",
            ]
        )
    heads = ("teacher", "sampling", "steps", NDCG, RECALL, "- random", "- topics", "- no teacher", "- BM25")
    print_table(heads, rows)
