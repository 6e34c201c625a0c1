"""Looks into a study of the analytic world, where what each source does is known."""

from dataclasses import replace

import pytest
from analytic import Contrary
from player import play, prepared, toy

from mixtune.audits.parts import RECIPE, audit_part, fidelity_parts, larger_proxy, matrix_part
from mixtune.errors import ConfigError
from mixtune.proposal import Role
from mixtune.proxy import Proxy
from mixtune.recipe import Mixture, Recipe
from mixtune.report.looks.audit import Audit, Change, audit
from mixtune.report.looks.collected import looks
from mixtune.report.looks.fidelity import Trust, fidelity
from mixtune.report.looks.matrix import matrix
from mixtune.searchers import make
from mixtune.searchers.listed import Listed
from mixtune.space import Space
from mixtune.study import Study

EVEN = Recipe(Mixture.uniform(["good", "useful", "idle", "harmful"]))


@pytest.fixture(scope="module")
def study() -> Study:
    return toy()


@pytest.fixture(scope="module")
def audited(study: Study) -> Audit:
    part = audit_part(study, play(study), EVEN, top=8, replicates=3)
    found = audit(prepared(part), play(part))
    assert found is not None
    return found


def labels(part: Study) -> list[str]:
    searcher = make(part.search)
    assert isinstance(searcher, Listed)
    return [entry.label for entry in searcher.recipes]


def test_a_look_shares_everything_with_its_study_and_judges_nothing(study: Study) -> None:
    part = audit_part(study, [], EVEN, top=8, replicates=3)
    assert (part.name, part.of, part.final.seeds, part.preparation) == ("toy.audit", "toy", 0, None)
    same = ("sources", "targets", "model", "proxy", "space", "objective", "seed")
    assert all(getattr(part, name) == getattr(study, name) for name in same)
    assert part.budget.trials == len(labels(part)) * 3


def test_a_look_runs_its_list_on_judging_seeds_and_reads_no_test_query(study: Study) -> None:
    part = audit_part(study, [], EVEN, top=8, replicates=2)
    trials = play(part)
    assert [trial.role for trial in trials] == [Role.SURVEY, *[Role.AUDIT] * 18]
    assert {trial.seed for trial in trials[1:]} == {study.judging_seed(0), study.judging_seed(1)}


def test_an_audit_finds_the_planted_signs(audited: Audit) -> None:
    def effect(source: str, change: Change) -> float:
        return audited.sources[source].effects[change].overall.value

    assert effect("good", Change.WITHOUT) < 0 < effect("good", Change.MORE)
    assert effect("harmful", Change.MORE) < 0 < effect("harmful", Change.WITHOUT)
    for change, sign in ((Change.WITHOUT, -1), (Change.MORE, 1)):
        values = [sign * effect(source, change) for source in ("good", "useful", "idle", "harmful")]
        assert values == sorted(values, reverse=True)
    clear = [audited.sources[source].effects[Change.WITHOUT].overall.beyond_noise for source in ("good", "harmful")]
    assert clear == [True, True]


def test_the_influence_of_a_guided_search_predicts_the_planted_signs(audited: Audit) -> None:
    assert audited.signals[0] == "influence"
    for source, sign in (("good", 1), ("harmful", -1)):
        effects = audited.sources[source].effects
        assert sign * effects[Change.MORE].predicted["influence"] > 0
        assert sign * effects[Change.WITHOUT].predicted["influence"] < 0


def test_the_heaviest_sources_are_audited_and_the_strongest_by_the_signals(study: Study) -> None:
    recipe = Recipe(Mixture({"good": 0.1, "useful": 0.1, "idle": 0.7, "harmful": 0.1}))
    trials = play(study)
    assert [label.split()[-1] for label in labels(audit_part(study, [], recipe, top=1, replicates=1))[1:]] == [
        "idle",
        "idle",
    ]
    some = labels(audit_part(study, trials, recipe, top=2, replicates=1))
    assert some[:5] == [RECIPE, "without idle", "+10 % idle", "without good", "+10 % good"]
    assert some[5:7] == ["without harmful", "+10 % harmful"]
    assert len(labels(audit_part(study, [], recipe, top=None, replicates=1))) == 9


def test_what_the_space_forbids_is_run_and_marked() -> None:
    study = toy(space=Space(cap={"good": 0.3}))
    part = audit_part(study, [], EVEN, top=8, replicates=1)
    found = audit(prepared(part), play(part))
    assert found is not None
    assert found.sources["good"].effects[Change.MORE].outside == ("good 0.35 above its cap 0.3",)
    assert found.sources["good"].effects[Change.WITHOUT].outside == ()


