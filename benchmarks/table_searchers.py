"""Table 1: every searcher at equal compute, and the compute at which one reaches what another needs more for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from contenders import FOUND_BY_OTHERS, OURS, Contender, labels_of, oracle, proportional
from driver import Found
from judging import NDCG, RECALL, Judged, Judging, Runs, overall, print_table, said
from results import Results
from scenarios import Setting
from searching import best_so_far, curve_of, found_in

from mixtune.recipe import Recipe
from mixtune.search import Search

AGAINST = ("proportional", "expert", "neighbours", "tpe")
"""What every contender is compared with."""

PAPER = {"homes": ("expert", 0.94), "languages": ("proportional", 5.03)}
"""Gains of Inf-DDS in its paper, in points of nDCG@10, over what, shown beside ours on the scenario that is most alike.

There: all-MiniLM-L6-v2 from expert weights, and bge-m3 on thirteen languages from size-proportional ones.
"""

LONG: tuple[float, ...] = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)
"""Compute after which the searches are looked at that are to reach what TPE finds in LONGEST runs."""

LONGEST = 100.0


@dataclass(frozen=True)
class Contest:
    """What is compared, on what and how often."""

    settings: Sequence[Setting]
    points: tuple[float, ...]
    seeds: int
    judges: int
    oracle_trials: int
    labels: Mapping[str, Search]


@dataclass(frozen=True)
class Outcomes:
    """What contenders found and how it was judged: (label, point) -> scenario -> one per seed."""

    contest: Contest
    found: Mapping[tuple[str, float], Mapping[str, Sequence[Found]]]
    judged: Mapping[tuple[str, float], Mapping[str, Runs]]
    dev: Mapping[tuple[str, float], Mapping[str, float | None]]

    def runs(self, label: str, point: float) -> list[Runs]:
        """Judged runs of a contender on all scenarios."""
        return list(self.judged[label, point].values())

    def mean(self, label: str, point: float) -> float:
        """Mean test nDCG@10 over scenarios and seeds."""
        return overall(self.runs(label, point)).value


def compete(results: Results, contest: Contest) -> Outcomes:
    """Run what is missing of all searches, then judge each distinct recommendation on the judging seeds."""
    contenders = [Contender(label, search, contest.points) for label, search in contest.labels.items()]
    oracles = {setting: oracle(results, setting, contest.oracle_trials) for setting in contest.settings}
    plain = {setting: proportional(results, setting) for setting in contest.settings}
    places = [
        (contender.label, point, setting, seed, *contender.job(setting, seed, point))
        for seed in range(contest.seeds)  # seed by seed, so that what is left can be told from what is done
        for setting in contest.settings
        for contender in contenders
        for point in contest.points
    ]
    lines = results.finish([job for *_, job, _ in places])
    found = [found_in(line, at) for line, (*_, at) in zip(lines, places, strict=True)]
    recipes: dict[tuple[str, float, Setting, int], Recipe] = {
        (label, point, setting, seed): one.recipe or plain[setting]
        for one, (label, point, setting, seed, *_) in zip(found, places, strict=True)
    }
    for seed in range(contest.seeds):
        recipes |= {
            ("oracle", p, setting, seed): oracles[setting] for setting in contest.settings for p in contest.points
        }
    ordered = sorted(recipes, key=lambda place: place[3])
    jobs = [Judging(place[2], recipes[place], place[3], contest.judges) for place in ordered]
    judged: dict[tuple[str, float], dict[str, list[Judged]]] = {}
    for (label, point, setting, _), line in zip(ordered, results.finish(jobs), strict=True):
        judged.setdefault((label, point), {}).setdefault(setting.scenario, []).append(Judged.of(line))
    by_place: dict[tuple[str, float], dict[str, list[Found]]] = {}
    seen: dict[tuple[str, float], dict[str, list[float | None]]] = {}
    for line, one, (label, point, setting, *_) in zip(lines, found, places, strict=True):
        by_place.setdefault((label, point), {}).setdefault(setting.scenario, []).append(one)
        best = best_so_far(curve_of(line), point)
        seen.setdefault((label, point), {}).setdefault(setting.scenario, []).append(best)
    dev = {
        place: {
            name: None if None in scores else float(np.mean([score for score in scores if score is not None]))
            for name, scores in by_scenario.items()
        }
        for place, by_scenario in seen.items()
    }
    return Outcomes(contest, by_place, judged, dev)


def ranks(outcomes: Outcomes, point: float) -> dict[str, float]:
    """Mean rank of each contender (1 is best, ties share) over scenarios and seeds; the oracle does not take part."""
    labels = list(outcomes.contest.labels)
    means = np.array(
        [[one.mean() for runs in outcomes.runs(label, point) for one in runs] for label in labels]
    )  # (labels, scenarios x seeds)
    above = (means[None] > means[:, None] + 1e-12).sum(axis=1)
    equal = (np.abs(means[None] - means[:, None]) <= 1e-12).sum(axis=1)
    return dict(zip(labels, (above + (equal + 1) / 2).mean(axis=1).tolist(), strict=True))


def gap(outcomes: Outcomes, label: str, point: float, scenarios: Sequence[str]) -> str:
    """Share of the way from proportional to the oracle, mean over the scenarios where there is one beyond doubt."""
    shares = []
    for name in scenarios:
        low, mine, high = ([outcomes.judged[who, point][name]] for who in ("proportional", label, "oracle"))
        whole = overall(high, low)
        if whole.low > 0:
            shares.append(overall(mine, low).value / whole.value)
    return f"{np.mean(shares):.0%}" if shares else ""


def print_contest(outcomes: Outcomes) -> None:
    """One table per amount of compute: all scenarios together, then each."""
    scenarios = [setting.scenario for setting in outcomes.contest.settings]
    for point in outcomes.contest.points:
        rank = ranks(outcomes, point)
        for chosen in [scenarios, *([name] for name in scenarios)] if len(scenarios) > 1 else [scenarios]:
            _print_scenarios(outcomes, point, chosen, rank if chosen == scenarios else {})
    _print_anytime(outcomes, scenarios)


def _print_scenarios(outcomes: Outcomes, point: float, scenarios: Sequence[str], rank: Mapping[str, float]) -> None:
    """A row per contender, best first; differences are in thousandths."""
    contest = outcomes.contest
    against = [name for name in AGAINST if name in contest.labels]
    print(
        f"\n## {', '.join(scenarios)} ({contest.settings[0].proxy.trainable}), weights after {point:g} fresh runs,"
        f" {contest.seeds} seeds, {contest.judges} judging seeds each; differences in thousandths of {NDCG}"
    )
    rows = []
    judged = {label: [outcomes.judged[label, point][s] for s in scenarios] for label in (*contest.labels, "oracle")}
    for label in sorted(judged, key=lambda name: -overall(judged[name]).value):
        found = [one for s in scenarios for one in outcomes.found.get((label, point), {}).get(s, ())]
        cells = [f"{np.mean([getattr(one, name) for one in found]):{form}}" for name, form in _COST] if found else []
        none = sum(one.recipe is None for one in found)
        rows.append(
            [
                f"{label} ({none} of {len(found)} without an answer)" if none else label,
                *(cells or [""] * len(_COST)),
                f"{overall(judged[label]).value:.4f}",
                f"{overall(judged[label], metric=RECALL).value:.4f}",
                gap(outcomes, label, point, scenarios),
                *([f"{rank[label]:.1f}" if label in rank else ""] if rank else []),
                *("" if name == label else said(overall(judged[label], judged[name])) for name in against),
            ]
        )
    cost = ("runs", "GFLOP", "s")
    heads = ("found by", *cost, NDCG, RECALL, "gap", *(["rank"] if rank else []), *(f"- {name}" for name in against))
    print_table(heads, rows)


_COST = (("runs", ".1f"), ("gflops", ".0f"), ("seconds", ".1f"))


def _print_anytime(outcomes: Outcomes, scenarios: Sequence[str]) -> None:
    """Judged score, and the best dev score of any scored trial, after each amount of compute."""
    points = outcomes.contest.points
    if len(points) < 2:
        return
    print(f"\n## Anytime, mean over {', '.join(scenarios)}: test {NDCG} of what is recommended (best dev score seen)")
    rows = []
    for label in outcomes.contest.labels:
        cells = []
        for point in points:
            seen = [outcomes.dev[label, point][name] for name in scenarios]
            known = [score for score in seen if score is not None]
            on_dev = f" ({np.mean(known):.4f})" if len(known) == len(seen) else ""
            cells.append(f"{outcomes.mean(label, point):.4f}{on_dev}")
        rows.append([label, *cells])
    print_table(["found by", *(f"{point:g}" for point in points)], rows)


def print_claims(outcomes: Outcomes) -> None:
    """The goals, at the largest amount of compute."""
    point, contest = max(outcomes.contest.points), outcomes.contest
    if OURS not in contest.labels:
        return
    rank = ranks(outcomes, point)
    first = min(rank, key=lambda label: rank[label])
    print(f"\n## Goals, at {point:g} fresh runs\n")
    print(f"first on average: {first}, mean rank {rank[first]:.1f}; {OURS} {rank[OURS]:.1f}")
    for name in AGAINST:
        for setting in contest.settings if name in contest.labels else ():
            mine, other = ([outcomes.judged[label, point][setting.scenario]] for label in (OURS, name))
            print(f"{OURS} - {name} on {setting.scenario}: {said(overall(mine, other))} thousandths")
    for scenario, (name, gain) in PAPER.items():
        if name not in contest.labels or scenario not in outcomes.judged[OURS, point]:
            continue
        mine, other, best = ([outcomes.judged[label, point][scenario]] for label in (OURS, name, "oracle"))
        got, most = overall(mine, other), overall(best, other)
        share = f"; {got.value / most.value:.0%} of it (goal: 60%)" if most.value > 0 else ""
        print(
            f"points over {name}, the paper's {gain:+.2f}: {OURS} on {scenario} {said(got, 100)}, the oracle"
            f" {said(most, 100)}{share}"
        )


def print_long(results: Results, contest: Contest, points: tuple[float, ...]) -> None:
    """The compute at which guided searches reach TPE's score of LONGEST runs, and gradient-based searches' best."""
    guided = [name for name in dict.fromkeys(("infdds", OURS)) if name in contest.labels]
    others = [name for name in FOUND_BY_OTHERS if name in contest.labels]
    short = replace(contest, points=points, labels=labels_of(["proportional", *guided, *others]))
    longer = (*points, *(x for x in (20.0, 50.0, LONGEST) if contest.seeds > 2 and x > max(points)))
    tpe_alone = {"proportional": Search("proportional"), "tpe, 10 random": Search("tpe")}
    long = replace(contest, points=longer, labels=tpe_alone)
    quick, tpe = compete(results, short), compete(results, long)
    _print_anytime(quick, [setting.scenario for setting in contest.settings])
    _print_anytime(tpe, [setting.scenario for setting in contest.settings])
    most = max(long.points)
    goals = {f"TPE after {most:g} runs": (tpe.mean("tpe, 10 random", most), most)}
    for name in others:
        best = max(short.points, key=lambda point: quick.mean(name, point))
        goals[f"the best of {name}, after {best:g} runs"] = (quick.mean(name, best), best)
    for goal, (score, paid) in goals.items():
        for name in guided:
            reached = next((point for point in short.points if quick.mean(name, point) >= score), None)
            said_so = (
                f"after {reached:g}, {reached / paid:.0%} of it" if reached else f"not within {max(short.points):g}"
            )
            print(f"{name} reaches {goal} ({score:.4f}): {said_so}")


def print_full(results: Results, data: str, labels: Mapping[str, Search], seeds: int) -> None:
    """Scenario languages with the whole model, trained on weights that were found with its last layer."""
    setting, whole = Setting(data, "languages", "last:1"), Setting(data, "languages", "all")
    contest = Contest([setting], (3.0,), seeds, judges=1, oracle_trials=0, labels=labels)
    outcomes = compete(results, contest)
    print_contest(outcomes)
    recipes = {
        label: [one.recipe or proportional(results, setting) for one in outcomes.found[label, 3.0]["languages"]]
        for label in labels
    }
    recipes["oracle"] = [oracle(results, setting, 0)] * seeds
    places = [(label, seed) for seed in range(seeds) for label in recipes]
    lines = results.finish([Judging(whole, recipes[label][seed], seed, 1) for label, seed in places])
    judged: dict[tuple[str, float], dict[str, list[Judged]]] = {}
    for (label, _), line in zip(places, lines, strict=True):
        judged.setdefault((label, 3.0), {}).setdefault("languages", []).append(Judged.of(line))
    print(f"\nthe same weights with all parameters, {whole.proxy.steps} steps (runs, GFLOP and s: the search's):")
    fuller = replace(outcomes, judged=judged, contest=replace(contest, settings=[whole]))
    print_contest(fuller)
    print_claims(fuller)
