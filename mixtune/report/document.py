"""A summary as plain JSON: the contract of `mixtune show --json` and `mixtune best --json`."""

from pydantic import JsonValue as Json

from mixtune.measurement import Metrics
from mixtune.recipe import Recipe
from mixtune.report.judged import Judged
from mixtune.report.looks.collected import look_document
from mixtune.report.options import recipe_document, space_document
from mixtune.report.panels.collected import panel_document
from mixtune.report.summary import Best, Summary
from mixtune.study import Study
from mixtune.trial import TrialState


def document(summary: Summary) -> dict[str, Json]:
    """Everything of a summary. Weights are per batch; test_ci holds 95 % intervals over test queries and seeds.

    All metrics lie between 0 and 1, and so do the intervals here.
    """
    study, costs = summary.study, summary.costs
    return {
        "name": study.name,
        "state": summary.state.value,
        "reason": summary.reason,
        "search": {"algorithm": study.search.algorithm, **study.search.settings},
        "objective": {"metric": study.objective.metric, "aggregate": study.objective.aggregate},
        "budget": {"trials": study.budget.trials, "runs": study.budget.runs, "seconds": study.budget.seconds},
        "trials": {state.value: summary.trials.get(state, 0) for state in TrialState},
        "reused": summary.reused,
        "stopping": _stopping(summary),
        "cost_flops": costs.search,
        "cost": {
            "search_flops": costs.search,
            "search_runs": costs.runs,
            "search_seconds": costs.search_seconds,
            "search_parts_flops": dict(costs.parts),
            "reference_flops": costs.reference,
            "choosing_flops": costs.choosing,
            "choosing_seconds": costs.choosing_seconds,
            "judging_flops": costs.judging,
            "judging_seconds": costs.judging_seconds,
            "preparation_flops": costs.preparation,
            "preparation_seconds": costs.preparation_seconds,
        },
        "seeds": {
            "study": study.seed,
            "judging": [study.judging_seed(replicate) for replicate in range(study.final.seeds)],
            "finalists": [study.finalist_seed(replicate) for replicate in range(study.final.finalist_seeds)],
        },
        "versions": dict(summary.versions),
        "model": study.model,
        "proxy": study.proxy.trainable,
        "weights_unit": "batches",
        "options": space_document(study.space),
        "preparation": _preparation(study),
        "base_model": None if summary.base_model is None else _metrics(summary.base_model),
        "best": None if summary.best is None else best_document(study, summary.best),
        "baselines": {
            name: {**_recipe(study, judged.recipe), **_metrics(judged)} for name, judged in summary.baselines.items()
        },
        "comparisons": {
            name: {
                "metric": each.metric,
                "difference": None if each.difference is None else each.difference.value,
                "ci": None if each.difference is None else [each.difference.low, each.difference.high],
                "verdict": each.verdict.value,
                "sentence": each.sentence,
            }
            for name, each in summary.comparisons.items()
        },
        "answer": summary.answer,
        "panels": panel_document(study, summary.panels),
        "looks": look_document(summary.looks),
    }


def best_document(study: Study, best: Best) -> dict[str, Json]:
    """The recommended recipe: its trial, weights, kept shares, options, metrics, and epochs at the final budget."""
    epochs: dict[str, Json] = {**best.epochs}
    return {
        "trial": best.trial,
        **_recipe(study, best.recipe),
        **_metrics(best.judged),
        "epochs": epochs,
        "repeated": [*study.repeated(best.recipe)],
    }


def _stopping(summary: Summary) -> Json:
    """The rule of early stopping and what it left out, None where it is off."""
    rule, spared = summary.study.stopping, summary.spared
    if rule is None or spared is None:
        return None
    return {
        "first": rule.first,
        "reduction": rule.reduction,
        "pruned": spared.runs,
        "runs": spared.of_runs,
        "spared_steps": spared.steps,
        "planned_steps": spared.of_steps,
    }


def _recipe(study: Study, recipe: Recipe | None) -> dict[str, Json]:
    if recipe is None:
        return {}
    return {
        "weights": {name: recipe.mixture.get(name, 0.0) for name in study.names},
        "pruning": {name: recipe.pruning.share(name) for name in study.names},
        **recipe_document(study.space, recipe),
    }


def _metrics(judged: Judged) -> dict[str, Json]:
    intervals: dict[str, Json] = {
        target: {metric: [max(0.0, each.low), min(1.0, each.high)] for metric, each in metrics.items()}
        for target, metrics in judged.intervals().items()
    }
    return {
        "dev": _plain(judged.dev),
        "test": _plain(judged.test),
        "test_ci": intervals or None,
        "seeds": len(judged.scores),
        "trials": [trial.number for trial in judged.runs.values()],
    }


def _plain(metrics: Metrics | None) -> Json:
    return None if metrics is None else {target: dict(values) for target, values in metrics.items()}


def _preparation(study: Study) -> Json:
    """What preparing showed; which documents each target is evaluated against stands here for every result."""
    found = study.preparation
    if found is None:
        return None
    return {
        "encoded": found.encoded,
        "tokenised": found.tokenised,
        "reused": found.reused,
        "run_flops": found.run_flops,
        "sources": {
            name: {
                "rows": facts.rows,
                "unique_queries": facts.unique_queries,
                "sha256": facts.sha256,
                "revision": facts.revision,
            }
            for name, facts in found.sources.items()
        },
        "targets": {
            name: {
                "dev": f"{facts.dev_queries} queries, {_against(facts.dev_pool, facts.documents)}",
                "test": f"{facts.test_queries} queries, {_against(facts.documents, facts.documents)}",
                "sha256": facts.sha256,
            }
            for name, facts in found.targets.items()
        },
        "notes": list(found.notes),
    }


def _against(pool: int, documents: int) -> str:
    if 0 < pool < documents:
        return f"candidate pool of {pool} of {documents} documents"
    return f"full corpus of {documents} documents"