def test_a_matrix_tells_sources_apart_against_the_base_model(study: Study) -> None:
    part = matrix_part(study, play(study), EVEN, replicates=2)
    found = matrix(prepared(part), play(part))
    assert found is not None
    assert found.base == {"task": pytest.approx(0.2)}
    alone = {source: own["task"].base.value for source, own in found.cells.items()}
    # From 0.2, a hundred steps of pull p leave 1 - 0.8 (1 - p) ** 100.
    assert alone == {
        "good": pytest.approx(0.8 - 0.8 * 0.98**100),
        "useful": pytest.approx(0.8 - 0.8 * 0.99**100),
        "idle": pytest.approx(0.0),
        "harmful": pytest.approx(0.8 - 0.8 * 1.02**100),
    }
    told = [found.cells[source]["task"].influence or 0.0 for source in ("good", "useful", "harmful")]
    assert told[0] > told[1] > 0 > told[2]


def test_one_source_has_nothing_to_leave_out() -> None:
    lone = toy()
    lone = replace(lone, sources=lone.sources[:1])
    only = Recipe(Mixture({"good": 1.0}))
    with pytest.raises(ConfigError, match="one source, good"):
        audit_part(lone, [], only, top=8, replicates=1)
    with pytest.raises(ConfigError, match="one source, good"):
        matrix_part(lone, [], only, replicates=1)


def test_a_larger_proxy_that_agrees_has_correlation_one(study: Study) -> None:
    own, larger = fidelity_parts(study, EVEN, Proxy(trainable="all", steps=100, batch_size=4), count=12, replicates=3)
    found = looks([(prepared(own), play(own)), (prepared(larger), play(larger))]).fidelity
    assert found is not None and found.overall.correlation is not None
    assert found.overall.correlation.value == 1
    assert (found.trust, found.recipes, found.seeds) == (Trust.YES, 12, 3)
    assert found.overall.lost == 0
    assert (own.name, larger.name) == ("toy.fidelity", "toy.fidelity.larger")


def test_a_larger_proxy_that_disagrees_is_warned_of(study: Study) -> None:
    own, larger = fidelity_parts(study, EVEN, Proxy(trainable="all", steps=100, batch_size=4), count=8, replicates=2)
    found = fidelity(own, play(own), larger, play(larger, Contrary()))
    assert found is not None and found.overall.correlation is not None
    assert found.overall.correlation.value == -1
    assert found.trust is Trust.NO
    assert found.sentence.startswith("Warning: head (100 steps) does not rank recipes as all (100 steps) does")
    assert found.overall.lost > 0.1


@pytest.mark.parametrize(
    ("proxy", "asked", "larger"),
    [
        (Proxy(trainable="head", learning_rate=1e-3), {}, Proxy(trainable="last:1")),
        (Proxy(trainable="last:2"), {}, Proxy(trainable="all")),
        (
            Proxy(trainable="all", steps=50, learning_rate=1e-5),
            {},
            Proxy(trainable="all", steps=100, learning_rate=1e-5),
        ),
        (Proxy(), {"steps": 900}, Proxy(steps=900)),
        (Proxy(), {"trainable": "all", "rate": 1e-4}, Proxy(trainable="all", learning_rate=1e-4)),
    ],
)
def test_the_next_larger_proxy(proxy: Proxy, asked: dict[str, object], larger: Proxy) -> None:
    assert larger_proxy(proxy, **asked) == larger  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        (Proxy(steps=100), {"steps": 10}),
        (Proxy(trainable="last:3", steps=100), {"trainable": "last:2", "steps": 900}),
        (Proxy(trainable="last:3", steps=100), {"trainable": "head"}),
        (Proxy(trainable="all", steps=100), {"trainable": "last:12", "steps": 900}),
    ],
)
def test_a_smaller_proxy_is_no_larger_one(own: Proxy, asked: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="no larger than the study's own") as told:
        larger_proxy(own, **asked)  # type: ignore[arg-type]
    assert f"{own.trainable} (100 steps): give more --steps" in str(told.value)


def test_more_layers_with_fewer_steps_are_a_larger_proxy() -> None:
    assert larger_proxy(Proxy(steps=100), trainable="last:1", steps=10) == Proxy(trainable="last:1", steps=10)


def test_the_studys_own_proxy_is_no_larger_one() -> None:
    with pytest.raises(ConfigError, match="the study's own proxy"):
        larger_proxy(Proxy(trainable="last:1", steps=60), trainable="last:1")
