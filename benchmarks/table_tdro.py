"""Table 2: distributionally robust weights, and what corruption does to them (tDRO, arXiv 2408.10613)."""

from collections.abc import Mapping, Sequence

import numpy as np
from judging import NDCG, RECALL, Judged, Judging, Runs, overall, print_table, said
from results import Results
from scenarios import SCENARIOS, Setting
from searching import Searching, found_in

from mixtune.recipe import Recipe
from mixtune.search import Search

PAPER = (
    "the paper, top 70 % against all: BEIR 47.5 -> 48.9 and MIRACL 45.8 -> 48.7 at 0.5B parameters, near 0 at 7B and 8B"
)

SEARCHES: Mapping[str, Search] = {
    "uniform": Search("uniform"),
    **{
        f"tdro, {mode}, {shown}": Search("tdro", {"mode": mode, "transfer": transfer, "length": "budget"})
        for mode in ("ratio", "authors")
        for transfer, shown in (("top_p", "top 70 %"), ("reweight", "reweighted"))
    },
}
"""All sources alike, and each mode of tDRO with both transfers of its weights."""


def print_tdro(results: Results, settings: Sequence[Setting], runs: float, seeds: int) -> None:
    """Search at so many fresh runs, reference included, and judge what is recommended beside uniform sampling."""
    recipes: dict[tuple[str, Setting], list[Recipe]] = {}
    judged: dict[str, list[Runs]] = {label: [] for label in SEARCHES}
    for setting in settings:
        jobs = [
            Searching(setting, label, search, seed, (runs,))
            for seed in range(seeds)
            for label, search in SEARCHES.items()
        ]
        for job, line in zip(jobs, results.finish(jobs), strict=True):
            recipe = found_in(line, runs).recipe
            if recipe is None:
                raise SystemExit(f"{job.label} has no complete round within {runs:g} fresh runs: give it more")
            recipes.setdefault((job.label, setting), []).append(recipe)
    judging = {
        (label, setting): [Judging(setting, recipe, seed, 2) for seed, recipe in enumerate(found)]
        for (label, setting), found in recipes.items()
    }
    results.finish([job for jobs in judging.values() for job in jobs])
    for setting in settings:
        for label in SEARCHES:
            judged[label].append([Judged.of(line) for line in results.finish(judging[label, setting])])

    names = [setting.scenario for setting in settings]
    print(
        f"\n## {runs:g} fresh runs of {settings[0].proxy.trainable}, {seeds} seeds; - uniform in thousandths of {NDCG}"
    )
    rows = []
    for label, whole in judged.items():
        cells = [f"{overall(whole).value:.4f}", f"{overall(whole, metric=RECALL).value:.4f}"]
        pairs = list(zip(whole, judged["uniform"], strict=True))
        more = [said(overall(whole, judged["uniform"])), *(said(overall([mine], [other])) for mine, other in pairs)]
        rows.append([label, *cells, *(more if label != "uniform" else [""] * len(more))])
    print_table(("sampled", NDCG, RECALL, "all - uniform", *(f"{name} - uniform" for name in names)), rows)
    print(PAPER)
    for setting in settings:
        if SCENARIOS[setting.scenario].corrupt:
            _print_weights(setting, recipes)


def _print_weights(setting: Setting, recipes: Mapping[tuple[str, Setting], Sequence[Recipe]]) -> None:
    """Each source's final weight beside its corruption, and how often it is among the kept ones."""
    corrupt, sources = SCENARIOS[setting.scenario].corrupt, SCENARIOS[setting.scenario].sources
    tuned = [label for label in SEARCHES if label != "uniform"]
    shares = {
        label: np.mean([recipe.mixture.array(sources) for recipe in recipes[label, setting]], axis=0) for label in tuned
    }
    order = np.argsort(-shares["tdro, ratio, reweighted"])
    print(f"\n## Mean weights on {setting.scenario} times the number of sources: 1 is a uniform share")
    rows = [
        [
            sources[i],
            f"{corrupt.get(sources[i], 0):.0%}",
            *(f"{shares[label][i] * len(sources):.2f}" for label in tuned),
        ]
        for i in order
    ]
    print_table(("source", "corrupted", *tuned), rows)
    noise = np.array([corrupt.get(name, 0.0) for name in sources])
    for label in tuned:
        print(f"{label}: correlation of weight and corruption {np.corrcoef(noise, shares[label])[0, 1]:+.2f}")
