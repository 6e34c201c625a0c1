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
    shares = [[0.7, 0.3, 0.0]]
    tune.report({"accuracy": score, "error_rate": 1 - score, "per_source": {"a/b": 1.0}, "neighbours": shares})


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
    tune.report({"accuracy": skill, "influence": influence, "checkpoint": str(checkpoint)})
