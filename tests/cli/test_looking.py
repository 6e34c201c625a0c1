"""fidelity and audit over a study of the analytic world, driven in this process."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from analytic import AnalyticTrainer, Contrary, study
from click.testing import Result
from typer.testing import CliRunner

from mixtune.cli import Parts, create_app
from mixtune.errors import ModelError
from mixtune.proxy import Final, Proxy
from mixtune.store.base import Store, StudyRecord
from mixtune.store.memory import MemoryStore
from mixtune.study import Study, StudyState
from mixtune.training.base import Trainer
from mixtune.tuning.inprocess import drive
from mixtune.tuning.listener import Listener


@dataclass
class Bench:
    """The commands over a store in memory; studies are driven in this process. stops names those that are cut off."""

    folder: Path
    trainer: AnalyticTrainer = field(default_factory=AnalyticTrainer)
    store: MemoryStore = field(default_factory=MemoryStore)
    driven: list[str] = field(default_factory=list)
    stops: set[str] = field(default_factory=set)
    price: Callable[[Study, Path], float] = lambda given, cache: 2000.0 * given.proxy.steps

    def add(self, given: Study) -> None:
        self.store.create_study(given)
        self.tune(self.store, given.name, self.trainer, artifacts=self.folder, listener=None)

    def tune(
        self,
        store: Store,
        name: str,
        trainer: Trainer,
        *,
        artifacts: Path,
        listener: Listener | None,
        reuse: bool = True,
    ) -> StudyRecord:
        self.driven.append(name)
        lease = store.acquire(name, "host 1 2")
        given = store.study(name).study
        given = replace(given, preparation=trainer.prepare(given, lambda what, done, total: None))
        trials = [] if name in self.stops else drive(given, trainer)
        state = StudyState.STOPPED if name in self.stops else StudyState.COMPLETE
        record = store.update_study(lease, study=given, state=state, reason="cut off", add=trials)
        store.release(lease)
        return record

    def __call__(self, *words: str) -> Result:
        parts = Parts(
            open_store=lambda url, create=False: self.store,  # type: ignore[arg-type, misc]
            trainer=lambda cache: self.trainer,
            tune=self.tune,  # type: ignore[arg-type]
            price=self.price,
            memory=lambda: 10**12,
        )
        return CliRunner().invoke(create_app(), list(words), obj=parts)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("MIXTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("MIXTUNE_DB", raising=False)
    bench = Bench(tmp_path)
    bench.add(study(trials=6, proxy=Proxy(steps=100, batch_size=4), final=Final(steps=100, seeds=1)))
    bench.driven.clear()
    return bench


def as_json(result: Result) -> Mapping[str, object]:
    assert result.exit_code == 0, result.output
    found: Mapping[str, object] = json.loads(result.stdout)
    return found


def test_audit_prints_what_it_takes_and_what_it_found(bench: Bench) -> None:
    result = bench("audit", "toy", "--seeds", "2")
    assert result.exit_code == 0, result.output
    assert "toy.audit: 18 runs of head (100 steps), about 1.80 MFLOP, as much as 18.0 fresh runs" in result.output
    assert "Signal audit" in result.output and "influence" in result.output
    assert bench.driven == ["toy.audit"]


def test_audit_json_is_all_that_it_prints(bench: Bench) -> None:
    found = as_json(bench("audit", "toy", "--json"))
    assert found["study"] == "toy"
    assert found["audit"]["sources"]["good"]["effects"]["without"]["overall"]["value"] < 0  # type: ignore[index]


def test_matrix_has_a_row_for_each_source(bench: Bench) -> None:
    found = as_json(bench("audit", "toy", "--matrix", "--seeds", "2", "--json"))
    assert found["matrix"]["cells"].keys() == {"good", "useful", "idle", "harmful"}  # type: ignore[index]
    assert found["audit"] is None
    assert bench.driven == ["toy.matrix"]


def test_fidelity_prices_both_passes_and_ranks(bench: Bench) -> None:
    result = bench("fidelity", "toy", "--trainable", "all", "--recipes", "6")
    assert result.exit_code == 0, result.output
    assert "toy.fidelity: 12 runs of head (100 steps)" in result.output
    assert "toy.fidelity.larger: 12 runs of all (100 steps), about 2.40 MFLOP, as much as 24.0 fresh" in result.output
    assert "rank correlation +1.00" in result.output
    assert bench.driven == ["toy.fidelity", "toy.fidelity.larger"]


def test_fidelity_warns_of_a_proxy_that_ranks_otherwise(bench: Bench) -> None:
    bench.trainer = Contrary(proxy="last:1")
    found = as_json(bench("fidelity", "toy", "--json"))
    assert found["warning"] is True
    assert found["overall"]["correlation"]["value"] == -1  # type: ignore[index]
    assert "Warning: head (100 steps) does not rank recipes" in bench("show", "toy").output


def test_show_tells_what_looks_found_and_json_has_it(bench: Bench) -> None:
    assert as_json(bench("show", "toy", "--json"))["looks"] == {"fidelity": None, "audit": None, "matrix": None}
    bench("audit", "toy", "--seeds", "2")
    bench("audit", "toy", "--matrix", "--seeds", "2")
    shown = bench("show", "toy").output
    assert "Signal audit" in shown and "Source x target" in shown
    looks = as_json(bench("show", "toy", "--json"))["looks"]
    assert [name for name, found in looks.items() if found] == ["audit", "matrix"]  # type: ignore[attr-defined]
    own = bench("show", "toy.matrix").output
    assert "Source x target" in own and "Signal audit" not in own and "Best recipe" not in own


def test_a_look_that_is_complete_is_neither_priced_nor_run_again(bench: Bench) -> None:
    first, again = bench("audit", "toy"), bench("audit", "toy")
    assert bench.driven == ["toy.audit"]
    assert "toy.audit has been run already" in again.output and "fresh runs" not in again.output
    assert first.output.split("Signal audit")[1] == again.output.split("Signal audit")[1]


def test_a_look_that_was_cut_off_goes_on(bench: Bench) -> None:
    bench.stops = {"toy.audit"}
    result = bench("audit", "toy")
    assert result.exit_code == 130
    assert "mixtune resume toy.audit" in result.output
    bench.stops = set()
    resumed = bench("resume", "toy.audit")
    assert resumed.exit_code == 0, resumed.output
    assert "Signal audit" in resumed.output and "mixtune export" not in resumed.output
    assert bench.driven == ["toy.audit", "toy.audit"]


def test_other_options_are_refused_in_the_words_of_the_command_line(bench: Bench) -> None:
    bench("audit", "toy", "--seeds", "2")
    result = bench("audit", "toy", "--seeds", "3")
    assert result.exit_code == 1
    assert "toy.audit exists, asked for otherwise: --seeds was 2, now 3. Ask as before, or remove" in result.output
    assert "`mixtune rm toy.audit`" in result.output


def test_both_lists_of_a_fidelity_are_refused_at_once_with_one_command_that_removes_them(bench: Bench) -> None:
    bench("fidelity", "toy", "--recipes", "5", "--seeds", "1")
    words = ("fidelity", "toy", "--recipes", "6", "--seeds", "2", "--trainable", "all", "--steps", "150")
    result = bench(*words)
    assert result.exit_code == 1
    assert "--recipes was 5, now 6; --seeds was 1, now 2;" in result.output
    assert "--trainable was last:1, now all; --steps was 100, now 150." in result.output
    assert "`mixtune rm toy.fidelity && mixtune rm toy.fidelity.larger`" in result.output
    for name in ("toy.fidelity", "toy.fidelity.larger"):
        assert bench("rm", name).exit_code == 0
    assert bench(*words).exit_code == 0


def test_a_fidelity_of_another_larger_proxy_keeps_the_runs_of_the_own_one(bench: Bench) -> None:
    bench("fidelity", "toy", "--seeds", "1")
    result = bench("fidelity", "toy", "--seeds", "1", "--trainable", "all")
    assert "with `mixtune rm toy.fidelity.larger`" in result.output


def extended(bench: Bench) -> None:
    """Search on `toy` until it recommends another recipe."""
    bench.store.delete_study("toy")
    bench.add(study(trials=40, proxy=Proxy(steps=100, batch_size=4), final=Final(steps=100, seeds=1)))


def test_looks_into_an_earlier_recommendation_say_so_and_what_to_do(bench: Bench) -> None:
    bench("audit", "toy", "--seeds", "1")
    bench("fidelity", "toy", "--seeds", "1")
    assert "earlier recommendation" not in bench("show", "toy").output
    extended(bench)
    looks = as_json(bench("show", "toy", "--json"))["looks"]
    assert "`mixtune rm toy.audit && mixtune audit toy`" in looks["audit"]["earlier"]  # type: ignore[index]
    assert (
        "`mixtune rm toy.fidelity && mixtune rm toy.fidelity.larger && mixtune fidelity toy`"
        in looks["fidelity"]["earlier"]  # type: ignore[index]
    )
    shown = " ".join(bench("show", "toy").output.split())
    assert "This audit is of an earlier recommendation" in shown
    assert "This fidelity is of an earlier recommendation" in shown
    assert "This audit is of an earlier recommendation" in " ".join(bench("show", "toy.audit").output.split())


def test_a_look_has_no_recipe_of_its_own(bench: Bench, tmp_path: Path) -> None:
    bench("audit", "toy", "--seeds", "1")
    out = tmp_path / "mixture.json"
    for words, meant in (
        (("best", "toy.audit"), "use `mixtune best toy`"),
        (
            ("export", "toy.audit", "--format", "mixture", "--out", str(out)),
            f"use `mixtune export toy --format mixture --out {out}`",
        ),
    ):
        result = bench(*words)
        assert result.exit_code == 1
        assert f"'toy.audit' looks into study 'toy' and searches nothing: {meant}" in " ".join(result.output.split())
    assert not out.exists()


def test_a_look_is_of_the_current_recommendation_again_after_what_was_advised(bench: Bench) -> None:
    bench("audit", "toy", "--seeds", "1")
    extended(bench)
    for words in (("rm", "toy.audit"), ("audit", "toy")):
        assert bench(*words).exit_code == 0
    looks = as_json(bench("show", "toy", "--json"))["looks"]
    assert looks["audit"]["earlier"] is None  # type: ignore[index]


def test_a_look_again_after_the_study_was_searched_on_is_refused_with_that_reason(bench: Bench) -> None:
    bench("audit", "toy", "--seeds", "1")
    extended(bench)
    result = bench("audit", "toy", "--seeds", "1")
    assert result.exit_code == 1
    assert "study 'toy' was searched on since, and recommends another recipe. Remove what is" in result.output


def test_a_larger_proxy_that_is_not_possible_leaves_nothing_behind(bench: Bench) -> None:
    def refuse(given: Study, cache: Path) -> float:
        raise ModelError("last:99 is not possible")

    bench.price = refuse
    result = bench("fidelity", "toy", "--trainable", "last:99")
    assert result.exit_code == 1 and "last:99 is not possible" in result.output
    assert "runs of head" not in result.output
    assert [record.study.name for record in bench.store.studies()] == ["toy"]


def test_a_study_that_has_not_finished_is_refused(bench: Bench) -> None:
    bench.store.create_study(study("fresh"))
    result = bench("audit", "fresh")
    assert result.exit_code == 1
    assert "study 'fresh' is queued" in result.output and "mixtune resume fresh" in result.output


def test_a_look_cannot_be_looked_into(bench: Bench) -> None:
    bench("audit", "toy", "--seeds", "1")
    result = bench("fidelity", "toy.audit")
    assert result.exit_code == 1
    assert "part of 'toy'" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--trainable", "tail"), "none of head, last:N, all"),
        (("--learning-rate", "2"), "not between 0 and 1"),
        (("--recipes", "4"), "'--recipes': 4 is less than 5: fewer recipes say nothing of a rank correlation; give 5"),
        (("--recipes", "65"), "'--recipes': 65 is more than 64: give 5 to 64"),
        (("--seeds", "0"), "'--seeds': 0 is less than 1: every recipe is run on at least one seed; give 1 to 20"),
        (("--steps", "0"), "'--steps': 0 is less than 1: a proxy trains for at least one step; give 1 or more"),
        (("--steps", "ten"), "'--steps': 'ten' is no whole number: give 1 or more"),
    ],
)
def test_options_that_mean_nothing_are_refused(bench: Bench, words: tuple[str, ...], said: str) -> None:
    result = bench("fidelity", "toy", *words)
    assert result.exit_code == 2
    assert said in result.output


def test_an_audit_of_no_source_is_refused_with_the_least_and_why(bench: Bench) -> None:
    result = bench("audit", "toy", "--top", "0")
    assert result.exit_code == 2
    assert "'--top': 0 is less than 1: an audit changes at least one source; give 1 or more" in result.output


def test_the_studys_own_proxy_is_refused_before_anything_runs(bench: Bench) -> None:
    result = bench("fidelity", "toy", "--trainable", "head")
    assert result.exit_code == 1
    assert "the study's own proxy" in result.output
    assert bench.driven == []


def test_rm_takes_the_looks_with_the_study(bench: Bench) -> None:
    bench("audit", "toy", "--seeds", "1")
    bench("fidelity", "toy", "--seeds", "1")
    assert bench("rm", "toy").output == "Removed study toy and 3 looks into it.\n"
    assert bench.store.studies() == []


def test_looks_are_listed_with_all_only(bench: Bench) -> None:
    bench("audit", "toy", "--seeds", "1")
    assert "toy.audit" not in bench("ls").output
    assert "toy.audit" in bench("ls", "--all").output
