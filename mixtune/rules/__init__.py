"""Rules that move the weights at every step of a run: pure functions of what a step showed, numpy only."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, get_origin, get_type_hints

import numpy as np
from pydantic import TypeAdapter, ValidationError

from mixtune.errors import ConfigError
from mixtune.proposal import Rule
from mixtune.rules.base import RuleState, StepRule, StepSignals
from mixtune.rules.doge import DoGE
from mixtune.rules.doremi import DoReMi
from mixtune.rules.tdro import TDRO

__all__ = ["RULES", "RuleState", "StepRule", "StepSignals", "make_rule", "packed", "state_of", "stored", "unpacked"]

_ALL: tuple[type[StepRule], ...] = (DoGE, DoReMi, TDRO)

RULES: dict[str, type[StepRule]] = {rule.name: rule for rule in sorted(_ALL, key=lambda rule: rule.name)}
"""Rules by name."""


def make_rule(rule: Rule) -> StepRule:
    """Build the rule that a proposal names, its settings checked against the rule's fields.

    Raises:
        ConfigError: no such rule, no such setting, or a value that the setting does not take.
    """
    if rule.name not in RULES:
        raise ConfigError(f"no rule {rule.name!r}: allowed are {', '.join(RULES)}")
    kind = RULES[rule.name]
    hints = get_type_hints(kind, include_extras=True)
    types = {name: hint for name, hint in hints.items() if get_origin(hint) is not ClassVar}
    values = {}
    for name, value in rule.settings.items():
        if name not in types:
            raise ConfigError(f"rule {rule.name} has no setting {name!r}: allowed are {', '.join(sorted(types))}")
        try:
            values[name] = TypeAdapter(types[name]).validate_python(value, strict=True)
        except ValidationError as error:
            wrong = " or ".join(dict.fromkeys(str(problem["msg"]) for problem in error.errors()))
            raise ConfigError(f"rule {rule.name}: setting {name} is {value!r}. {wrong}") from error
    return kind(**values)


def stored(state: RuleState) -> dict[str, tuple[float, ...]]:
    """A state as what Rule.state and Measurement.rule hold; `state_of` gives it back bit for bit."""
    return {name: tuple(values.tolist()) for name, values in sorted(state.items())}


def state_of(rule: StepRule, held: Mapping[str, Sequence[float]]) -> RuleState:
    """The state that `stored` wrote.

    Raises:
        ConfigError: it is not a state of this rule.
    """
    count = len(held.get("log_w", ()))
    wanted, found = _sizes(rule, count), {name: len(values) for name, values in held.items()}
    if not count or found != wanted:
        raise ConfigError(f"no state of rule {rule.name!r}, name -> count: it has {found}, and must have {wanted}")
    return {name: np.array(values, dtype=np.float64) for name, values in held.items()}


def packed(state: RuleState) -> list[float]:
    """A state as one list of numbers, for those who can only pass lists on; `unpacked` gives it back bit for bit."""
    return [number for numbers in stored(state).values() for number in numbers]


def unpacked(rule: StepRule, numbers: Sequence[float], sources: int) -> RuleState:
    """The state of so many sources that `packed` wrote.

    Raises:
        ConfigError: there are more numbers than the rule's state has, or fewer.
    """
    sizes = sorted(_sizes(rule, sources).items())
    total = sum(size for _, size in sizes)
    if len(numbers) != total:
        raise ConfigError(
            f"{len(numbers)} numbers are no state of rule {rule.name!r} for {sources} sources, which has {total}: "
            f"{', '.join(f'{name} ({size})' for name, size in sizes)}"
        )
    parts = np.split(np.asarray(numbers, dtype=np.float64), np.cumsum([size for _, size in sizes])[:-1])
    return {name: part for (name, _), part in zip(sizes, parts, strict=True)}


def _sizes(rule: StepRule, sources: int) -> dict[str, int]:
    """How many numbers each part of a rule's state has."""
    return {name: len(values) for name, values in rule.start(np.full(sources, 1 / max(sources, 1))).items()}
