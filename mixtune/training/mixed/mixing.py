"""What draws mixed batches for a run, opened as its task asks: rule, reference and gradients."""

from collections.abc import Mapping, Sequence

from mixtune.errors import TrainingError
from mixtune.proposal import NEGATIVES, Proposal
from mixtune.rules import RuleState, StepRule, make_rule, state_of
from mixtune.study import Study
from mixtune.training.base import Task
from mixtune.training.mixed.reference import Reference
from mixtune.training.mixed.run import MixedRun
from mixtune.training.prepared import Prepared
from mixtune.training.run import Run
from mixtune.training.signals.gradients import StepGradients


def open_mixed(
    study: Study, task: Task, prepared: Prepared, run: Run, importances: Mapping[str, float]
) -> MixedRun | None:
    """What draws mixed batches for a run as a task asks; None where each batch comes from one source.

    Raises:
        TrainingError: the task asks for a rule or a reference without mixed batches, for a rule without what it reads,
            or for a reference that is not there.
        ConfigError: there is no such rule, or it has no such setting or state.
    """
    proposal = task.proposal
    if not proposal.recipe.batching.mixed:
        asked = f"rule {proposal.rule.name!r}" if proposal.rule else f"the reference trial {proposal.reference}"
        if proposal.rule is None and proposal.reference is None:
            return None
        raise TrainingError(
            f"{asked} needs batches that mix sources, and the recipe draws each batch from one: propose it with"
            " Batching(mixed=True)"
        )
    if proposal.reference is not None and task.reference is None:
        raise TrainingError(
            f"the run takes reference losses from trial {proposal.reference}, but no checkpoint of it was given: run"
            " that trial again"
        )
    rule, gradients = None, None
    if proposal.rule is not None:
        made = make_rule(proposal.rule)
        rule = made, _start(made, proposal, study.names)
        if "reference" in made.reads and task.reference is None:
            raise TrainingError(f"rule {made.name!r} reads reference losses: propose it with a reference trial")
        if made.reads & {"product", "norm"}:
            if proposal.gradients is None:
                raise TrainingError(f"rule {made.name!r} reads gradients: propose it with Gradients")
            gradients = StepGradients(
                run.model,
                prepared,
                importances,
                proposal.gradients,
                temperature=study.proxy.temperature,
                seed=run.draw.seed,
            )
    return MixedRun(
        run,
        study.names,
        rule=rule,
        negatives=NEGATIVES if proposal.rule is None else proposal.rule.negatives,
        reference=None if task.reference is None else Reference(run.model, task.reference),
        gradients=gradients,
        seed=study.seed,
    )


def _start(rule: StepRule, proposal: Proposal, names: Sequence[str]) -> RuleState:
    """Where a rule stands at the start of a run: at the proposal's state, or at the recipe's weights."""
    if proposal.rule is None or not proposal.rule.state:
        return rule.start(proposal.recipe.mixture.array(names))
    state = state_of(rule, proposal.rule.state)
    if len(state["log_w"]) != len(names):
        raise TrainingError(
            f"the state of rule {rule.name!r} is of {len(state['log_w'])} sources, and the study has {len(names)}:"
            " start the chain anew"
        )
    return state
