"""A search algorithm as Ray's own Searcher, for a stranger's Tuner and trainable: no store, no trainer of ours."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import JsonValue as Json
from ray.tune.search import Searcher as RaySearcher

from mixtune.errors import ConfigError, NotReady, SearchExhausted, StudyStopped, TrainingError
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Recipe
from mixtune.searchers.base import Searcher
from mixtune.searchers.possible import require_possible
from mixtune.store.codec import from_json, to_json
from mixtune.study import Study
from mixtune.trial import Trial, TrialState
from mixtune.tuning import flat, given
from mixtune.tuning.plan import propose

DIED = "the trainable raised, or its worker died: see the errors of the ResultGrid"


def as_ray(searcher: Searcher, study: Study, *, metric: str | None = None, mode: str = "max") -> "MixtureSearch":
    """Make a search algorithm a `ray.tune.search.Searcher` for your own `ray.tune.Tuner` and trainable.

    The study says which sources and targets there are, what mixtures are allowed, how many trials may run at once
    (study.budget.workers; more of Tune's slots stay idle) and, if you like, when to stop (study.budget.trials, else
    Tune's num_samples). `mixtune.tuning.described` makes one without any data on disk. metric names the number that the
    search goes by, to be made large or small (mode `max` or `min`); TuneConfig's own is not passed on by Ray. Constants
    of yours may stand in param_space, under other names than these.

    With M sources and N targets, your trainable finds in its config:

    - `trial`: number of the trial, from 0.
    - `role`: `search` (train from the base model), `round` (continue a chain), `reference` (train from the base model,
      as a yardstick) or `survey` (train nothing).
    - `sources`, `targets`: lists of M and N names.
    - `weights`: dict name -> share of batches, sums to 1 (one source per batch; where `mixed` is true, see there).
    - `kept`: dict name -> share of the source's rows to use, in (0, 1], its best ones first. `keep_least`: rows of a
      source below which no share goes.
    - `schedule`: how the rows in use change during the run, None: they do not, else a dict, the fields of
      `mixtune.pruning.Schedule`. `topics`, `topic_clusters`, `margin_bins`: how a source's batches are composed, the
      `topics`, `clusters` and `margin_bins` of `mixtune.batching.Batching` (0, 1, 1: at random). They are what the
      study's space says, and change only where it leaves them open.
    - `mixed`: true where each row of a batch comes from a source of its own, all of weight above 0 alike likely;
      `weights` are then those of the rows' losses.
    - `steps`: optimiser steps to train on these weights; in a first round of `infdds` and in a survey 0.
    - `horizon`: steps that a learning-rate schedule spans, None for a constant rate (rounds).
    - `seed`: integer, this trial's own.
    - `parent`, `parent_checkpoint`: number of the trial to continue and the `checkpoint` that it reported; None for
      the base model.
    - `reference`, `reference_checkpoint`: number and `checkpoint` of the trial whose model gives reference losses, None
      where none are read.
    - `probe_sources`, `probe_kept`: two lists of P, names and shares of rows: what to try out after the steps, [] for
      nothing. From the same parameters, take `probe_steps` optimiser steps on each, alone. `probe_schedule`,
      `probe_topics`, `probe_margin_bins`: three lists of P in the same order, what `schedule`, `topics` and
      `margin_bins` are during those steps; where the space leaves none of them open they are as those.
    - `reptile`, `epsilon`, `temperature`: how to merge what helped: add `epsilon` times the weighted mean of the tried
      changes of the parameters. Weights are positive influences (`linear`) or exp(influence / temperature)
      (`softmax`; None is the standard deviation of the influences), scaled to sum 1.
    - `rule`, `rule_settings`, `rule_state`: what moves the weights at every step, "" for nothing, its settings (a
      dict), and where it stands (a list of numbers, [] at the start of a chain). Run it as below. `rule_negatives`: own
      hard negatives that an example's loss is told from, no other document of the batch taking part.
    - `gradient_sources`: list of G names, [] for none. Without a rule: after the steps, compare each source's gradient,
      on `gradient_batches` batches of its own, with that of each target's dev loss, on `gradient_queries` dev queries
      (None: all) against their positives and `gradient_negatives` sampled documents. With a rule that reads products
      the same is done at every step, for the sources in the batch. `gradient_parameters`: text in the names of the
      parameters that are compared; "" is up to you (all, or the last layer), "*" all.

    A rule (rounds of `tdro`, `doremi` and `doge`) sees each batch's losses before the parameters move:

        rule = make_rule(Rule(config["rule"], config["rule_settings"]))          # mixtune.rules, mixtune.trial
        held = config["rule_state"]                                              # M weights in the order of `sources`:
        state = unpacked(rule, held, M) if held else rule.start(weights)         # mixtune.rules
        for ...:                                                                 # each of `steps` batches
            state = rule.step(state, StepSignals(sources, loss, reference))      # numpy arrays; see StepSignals
            ...                                          # minimise rule.example_weights(state, sources) @ loss
        tune.report({"rule_state": packed(state), "checkpoint": path})           # mixtune.rules

    In its last report (`tune.report`) it gives, where the algorithm reads it (see `needs`):

    - your metric: a finite number. nan or inf make it a failed trial. Algorithms without `score` among their needs go
      without it.
    - `influence` (rounds of `infdds`): list of P numbers in the order of `probe_sources`: relative fall of the
      targets' dev loss by the tried steps, (before - after) / before, averaged over targets by their weights. None or
      nan where it diverged.
    - `influence_error`: list of P standard errors in the same unit. Left out they count as 0, and noise is taken for
      influence. Draw the dev queries anew in each round, or say `InfDDS(queries=None)`: errors then do not fall with
      more rounds.
    - `influence_per_target`, `influence_per_target_error`: P lists of N numbers, the same per target. Optional.
    - `rule_state` (rounds with a `rule`): the list of numbers that `mixtune.rules.packed` makes of the rule's state
      after the last step.
    - `alignment` (rounds of `multidds`): G lists of N numbers in the order of `gradient_sources`: cosines of the
      source's gradient with those of the targets. None or nan where there is none.
    - `checkpoint` (rounds and references): path, as text, of the parameters at the end (after the merge, where there is
      one), where any worker can read it. Keep the newest two, and the reference's.
    - `neighbours` (survey of `neighbours`): N lists of M numbers: of the training queries nearest to the target's dev
      queries, the share that each source has.
    - `clusters` (survey of `crisp`): N lists of M numbers: the sum over clusters of training queries of the cluster's
      share of the target's dev queries times the share that the source has of the cluster.
    - `cost` (if study.budget.runs is set): cost of the trial, 1 is a fresh full-length run with its evaluation.
    - `steps_done`: optimiser steps done so far. Optional: with fewer than `steps` the trial counts as pruned (stopped
      early by your scheduler), else as complete.

    study.stopping is not read: early stopping is your scheduler's (TuneConfig(scheduler=...)). The report at which it
    ends a trial is that trial's last, so each report must hold all of the above, `steps_done` too: without it a trial
    that was cut short passes for a complete one. A pruned trial is never recommended; the algorithms learn from the
    score that it had. A trial that is ended while it is paused (HyperBand) has no last report and counts as failed. Let
    a scheduler end trials of role `search` only: nothing can continue a round that has no `checkpoint` yet, and its
    report without `influence` ends Tuner.fit with ConfigError.

    Lists, never dicts: Ray takes dicts apart. Numbers are floats, lists or numpy arrays, no tensors.

    Proposals depend on the study, the numbers and the answers alone, never on timing. A trial that dies counts as
    failed and is not repeated; study.budget.max_failures of them in a row end Tuner.fit with StudyStopped. A key that
    is missing or has another shape ends it with ConfigError. Afterwards `recommend()` gives the best recipe and
    `trials` all of them. After a kill, Tuner.restore goes on with the trials of Ray's last snapshot. After a time
    budget or a Stopper begin a new Tuner, since Ray never tells a search what became of the trials that it cut off.

    Raises:
        ConfigError: the algorithm reads what a flat report cannot hold, or the study's bounds allow no mixture.
        DataError: the study was not prepared: use `described`, or one that `tune` has prepared.
    """
    return MixtureSearch(searcher, study, metric, mode)


class MixtureSearch(RaySearcher):
    """Ray's Searcher over one of ours. It keeps the trials so far, and which of Ray's trials runs which of them.

    Made by `as_ray`, whose text says what a trainable is given and reports.
    """

    def __init__(self, searcher: Searcher, study: Study, metric: str | None, mode: str) -> None:
        unread = searcher.needs - flat.READABLE
        if unread:
            raise ConfigError(
                f"{searcher.name} reads {', '.join(sorted(unread))}, which Ray's flat reports do not hold: run it with "
                f"mixtune.tuning.tuner.tune, or choose another search algorithm"
            )
        if "score" in searcher.needs and metric is None:
            raise ConfigError(
                f"{searcher.name} needs a metric: as_ray(..., metric='ndcg') (Ray keeps TuneConfig's own)"
            )
        if mode not in ("max", "min"):
            raise ConfigError(f"mode is {mode!r}: it must be 'max' or 'min'")
        require_possible(study, searcher)
        super().__init__(metric=metric, mode=mode if metric else None)
        self.study = study
        self._searcher = searcher
        self._live: dict[str, int] = {}
        self._mistake: ConfigError | None = None
        self._trials: list[Trial] = []

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials so far in number order; scores are negated where the metric is to be small."""
        return tuple(self._trials)

    def recommend(self) -> Recipe:
        """The best recipe as far as is known.

        Raises:
            SearchExhausted: no trial has finished well enough to recommend anything.
        """
        return self._searcher.recommend(self.study, [trial for trial in self._trials if trial.state.finished])

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ANN401
        """Look at what Tune was given; False makes Ray refuse a param_space that leaves something to be chosen.

        Raises:
            ConfigError: param_space holds a key that the search decides.
        """
        taken = sorted(set(config) & given.GIVEN)
        if taken:
            raise ConfigError(f"param_space gives {', '.join(taken)}, which the search decides: rename them")
        return False

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # Ray forgot FINISHED
        """Config of the next trial, None to be asked again, FINISHED when there is nothing left to propose.

        Raises:
            ConfigError: the last report of a trial cannot be read.
            StudyStopped: too many trials failed in a row.
        """
        if self._mistake is not None:
            raise self._mistake
        self._give_up()
        try:
            trial = self._next()
        except NotReady:
            return None
        except SearchExhausted:
            return RaySearcher.FINISHED
        self._trials.append(replace(trial, state=TrialState.RUNNING, attempt=1))
        self._live[trial_id] = trial.number
        return given.config_of(
            self.study,
            trial,
            parent_checkpoint=self._checkpoint(trial.proposal.parent),
            reference_checkpoint=self._checkpoint(trial.proposal.reference),
        )

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Take an answer in. Ray may call this twice for one trial; only the first counts.

        A report that cannot be read waits for the next question: raised here, Ray would call again and go on.
        """
        number = self._live.pop(trial_id, None)
        if number is None:
            return
        trial = self._trials[number]
        try:
            self._trials[number] = _failed(trial, DIED) if error or result is None else self._answered(trial, result)
        except ConfigError as mistake:
            self._mistake = mistake
            self._trials[number] = _failed(trial, str(mistake))

    def save(self, checkpoint_path: str) -> None:
        """Write the trials as JSON; the file appears whole or not at all."""
        beside = Path(f"{checkpoint_path}.{os.getpid()}")
        try:
            with beside.open("w", encoding="utf-8") as file:
                json.dump(self._state(), file, allow_nan=False)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(checkpoint_path)
        finally:
            beside.unlink(missing_ok=True)

    def restore(self, checkpoint_path: str) -> None:
        """Go on with the trials that `save` wrote; those that were running are awaited, as Ray runs them again.

        Raises:
            ConfigError: they belong to another study or another search algorithm.
        """
        held = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
        own = self._state()
        if (held["searcher"], held["study"]) != (own["searcher"], own["study"]):
            raise ConfigError(
                f"{checkpoint_path} holds trials of {held['searcher']}, on another study or with other settings "
                f"than {own['searcher']}: restore with what they were made with, or start anew"
            )
        self._trials = [from_json(Trial, trial) for trial in held["trials"]]
        self._live = held["live"]

    def _state(self) -> dict[str, Json]:
        return {
            "searcher": f"{self._searcher!r} on {self._metric!r} ({self._mode})",
            "study": to_json(self.study),
            "trials": [to_json(trial) for trial in self._trials],
            "live": dict(self._live),
        }

    def _checkpoint(self, number: int | None) -> str | None:
        found = None if number is None else self._trials[number].measurement
        return None if found is None else found.checkpoint

    def _next(self) -> Trial:
        """The survey where the algorithm reads it, else what the algorithm proposes, by the rule of every study."""
        if not self._trials and flat.SURVEYED & self._searcher.needs:
            recipe = Recipe(self.study.proportional())
            return Trial(0, Proposal(recipe, steps=0, role=Role.SURVEY), self.study.trial_seed(0))
        return propose(self.study, self._searcher, self._trials)

    def _answered(self, trial: Trial, result: dict[str, Any]) -> Trial:
        sign = -1.0 if self._mode == "min" else 1.0
        try:
            found = flat.measurement_of(self.study, trial, result, self._searcher.needs, self._metric, sign)
        except TrainingError as error:
            return _failed(trial, str(error))
        state = TrialState.COMPLETE if found.step >= trial.proposal.steps else TrialState.PRUNED
        return replace(trial, state=state, measurement=found)

    def _give_up(self) -> None:
        most = self.study.budget.max_failures
        last = [trial for trial in self._trials if trial.state.finished][-most:]
        if len(last) == most and all(trial.state is TrialState.FAILED for trial in last):
            raise StudyStopped(
                f"{most} trials failed in a row, the last one (trial {last[-1].number}): {last[-1].error}"
            )


def _failed(trial: Trial, why: str) -> Trial:
    return replace(trial, state=TrialState.FAILED, error=why)
