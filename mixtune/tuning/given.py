"""What a stranger's trainable is given: the config of a trial, flat keys and plain values."""

from dataclasses import asdict

from mixtune.proposal import Gradients, Probe, Proposal, Rule
from mixtune.pruning import Schedule
from mixtune.rules import make_rule, packed, state_of
from mixtune.space import Space
from mixtune.study import Study
from mixtune.trial import Trial

GIVEN = frozenset(
    {
        *("trial", "role", "seed", "sources", "targets", "weights", "kept", "keep_least", "schedule"),
        *("mixed", "topics", "topic_clusters", "margin_bins", "steps", "horizon"),
        *("parent", "parent_checkpoint", "reference", "reference_checkpoint"),
        *("probe_sources", "probe_kept", "probe_schedule", "probe_topics", "probe_margin_bins"),
        *("probe_steps", "reptile", "epsilon", "temperature"),
        *("rule", "rule_settings", "rule_state", "rule_negatives"),
        *("gradient_sources", "gradient_batches", "gradient_queries", "gradient_negatives", "gradient_parameters"),
    }
)
"""Keys that a trainable finds in its config."""


def config_of(
    study: Study, trial: Trial, *, parent_checkpoint: str | None, reference_checkpoint: str | None
) -> dict[str, object]:
    """A trial as the config of a stranger's trainable; its keys are GIVEN."""
    proposal, recipe = trial.proposal, trial.proposal.recipe
    return {
        "trial": trial.number,
        "role": trial.role.value,
        "seed": trial.seed,
        "sources": list(study.names),
        "targets": [target.name for target in study.targets],
        "weights": {name: recipe.mixture.get(name, 0.0) for name in study.names},
        "kept": {name: recipe.pruning.share(name) for name in study.names},
        "keep_least": recipe.pruning.least,
        "schedule": _schedule(recipe.pruning.schedule),
        "mixed": recipe.batching.mixed,
        "topics": recipe.batching.topics,
        "topic_clusters": recipe.batching.clusters,
        "margin_bins": recipe.batching.margin_bins,
        "steps": proposal.steps,
        "horizon": proposal.horizon,
        "parent": proposal.parent,
        "parent_checkpoint": parent_checkpoint,
        "reference": proposal.reference,
        "reference_checkpoint": reference_checkpoint,
        **_probe(study.space, proposal),
        **_rule(proposal.rule),
        **_gradients(proposal.gradients),
    }


def _schedule(schedule: Schedule | None) -> dict[str, object] | None:
    return None if schedule is None else asdict(schedule)


def _probe(space: Space, proposal: Proposal) -> dict[str, object]:
    probe = proposal.probe or Probe((), 0, reptile="", epsilon=0.0)
    arms, pruning, batching = list(probe.arms.values()), proposal.recipe.pruning, proposal.recipe.batching
    schedules, batchings = [pruning.schedule] * len(arms), [batching] * len(arms)
    if probe.options:
        schedules = [space.schedule_at(options) for options in probe.options]
        batchings = [space.batching_at(options) for options in probe.options]
    return {
        "probe_sources": [source for source, _ in arms],
        "probe_kept": [pruning.share(source) if level is None else level for source, level in arms],
        "probe_schedule": [_schedule(schedule) for schedule in schedules],
        "probe_topics": [each.topics for each in batchings],
        "probe_margin_bins": [each.margin_bins for each in batchings],
        "probe_steps": probe.steps,
        "reptile": probe.reptile,
        "epsilon": probe.epsilon,
        "temperature": probe.temperature,
    }


def _rule(rule: Rule | None) -> dict[str, object]:
    return {
        "rule": rule.name if rule else "",
        "rule_settings": dict(rule.settings) if rule else {},
        "rule_state": packed(state_of(make_rule(rule), rule.state)) if rule and rule.state else [],
        "rule_negatives": rule.negatives if rule else 0,
    }


def _gradients(gradients: Gradients | None) -> dict[str, object]:
    found = gradients or Gradients((), batches=0)
    return {
        "gradient_sources": list(found.sources),
        "gradient_batches": found.batches,
        "gradient_queries": found.queries,
        "gradient_negatives": found.negatives,
        "gradient_parameters": found.parameters,
    }
