"""What every Store does. A back end passes it with two fixtures: `store`, empty, and `silence`."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from mixtune.comparison import Comparison, Equal
from mixtune.errors import LeaseHeld, LeaseLost, StoreError, StudyExists, StudyNotFound
from mixtune.measurement import Cost, Drawn, Influence, Measurement, Scores
from mixtune.preparation import Preparation
from mixtune.proposal import Probe, Proposal, Role
from mixtune.proxy import Proxy
from mixtune.pruning import Pruning
from mixtune.recipe import Mixture, Recipe
from mixtune.search import Budget, Search
from mixtune.source import Source, SourceFacts
from mixtune.space import SimplexMapping, Space
from mixtune.store.base import AttemptOutcome, Lease, Store, Twin
from mixtune.store.lease import Owner, process_owner
from mixtune.study import Study, StudyState
from mixtune.target import Target, TargetFacts
from mixtune.trial import Trial, TrialState

Silence = Callable[[float], None]
"""Makes every lease look as if its holder had been silent for that many seconds more."""

SCORES: Scores = {"t": {"ndcg@10": (0.1, 1 / 3, 0.0), "recall@20": (1.0, 0.5, 2e-308)}, "u": {}}


def make_study(name: str = "homes") -> Study:
    return Study(
        name=name,
        sources=(Source("numpy", "docstrings", "numpy", limit=7, weight=0.3), Source("ß/é", "beir", "/data/ß")),
        targets=(Target("t", "beir", "/data/t", weight=2.0),),
        search=Search("infdds", {"rate": 0.1, "policy": "kl", "probed": [1, None, {"deep": True}]}),
        budget=Budget(trials=3, runs=2.5),
        proxy=Proxy(trainable="last:2", learning_rate=1e-5 / 3),
        space=Space(SimplexMapping.STICK, cap={"numpy": 0.5}, must_include=("numpy",), levels={"numpy": (0.25, 1.0)}),
        seed=2**40 + 1,
        preparation=Preparation(
            key="k",
            sources={"numpy": SourceFacts(10, 9, 31.4, "abc")},
            targets={"t": TargetFacts(5, 6, 100, 50, "def")},
            run_flops=1e15 / 7,
            notes=("small",),
        ),
    )


def make_trial(number: int, state: TrialState = TrialState.RUNNING, *, attempt: int = 1) -> Trial:
    recipe = Recipe(Mixture.normalised({"numpy": 1 + number, "ß/é": 2}), Pruning({"numpy": 0.25}))
    probe = Probe(("numpy",), steps=5, temperature=0.1)
    proposal = Proposal(recipe, 300, Role.ROUND, parent=0, probe=probe, label="kl", notes={"point": [0.1, 1 / 3]})
    return Trial(number, proposal, seed=2**32 - 1, seen=number - 2, state=state, attempt=attempt, started=1.5)


def finish(trial: Trial, score: float = 1 / 3) -> Trial:
    measurement = Measurement(
        step=300,
        score=score,
        dev={"t": {"ndcg@10": 0.1 + 0.2}},
        loss={"numpy": 5e-324, "ß/é": 1.7976931348623157e308},
        influence={"numpy": Influence(None, None), "ß/é": Influence(-0.0, 1e-9, {"t": 0.1}, {"t": 0.01})},
        merge="merged",
        receipt={"numpy": Drawn(3, 96, 90, 0.7)},
        cost=Cost(train=1e12 / 3, dev=2e12, seconds=1.25),
        checkpoint="trial-0",
    )
    return replace(trial, state=TrialState.COMPLETE, measurement=measurement, node="n1", pid=4711, finished=2.5)


def make_comparison(name: str = "duel") -> Comparison:
    contenders = {"tdro": Search("tdro", {}), "tpe ü": Search("tpe", {"prior": "expert"})}
    return Comparison(replace(make_study(name), preparation=None), contenders, replicates=2, equal=Equal.TRIALS)


class StoreContract:
    @pytest.fixture
    def lease(self, store: Store) -> Lease:
        store.create_study(make_study())
        return store.acquire("homes", process_owner())

    # Studies

    def test_a_new_study_is_queued_and_read_back_equal(self, store: Store) -> None:
        created = store.create_study(make_study())
        assert created == store.study("homes")
        assert (created.study, created.state, created.reason) == (make_study(), StudyState.QUEUED, "")
        assert created.versions is None
        assert created.created == pytest.approx(created.updated)

    def test_a_taken_name_is_refused_and_the_study_stays(self, store: Store) -> None:
        record = store.create_study(make_study())
        with pytest.raises(StudyExists, match=r"'homes'.*mixtune resume homes"):
            store.create_study(replace(make_study(), seed=9))
        assert store.study("homes") == record

    def test_one_of_many_creators_of_a_name_wins(self, store: Store) -> None:
        def create(seed: int) -> int | None:
            try:
                store.create_study(replace(make_study(), seed=seed))
            except StudyExists:
                return None
            return seed

        with ThreadPoolExecutor(4) as pool:
            winners = [seed for seed in pool.map(create, range(8)) if seed is not None]
        assert winners == [store.study("homes").study.seed]

    def test_an_unknown_name_is_answered_with_the_nearest_one(self, store: Store) -> None:
        for name in ("alpha", "homes-2024"):
            store.create_study(make_study(name))
        with pytest.raises(StudyNotFound, match=r"no study 'homes'.*'homes-2024'.*mixtune ls"):
            store.study("homes")

    def test_where_no_name_is_near_the_first_few_are_told(self, store: Store) -> None:
        for name in ("alpha", "beta"):
            store.create_study(make_study(name))
        with pytest.raises(StudyNotFound, match=r"no study 'homes'; known: 'alpha', 'beta', `mixtune ls`"):
            store.study("homes")

    def test_an_unknown_name_in_an_empty_store_is_answered(self, store: Store) -> None:
        with pytest.raises(StudyNotFound, match="mixtune run"):
            store.study("homes")

    def test_an_unknown_name_is_refused_by_every_reader(self, store: Store) -> None:
        for read in (store.trials, store.summaries, store.delete_study):
            with pytest.raises(StudyNotFound):
                read("homes")
        for read_one in (store.scores, store.attempts):
            with pytest.raises(StudyNotFound):
                read_one("homes", 0)
        with pytest.raises(StudyNotFound):
            store.acquire("homes", process_owner())

    def test_studies_come_oldest_first(self, store: Store) -> None:
        for name in ("b", "a", "c"):
            store.create_study(make_study(name))
        assert [record.study.name for record in store.studies()] == ["b", "a", "c"]
        assert len({record.uid for record in store.studies()}) == 3

    def test_a_study_is_driven_while_the_holder_of_its_lease_lives(self, store: Store, silence: Silence) -> None:
        store.create_study(make_study("other"))
        assert not store.create_study(make_study()).driven
        lease = store.acquire("homes", process_owner())
        assert store.update_study(lease, state=StudyState.RUNNING).driven
        assert [record.driven for record in store.studies()] == [False, True]
        silence(31)
        assert not store.study("homes").driven
        store.renew(lease)
        assert store.study("homes").driven
        store.release(lease)
        assert [record.driven for record in store.studies()] == [False, False]

    def test_a_running_study_that_nobody_drives_is_told_as_stopped(self, store: Store) -> None:
        store.create_study(make_study())
        child = subprocess.run(
            [sys.executable, "-c", "from mixtune.store.lease import process_owner; print(process_owner())"],
            capture_output=True,
            text=True,
            check=True,
        )
        lease = store.acquire("homes", child.stdout.strip())
        store.update_study(lease, state=StudyState.RUNNING)
        left = store.study("homes")
        assert (left.state, left.told.state) == (StudyState.RUNNING, StudyState.STOPPED)
        assert "its tuner is gone" in left.told.reason
        own = store.acquire("homes", process_owner())
        assert store.study("homes").told == store.study("homes")
        store.update_study(own, state=StudyState.COMPLETE)
        store.release(own)
        assert store.study("homes").told.state is StudyState.COMPLETE

    def test_an_update_changes_what_is_given_and_nothing_else(self, store: Store, lease: Lease) -> None:
        before = store.study("homes")
        first = store.update_study(lease, state=StudyState.RUNNING, versions={"torch": "2.13"})
        second = store.update_study(lease, reason="enough", study=replace(make_study(), seed=3))
        assert replace(first, updated=0) == replace(
            before, state=StudyState.RUNNING, versions={"torch": "2.13"}, updated=0
        )
        assert replace(second, updated=0) == replace(
            first, reason="enough", study=replace(make_study(), seed=3), updated=0
        )
        assert second == store.study("homes")
        assert second.updated >= first.updated >= before.updated

    def test_an_update_takes_a_reason_away_again(self, store: Store, lease: Lease) -> None:
        store.update_study(lease, reason="three failures in a row")
        assert store.update_study(lease, reason="").reason == ""

    def test_a_study_keeps_its_name(self, store: Store, lease: Lease) -> None:
        with pytest.raises(StoreError, match="cannot become 'other'"):
            store.update_study(lease, study=make_study("other"))
        assert [record.study.name for record in store.studies()] == ["homes"]

    def test_an_update_is_all_or_nothing(self, store: Store, lease: Lease) -> None:
        before = store.study("homes")
        with pytest.raises(StoreError, match="leaves a gap"):
            store.update_study(lease, state=StudyState.RUNNING, add=[make_trial(0), make_trial(2)])
        assert store.study("homes") == before
        assert store.trials("homes") == []

    # Trials

    def test_trials_are_read_back_equal_in_number_order(self, store: Store, lease: Lease) -> None:
        trials = [make_trial(0), make_trial(1, TrialState.QUEUED, attempt=0), make_trial(2)]
        store.update_study(lease, add=trials[:2])
        store.add_trial(lease, trials[2])
        done = finish(trials[1])
        store.update_trial(lease, done)
        read = store.trials("homes")
        assert read == [trials[0], done, trials[2]]
        assert read[1].measurement is not None
        assert str(read[1].measurement.influence["ß/é"].value) == "-0.0"

    def test_trials_belong_to_their_study(self, store: Store, lease: Lease) -> None:
        store.create_study(make_study("other"))
        store.add_trial(lease, make_trial(0))
        assert store.trials("other") == []

    @pytest.mark.parametrize(("number", "problem"), [(0, "is taken"), (2, "leaves a gap")])
    def test_a_new_trial_has_the_next_number(self, store: Store, lease: Lease, number: int, problem: str) -> None:
        store.add_trial(lease, make_trial(0))
        with pytest.raises(StoreError, match=f"{number} {problem}.*the next one is 1"):
            store.add_trial(lease, make_trial(number))
        assert store.trials("homes") == [make_trial(0)]

    def test_an_unknown_trial_cannot_be_changed_or_read(self, store: Store, lease: Lease) -> None:
        store.add_trial(lease, make_trial(0))
        with pytest.raises(StoreError, match="no trial 1"):
            store.update_trial(lease, make_trial(1))
        with pytest.raises(StoreError, match="no trial 1"):
            store.scores("homes", 1)
        with pytest.raises(StoreError, match="no trial -1"):
            store.attempts("homes", -1)

    def test_summaries_say_what_the_trials_say(self, store: Store, lease: Lease) -> None:
        store.update_study(lease, add=[finish(make_trial(0)), make_trial(1)])
        trials = store.trials("homes")
        summaries = store.summaries("homes")
        assert [(s.number, s.role, s.state, s.attempt, s.recipe) for s in summaries] == [
            (t.number, t.role, t.state, t.attempt, t.proposal.recipe) for t in trials
        ]
        assert [(s.label, s.node, s.pid, s.started, s.finished) for s in summaries] == [
            (t.proposal.label, t.node, t.pid, t.started, t.finished) for t in trials
        ]
        assert [(s.score, s.cost_flops) for s in summaries] == [(1 / 3, 1e12 / 3 + 2e12), (None, 0.0)]

    @pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
    def test_a_number_that_is_not_finite_is_refused(self, store: Store, lease: Lease, score: float) -> None:
        store.add_trial(lease, make_trial(0))
        with pytest.raises(ValueError, match=f"score is {score}"):
            store.update_trial(lease, finish(make_trial(0), score))
        with pytest.raises(ValueError, match="finite"):
            store.update_trial(lease, finish(make_trial(0)), {"t": {"ndcg@10": (score,)}})
        assert store.trials("homes") == [make_trial(0)]

    def test_an_error_with_characters_that_no_database_holds_is_kept_readable(self, store: Store, lease: Lease) -> None:
        store.add_trial(lease, make_trial(0))
        failed = replace(make_trial(0), state=TrialState.FAILED, error="nul \x00 half \udce9 whole é\n  at line 3")
        store.update_trial(lease, failed)
        store.update_study(lease, reason="gave up: \x00")
        assert store.trials("homes")[0].error == "nul \\x00 half \\udce9 whole é\n  at line 3"
        assert store.attempts("homes", 0)[0].error == store.trials("homes")[0].error
        assert store.study("homes").reason == "gave up: \\x00"

    def test_threads_may_write_at_once(self, store: Store, lease: Lease) -> None:
        trials = [make_trial(number) for number in range(12)]
        store.update_study(lease, add=trials)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda trial: store.update_trial(lease, finish(trial), SCORES), trials))
        assert store.trials("homes") == [finish(trial) for trial in trials]

    # Scores

    def test_an_ended_run_is_read_back_with_its_rungs_and_listed_with_its_step(
        self, store: Store, lease: Lease
    ) -> None:
        done = finish(make_trial(0))
        assert done.measurement is not None
        measured = replace(done.measurement, step=30, rungs={10: 0.1 + 0.2, 30: 1 / 3})
        ended = replace(done, state=TrialState.PRUNED, measurement=measured)
        store.update_study(lease, add=[ended, make_trial(1), finish(make_trial(2)), make_trial(3, TrialState.PRUNED)])
        assert store.trials("homes")[0] == ended
        assert [line.stopped_at for line in store.summaries("homes")] == [30, None, None, None]
        assert store.attempts("homes", 0)[-1].outcome is AttemptOutcome.PRUNED

    def test_scores_are_read_back_equal_and_outlive_an_update_without_scores(self, store: Store, lease: Lease) -> None:
        store.add_trial(lease, make_trial(0))
        store.update_trial(lease, finish(make_trial(0)), SCORES)
        store.update_trial(lease, finish(make_trial(0), 0.5))
        assert store.scores("homes", 0) == SCORES

    def test_newer_scores_replace_older_ones(self, store: Store, lease: Lease) -> None:
        store.add_trial(lease, make_trial(0))
        store.update_trial(lease, finish(make_trial(0)), SCORES)
        store.update_trial(lease, finish(make_trial(0)), {"t": {"ndcg@10": (0.5,)}})
        assert store.scores("homes", 0) == {"t": {"ndcg@10": (0.5,)}}

    def test_a_trial_without_scores_has_none(self, store: Store, lease: Lease) -> None:
        store.add_trial(lease, make_trial(0))
        assert store.scores("homes", 0) == {}

    # Attempts

    def test_the_traceback_of_a_failed_attempt_survives_a_successful_one(self, store: Store, lease: Lease) -> None:
        first = replace(make_trial(0), node="n1", pid=1)
        store.add_trial(lease, first)
        store.update_trial(lease, replace(first, state=TrialState.FAILED, error="Traceback: boom", finished=2.0))
        store.update_trial(lease, replace(first, attempt=2, started=3.0, pid=2))
        store.update_trial(lease, finish(replace(first, attempt=2, started=3.0)))
        failed, complete = store.attempts("homes", 0)
        assert (failed.attempt, failed.outcome, failed.error) == (1, AttemptOutcome.FAILED, "Traceback: boom")
        assert (failed.started, failed.finished, failed.node, failed.pid) == (1.5, 2.0, "n1", 1)
        assert (complete.attempt, complete.outcome, complete.error) == (2, AttemptOutcome.COMPLETE, None)
        assert (complete.started, complete.finished, complete.pid) == (3.0, 2.5, 4711)
        assert store.trials("homes")[0].error is None

    def test_an_attempt_that_is_queued_again_with_an_error_has_failed(self, store: Store, lease: Lease) -> None:
        store.add_trial(lease, make_trial(0))
        store.update_trial(lease, replace(make_trial(0), state=TrialState.QUEUED, error="worker died", finished=2.0))
        store.update_trial(lease, replace(make_trial(0), attempt=2))
        assert [(a.attempt, a.outcome, a.error, a.finished) for a in store.attempts("homes", 0)] == [
            (1, AttemptOutcome.FAILED, "worker died", 2.0),
            (2, AttemptOutcome.RUNNING, None, None),
        ]

    def test_an_attempt_that_ends_without_an_account_is_lost(self, store: Store, lease: Lease) -> None:
        store.add_trial(lease, make_trial(0))
        store.update_trial(lease, replace(make_trial(0), state=TrialState.QUEUED))
        store.update_trial(lease, replace(make_trial(0), attempt=2))
        store.update_trial(lease, replace(make_trial(0), attempt=3))
        outcomes = [attempt.outcome for attempt in store.attempts("homes", 0)]
        assert outcomes == [AttemptOutcome.LOST, AttemptOutcome.LOST, AttemptOutcome.RUNNING]

    def test_a_trial_that_was_never_begun_has_no_attempts(self, store: Store, lease: Lease) -> None:
        store.add_trial(lease, make_trial(0, TrialState.QUEUED, attempt=0))
        assert store.attempts("homes", 0) == []

    # The lease

    def test_a_study_driven_by_a_living_process_is_refused_and_says_by_whom(self, store: Store, lease: Lease) -> None:
        pid = Owner.parse(lease.owner).pid  # type: ignore[union-attr]
        with pytest.raises(LeaseHeld, match=rf"'homes' is driven by process {pid} on .*ends in (29|30) s"):
            store.acquire("homes", process_owner())

    def test_a_study_of_a_process_that_is_gone_is_taken_at_once(self, store: Store) -> None:
        store.create_study(make_study())
        code = "from mixtune.store.lease import process_owner; print(process_owner())"
        gone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        first = store.acquire("homes", gone)
        second = store.acquire("homes", process_owner())
        assert second.fence > first.fence

    def test_a_process_number_that_was_given_out_again_does_not_hold_a_study(self, store: Store) -> None:
        store.create_study(make_study())
        mine = Owner.parse(process_owner())
        assert mine is not None
        first = store.acquire("homes", str(replace(mine, started="1")))
        assert store.acquire("homes", process_owner()).fence > first.fence

    @pytest.mark.parametrize("owner", ["elsewhere/boot/ns/me 1 7", "a colleague"])
    def test_an_owner_that_cannot_be_seen_from_here_keeps_the_study_until_it_expires(
        self, store: Store, silence: Silence, owner: str
    ) -> None:
        store.create_study(make_study())
        first = store.acquire("homes", owner)
        silence(20)
        with pytest.raises(LeaseHeld, match=r"heard of 2[01] s ago.*ends in (9|10) s"):
            store.acquire("homes", process_owner())
        silence(10)
        assert store.acquire("homes", process_owner()).fence > first.fence

    def test_a_renewed_lease_does_not_expire(self, store: Store, lease: Lease, silence: Silence) -> None:
        silence(29)
        store.renew(lease)
        silence(29)
        with pytest.raises(LeaseHeld):
            store.acquire("homes", "elsewhere/boot/ns/me 1 7")

    def test_an_expired_lease_that_nobody_took_may_go_on(self, store: Store, lease: Lease, silence: Silence) -> None:
        silence(100)
        store.renew(lease)
        with pytest.raises(LeaseHeld):
            store.acquire("homes", process_owner())

    def test_a_study_given_back_is_free(self, store: Store, lease: Lease) -> None:
        store.release(lease)
        assert store.acquire("homes", "elsewhere/boot/ns/me 1 7").fence > lease.fence

    def test_nothing_is_written_under_a_lost_lease(self, store: Store, lease: Lease, silence: Silence) -> None:
        store.add_trial(lease, make_trial(0))
        silence(31)
        store.acquire("homes", "elsewhere/boot/ns/me 1 7")
        before = store.study("homes")
        for write in (
            lambda: store.add_trial(lease, make_trial(1)),
            lambda: store.update_trial(lease, finish(make_trial(0)), SCORES),
            lambda: store.update_study(lease, state=StudyState.COMPLETE, add=[make_trial(1)]),
            lambda: store.renew(lease),
        ):
            with pytest.raises(LeaseLost, match="'homes' was taken over"):
                write()
        assert store.study("homes") == before
        assert store.trials("homes") == [make_trial(0)]
        assert store.scores("homes", 0) == {}

    def test_giving_a_lost_lease_back_leaves_the_new_holder_alone(
        self, store: Store, lease: Lease, silence: Silence
    ) -> None:
        silence(31)
        taken = store.acquire("homes", process_owner())
        store.release(lease)
        store.renew(taken)
        with pytest.raises(LeaseHeld):
            store.acquire("homes", process_owner())

    def test_nothing_is_written_under_a_lease_given_back(self, store: Store, lease: Lease) -> None:
        store.release(lease)
        store.release(lease)
        with pytest.raises(LeaseLost):
            store.add_trial(lease, make_trial(0))

    def test_one_of_many_who_want_a_study_gets_it(self, store: Store) -> None:
        store.create_study(make_study())

        def acquire(_: int) -> Lease | None:
            try:
                return store.acquire("homes", process_owner())
            except LeaseHeld:
                return None

        with ThreadPoolExecutor(4) as pool:
            assert sum(lease is not None for lease in pool.map(acquire, range(8))) == 1

    # Equal runs

    def test_a_complete_trial_is_found_by_its_fingerprint_with_its_scores(self, store: Store, lease: Lease) -> None:
        store.update_study(lease, add=[make_trial(0), replace(make_trial(1), fingerprint="f")])
        assert store.twin("f") is None
        done = finish(replace(make_trial(1), fingerprint="f"))
        store.update_trial(lease, done, SCORES)
        assert store.twin("f") == Twin("homes", done, SCORES)
        assert store.twin("g") is None
        assert store.trials("homes")[1].fingerprint == "f"

    def test_a_trial_without_scores_is_found_without_scores(self, store: Store, lease: Lease) -> None:
        done = finish(replace(make_trial(0), fingerprint="f"))
        store.update_study(lease, add=[done])
        assert store.twin("f") == Twin("homes", done, {})

    def test_a_trial_that_failed_is_nobodys_twin(self, store: Store, lease: Lease) -> None:
        failed = replace(make_trial(0), state=TrialState.FAILED, error="boom", fingerprint="f")
        store.update_study(lease, add=[failed])
        assert store.twin("f") is None

    def test_a_trial_keeps_whose_run_it_took_over(self, store: Store, lease: Lease) -> None:
        taken = replace(finish(make_trial(0)), fingerprint="f", reused="other/3")
        store.update_study(lease, add=[taken, make_trial(1)])
        assert store.trials("homes")[0] == taken
        assert [line.reused for line in store.summaries("homes")] == ["other/3", ""]

    def test_a_trial_that_ran_itself_is_found_before_an_older_one_that_took_a_run_over(
        self, store: Store, lease: Lease
    ) -> None:
        store.update_study(lease, add=[replace(finish(make_trial(0)), fingerprint="f", reused="gone/3")])
        store.create_study(make_study("later"))
        own = finish(replace(make_trial(0), fingerprint="f"), 0.5)
        store.update_study(store.acquire("later", process_owner()), add=[own])
        assert store.twin("f") == Twin("later", own, {})

    def test_a_trial_that_took_a_run_over_is_found_once_the_study_of_that_run_is_gone(
        self, store: Store, lease: Lease
    ) -> None:
        store.update_study(lease, add=[finish(replace(make_trial(0), fingerprint="f"))])
        store.create_study(make_study("later"))
        later, taken = store.acquire("later", process_owner()), finish(replace(make_trial(0), fingerprint="f"))
        taken = replace(taken, reused="homes/0")
        store.add_trial(later, replace(make_trial(0), fingerprint="f"))
        store.update_trial(later, taken, SCORES)
        store.release(lease)
        store.delete_study("homes")
        assert store.twin("f") == Twin("later", taken, SCORES)

    def test_of_equal_trials_the_oldest_studys_is_found(self, store: Store, lease: Lease) -> None:
        store.create_study(make_study("later"))
        later = store.acquire("later", process_owner())
        store.update_study(later, add=[finish(replace(make_trial(0), fingerprint="f"), 0.5)])
        store.update_study(lease, add=[finish(replace(make_trial(0), fingerprint="f"))])
        found = store.twin("f")
        assert found is not None and found.study == "homes"

    # Comparisons

    def test_a_comparison_is_read_back_equal(self, store: Store) -> None:
        created = store.create_comparison(make_comparison())
        assert (created, [created]) == (store.comparison("duel"), store.comparisons())
        assert created.comparison == make_comparison()
        assert created.created == pytest.approx(created.updated)

    def test_studies_and_comparisons_share_their_names(self, store: Store) -> None:
        store.create_study(make_study())
        store.create_comparison(make_comparison())
        for take in (
            lambda: store.create_comparison(make_comparison()),
            lambda: store.create_comparison(make_comparison("homes")),
            lambda: store.create_study(make_study("duel")),
        ):
            with pytest.raises(StudyExists):
                take()

    def test_who_asks_for_a_comparison_as_a_study_is_told_so(self, store: Store) -> None:
        store.create_comparison(make_comparison())
        with pytest.raises(StudyNotFound, match=r"'duel' is a comparison.*mixtune show duel"):
            store.study("duel")
        with pytest.raises(StudyNotFound, match="no comparison 'homes'; known: 'duel'"):
            store.comparison("homes")

    def test_a_name_near_that_of_a_comparison_is_answered_with_it(self, store: Store) -> None:
        store.create_comparison(make_comparison())
        store.create_study(make_study("duel.one.0"))
        with pytest.raises(StudyNotFound, match="no study 'duell'; the nearest name is 'duel'"):
            store.study("duell")

    def test_a_comparison_is_replaced_and_keeps_when_it_was_made(self, store: Store) -> None:
        created = store.create_comparison(make_comparison())
        changed = store.update_comparison(replace(make_comparison(), replicates=7))
        assert changed == store.comparison("duel")
        assert (changed.comparison.replicates, changed.created) == (7, created.created)
        with pytest.raises(StudyNotFound):
            store.update_comparison(make_comparison("other"))

    def test_a_removed_comparison_takes_its_members_and_nothing_else(self, store: Store) -> None:
        store.create_study(make_study())
        store.create_comparison(make_comparison())
        for member in make_comparison().members():
            store.create_study(member.study)
        store.delete_comparison("duel")
        assert [record.study.name for record in store.studies()] == ["homes"]
        assert store.comparisons() == []
        with pytest.raises(StudyNotFound):
            store.delete_comparison("duel")

    def test_a_comparison_with_a_driven_member_stays_whole(self, store: Store) -> None:
        store.create_comparison(make_comparison())
        names = [store.create_study(member.study).study.name for member in make_comparison().members()]
        store.acquire(names[-1], process_owner())
        with pytest.raises(LeaseHeld):
            store.delete_comparison("duel")
        assert [record.study.name for record in store.studies()] == names
        assert len(store.comparisons()) == 1

    # Removing

    def test_a_driven_study_cannot_be_removed(self, store: Store, lease: Lease) -> None:
        store.add_trial(lease, make_trial(0))
        with pytest.raises(LeaseHeld, match="'homes' is driven by process"):
            store.delete_study("homes")
        assert store.trials("homes") == [make_trial(0)]

    def test_a_removed_study_is_gone_with_all_it_held(self, store: Store, lease: Lease) -> None:
        store.add_trial(lease, make_trial(0))
        store.update_trial(lease, finish(make_trial(0)), SCORES)
        store.create_study(make_study("other"))
        store.release(lease)
        store.delete_study("homes")
        assert [record.study.name for record in store.studies()] == ["other"]
        created = store.create_study(make_study())
        assert store.trials("homes") == []
        assert created.state is StudyState.QUEUED

    def test_a_lease_of_a_removed_study_does_not_fit_a_new_one_of_its_name(
        self, store: Store, lease: Lease, silence: Silence
    ) -> None:
        silence(31)
        store.delete_study("homes")
        with pytest.raises(LeaseLost):
            store.renew(lease)
        store.create_study(make_study())
        assert store.acquire("homes", process_owner()).fence > lease.fence
        with pytest.raises(LeaseLost):
            store.add_trial(lease, make_trial(0))
