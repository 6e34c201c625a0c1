"""Trainables of a stranger, who knows the docstring of as_ray and nothing else of mixtune."""

import json
import os
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ray import tune

from mixtune.proposal import Rule
from mixtune.rules import StepSignals, make_rule, packed, unpacked

SOURCES = {"small/home": 100, "idle": 400, "harmful": 500}
"""Rows per source; the first is named so that Ray's flattening would show."""

PULL = np.array([0.03, 0.0, -0.02])
"""What one step on each source does to the skill in [0, 1]: skill += pull * (1 - skill)."""


def value(weights: Mapping[str, float]) -> float:
    """Best where all weight lies on the home, 1 there; Lipschitz, so that any searcher can climb it."""
    return 1.0 - sum((weights[name] - (name == "small/home")) ** 2 for name in SOURCES)


def objective(config: dict[str, Any]) -> None:
    """A black-box trial; `faults` (a constant of the stranger's own) says what befalls which trial."""
    fault = config.get("faults", {}).get(str(config["trial"]), "")
    if fault == "raise":
        raise ValueError("planted")
    if fault == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "silent":
        return
    score = float("nan") if fault == "nan" else value(config["weights"])
    # A stranger reports more than he is asked for, and early.
    tune.report({"accuracy": 0.0})
    surveyed = {"neighbours": [[0.7, 0.3, 0.0]], "clusters": [[0.6, 0.2, 0.2]]}
    tune.report({"accuracy": score, "error_rate": 1 - score, "per_source": {"a/b": 1.0}, **surveyed})


def chained(config: dict[str, Any]) -> None:
    """A round: goes on from the parent's checkpoint, trains, probes, merges, and leaves a checkpoint of its own."""
    skill, steps = 0.2, 0
    if config["parent_checkpoint"] is not None:
        held = json.loads(Path(config["parent_checkpoint"]).read_text())
        assert held["trial"] == config["parent"]
        skill, steps = held["skill"], held["steps"]
    weights = np.array([config["weights"][name] for name in config["sources"]])
    for _ in range(config["steps"]):
        skill += float(weights @ PULL) * (1 - skill)
    influence, gains = [], {}
    for name in config["probe_sources"]:
        index, probed = config["sources"].index(name), skill
        for _ in range(config["probe_steps"]):
            probed += PULL[index] * (1 - probed)
        influence.append(((1 - skill) - (1 - probed)) / (1 - skill))
        gains[name] = probed - skill
    positive = {name: gain for name, gain in gains.items() if gain > 0}
    for gain in positive.values():
        skill += config["epsilon"] * gain / sum(positive.values()) * gain
    folder = Path(config.get("folder", tempfile.gettempdir()))
    checkpoint = folder / f"trial-{config['trial']}.json"
    checkpoint.write_text(json.dumps({"trial": config["trial"], "skill": skill, "steps": steps + config["steps"]}))
    surveyed = {"neighbours": [[0.5, 0.3, 0.2]]} if config["role"] == "survey" else {}
    tune.report({"accuracy": skill, "influence": influence, "checkpoint": str(checkpoint), **surveyed})


LOSS = np.array([1.5, 1.0, 1.0])
"""Loss of an example of each source; the reference model has 1 everywhere, as nothing but the home can be learnt."""

COSINE = np.array([0.5, 0.0, -0.5])
"""How the gradients of the sources lie to the target's."""


def guided(config: dict[str, Any]) -> None:
    """A reference, a round that a rule moves the weights in, or one at whose end gradients are compared."""
    sources, held = config["sources"], {"steps": 0, "loss": [1.0] * len(config["sources"])}
    report: dict[str, Any] = {"accuracy": value(config["weights"])}
    if config["parent_checkpoint"] is not None:
        held = json.loads(Path(config["parent_checkpoint"]).read_text())
    if config["rule"]:
        count, rng = len(sources), np.random.default_rng(config["seed"])
        rule = make_rule(Rule(config["rule"], config["rule_settings"]))
        weights = np.array([config["weights"][name] for name in sources])
        state = unpacked(rule, config["rule_state"], count) if config["rule_state"] else rule.start(weights)
        known = config["reference_checkpoint"]
        reference = None if known is None else np.array(json.loads(Path(known).read_text())["loss"])
        assert config["mixed"] and state["steps"] == held["steps"]
        for _ in range(config["steps"]):
            batch = rng.integers(count, size=8)
            product = np.where(np.isin(np.arange(count), batch), COSINE, np.nan)
            before = None if reference is None else reference[batch]
            signals = StepSignals(batch, LOSS[batch], before, product, np.abs(np.sign(product)) + 1)
            state = rule.step(state, signals)
        report["rule_state"] = packed(state)
    elif config["gradient_sources"]:
        report["alignment"] = [[float(COSINE[sources.index(name)])] for name in config["gradient_sources"]]
    checkpoint = Path(config["folder"]) / f"trial-{config['trial']}.json"
    checkpoint.write_text(json.dumps({**held, "steps": held["steps"] + config["steps"]}))
    tune.report({**report, "checkpoint": str(checkpoint)})
