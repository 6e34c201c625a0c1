"""What a fresh run's outcome follows from, as one short text: runs of equal fingerprints are equal."""

import hashlib
import json
import platform
from collections.abc import Mapping

from mixtune.proposal import FRESH, JUDGED, Role
from mixtune.store.codec import to_json
from mixtune.study import Study
from mixtune.training.base import Task, Trainer

FORMAT = "run-1"
"""Part of every fingerprint: a change of what runs do or measure, within a version of mixtune, changes it."""

DECIDING = ("python", "mixtune", "torch", "sentence-transformers", "transformers", "numpy")
"""Libraries of which another version may compute something else."""


def fingerprint(study: Study, task: Task, trainer: Trainer, versions: Mapping[str, str], threads: int) -> str:
    """Fingerprint of a run, "" where its outcome depends on more than can be told here.

    That is so for runs that continue, compare themselves with, or are continued by another one, for probes, and where
    early stopping looks at other runs. What a searcher noted of a proposal and what an anchor is called play no part,
    nor which machine of a kind it is: elsewhere a run may differ in its last bits.

    Args:
        study: the prepared study.
        task: the run to do.
        trainer: who does it.
        versions: library -> version.
        threads: torch threads of a worker; sums in another order differ in their last bits.
    """
    proposal = task.proposal
    whole = task.thresholds or proposal.probe or proposal.parent is not None or proposal.reference is not None
    if whole or proposal.role not in FRESH | {Role.SURVEY}:
        return ""
    decides = {
        "format": FORMAT,
        "trainer": type(trainer).__qualname__,
        "versions": {name: versions.get(name, "") for name in DECIDING},
        "machine": [platform.machine(), threads],
        "data": study.prepared.key,
        "sources": list(study.names),
        "targets": {target.name: target.weight for target in study.targets},
        "order": [target.name for target in study.targets],
        "model": study.model,
        "proxy": to_json(study.proxy),
        "objective": to_json(study.objective),
        "study seed": study.seed,
        "seed": task.seed,
        "recipe": to_json(proposal.recipe),
        "steps": proposal.steps,
        "horizon": proposal.horizon,
        "gradients": None if proposal.gradients is None else to_json(proposal.gradients),
        "rule": None if proposal.rule is None else to_json(proposal.rule),
        "survey": proposal.role is Role.SURVEY,
        "dev": proposal.scored,
        "test": proposal.role in JUDGED and study.final.seeds > 0,
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True, allow_nan=False).encode()).hexdigest()
