from collections.abc import Callable
from pathlib import Path

import pytest

from mixtune.config import load
from mixtune.contamination import Decontaminate
from mixtune.errors import ConfigError
from mixtune.proxy import Final, Proxy
from mixtune.search import Budget, Objective, Search, Stopping
from mixtune.source import Source
from mixtune.space import SimplexMapping

Write = Callable[[str], Path]
QUICKSTART = Path(__file__).parents[2] / "studies" / "quickstart.yaml"


def refused(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(file)
    return str(caught.value)


def test_what_the_file_does_not_say_is_left_to_the_values(write: Write, good: str) -> None:
    study = load(write(good)).study
    assert (study.proxy, study.final, study.objective) == (Proxy(), Final(), Objective())
    assert study.budget == Budget(trials=3)
    assert study.seed == 0 and study.preparation is None


def test_sources_carry_what_was_said_of_them(write: Write, good: str) -> None:
    alpha, beta, gamma = load(write(good)).study.sources
    assert alpha == Source("alpha", "docstrings", "numpy", weight=2.0)
    assert beta.limit == 50 and gamma.corrupt == 0.5


@pytest.mark.parametrize("asked", list(Decontaminate))
def test_what_to_do_about_contamination_reaches_its_value(write: Write, good: str, asked: Decontaminate) -> None:
    assert load(write(good)).study.decontaminate is Decontaminate.NONE
    loaded = load(write(f"{good}decontaminate: {asked}\nfinal: {{warn_epochs: 4}}\n")).study
    assert loaded.decontaminate is asked and loaded.final.warn_epochs == 4


def test_an_unknown_way_of_decontaminating_is_refused(write: Write, good: str) -> None:
    assert "'none', 'queries' or 'all'" in refused(write(f"{good}decontaminate: everything\n"))


def test_every_key_reaches_its_value(write: Write, good: str) -> None:
    text = good.replace("search: {algorithm: uniform}\nbudget: {trials: 3}\n", "") + (
        "model: some/model\n"
        "proxy: {trainable: 'last:2', steps: 5, batch_size: 8, learning_rate: 1e-4, precision: fp32}\n"
        "space: {mapping: -log, floor: {alpha: 0.1}, cap: 0.9, must_include: [beta], at_most: 2, max_epochs: 4}\n"
        "search: {algorithm: infdds, beta: 2}\nbudget: {runs: 1.5, trials: 9, workers: 1}\n"
        "final: {steps: 7, seeds: 1}\nobjective: {metric: recall@20, aggregate: worst}\n"
        "seed: 11\ndb: sqlite:///x.db\n"
    )
    loaded = load(write(text))
    study = loaded.study
    assert loaded.db == "sqlite:///x.db"
    assert study.model == "some/model" and study.seed == 11
    assert study.proxy == Proxy("last:2", 5, 8, 1e-4, precision="fp32")
    assert study.space.mapping is SimplexMapping.LOG
    assert dict(study.space.floor) == {"alpha": 0.1}
    assert dict(study.space.cap) == {"alpha": 0.9, "beta": 0.9, "gamma": 0.9}
    assert (study.space.must_include, study.space.at_most, study.space.max_epochs) == (("beta",), 2, 4.0)
    assert study.search == Search("infdds", {"beta": 2})
    assert study.budget == Budget(9, 1.5, workers=1)
    assert study.final == Final(7, seeds=1)
    assert study.objective == Objective("recall@20", "worst")


STOPPABLE = "search: {algorithm: tpe}\nproxy: {steps: 90, warmup: 0.1}\n"


def test_stopping_is_off_unless_the_file_asks_for_it(write: Write, good: str) -> None:
    good = good.replace("search: {algorithm: uniform}\n", STOPPABLE)
    assert load(write(good)).study.stopping is None
    assert load(write(good + "stopping: {first: 9}\n")).study.stopping == Stopping(9, 3)
    assert load(write(good + "stopping: {first: 9, reduction: 4}\n")).study.stopping == Stopping(9, 4)


@pytest.mark.parametrize(
    ("stopping", "message"),
    [
        ("{first: 90}", "stopping.first is 90, in runs of 90 steps"),
        ("{first: 8}", "whose first 9 steps are warm-up (proxy.warmup 0.1); allowed: 9 to 89, such as 30"),
        ("{first: 0}", "stopping.first is 0; allowed: a number above 0"),
        ("{first: 30, reduction: 1}", "stopping.reduction is 1; allowed: a number of at least 2"),
        ("{reduction: 3}", "stopping lacks the key 'first'"),
        ("{first: 30, eta: 3}", "unknown key 'eta'"),
    ],
)
def test_stopping_that_could_not_work_is_refused(write: Write, good: str, stopping: str, message: str) -> None:
    good = good.replace("search: {algorithm: uniform}\n", STOPPABLE)
    assert message in refused(write(f"{good}stopping: {stopping}\n"))


@pytest.mark.parametrize("algorithm", ["infdds", "uniform", "neighbours"])
def test_stopping_where_nothing_competes_is_refused(write: Write, good: str, algorithm: str) -> None:
    good = good.replace("algorithm: uniform", f"algorithm: {algorithm}")
    said = refused(write(good + "stopping: {first: 30}\n"))
    assert f"{algorithm} has none" in said and "choose another search algorithm" in said


def test_a_list_of_keep_levels_is_one_choice_for_all_sources(write: Write, good: str) -> None:
    space = load(write(good + "space: {keep: [0.25, 1]}\n")).study.space
    assert space.shared_levels == (0.25, 1.0) and not space.levels


def test_keep_levels_by_source_are_choices_of_their_own(write: Write, good: str) -> None:
    space = load(write(good + "space: {keep: {beta: [0.5, 1]}}\n")).study.space
    assert dict(space.levels) == {"beta": (0.5, 1.0)} and not space.shared_levels


def test_relative_folders_start_where_the_file_is(write: Write, good: str, tmp_path: Path) -> None:
    (tmp_path / "sets" / "one").mkdir(parents=True)
    study = load(
        write(good.replace("package: numpy", "path: sets/one").replace("docstrings, path", "beir, path"))
    ).study
    assert study.sources[0].location == str(tmp_path / "sets" / "one")


def test_words_that_old_yaml_took_for_booleans_are_text(write: Write, good: str) -> None:
    assert load(write(good.replace("alpha:", "no:"))).study.names[0] == "no"


def test_the_same_file_gives_the_same_study(write: Write, good: str) -> None:
    assert load(write(good)) == load(write(good))


BAD = {
    "unknown key": ("nam: x\n", "study.yaml:10: unknown key 'nam'; did you mean 'name'?"),
    "unknown key inside": ("proxy:\n  step: 3\n", "study.yaml:11: unknown key 'step' in proxy; did you mean 'steps'?"),
    "duplicate key": ("name: again\n", "study.yaml:10: name is given twice, first on line 1"),
    "number in place of text": ("db: 3\n", "db is 3; allowed: text (quote it)"),
    "text in place of number": ("proxy: {steps: many}\n", "proxy.steps is 'many'; allowed: a whole number"),
    "zero steps": ("proxy: {steps: 0}\n", "proxy.steps is 0; allowed: a number above 0"),
    "fraction of a step": ("proxy: {steps: 2.5}\n", "proxy.steps is 2.5; allowed: a whole number"),
    "truth in place of number": ("proxy: {steps: true}\n", "proxy.steps is True; allowed: a whole number"),
    "rate not finite": ("proxy: {learning_rate: .inf}\n", "proxy.learning_rate is inf; allowed: a finite number"),
    "rate not a number": ("proxy: {learning_rate: .nan}\n", "proxy.learning_rate is nan; allowed: a finite number"),
    "trainable": ("proxy: {trainable: last}\n", "proxy.trainable is 'last'; allowed: `head`, `all`, or `last:N`"),
    "precision": ("proxy: {precision: fp8}\n", "proxy.precision is 'fp8'; allowed: 'auto', 'fp32' or 'bf16'"),
    "batch of one": ("proxy: {batch_size: 1}\n", "proxy.batch_size is 1; allowed: a number of at least 2"),
    "mapping": ("space: {mapping: log}\n", "space.mapping is 'log'; allowed: 'softmax', '-log' or 'stick-breaking'"),
    "floor of a stranger": (
        "space: {floor: {alfa: 0.1}}\n",
        "unknown source 'alfa' in space.floor; did you mean 'alpha'",
    ),
    "cap of a stranger": ("space: {cap: {delta9: 0.1}}\n", "unknown source 'delta9' in space.cap"),
    "must include a stranger": ("space: {must_include: [bata]}\n", "unknown source 'bata' in space.must_include"),
    "keep of a stranger": ("space: {keep: {gama: [1]}}\n", "unknown source 'gama' in space.keep; did you mean 'gamma'"),
    "must include twice": ("space: {must_include: [beta, beta]}\n", "space.must_include names 'beta' twice"),
    "floors over 1": (
        "space: {floor: {alpha: 0.7, beta: 0.6}}\n",
        "space.floor sums to 1.3 over 2 sources; at most 1",
    ),
    "one floor for all over 1": ("space: {floor: 0.4}\n", "space.floor sums to 1.2 over 3 sources"),
    "caps below 1": ("space: {cap: 0.2}\n", "space.cap sums to 0.6; weights must reach 1"),
    "caps of few below 1": ("space: {cap: 0.4, at_most: 2}\n", "the 2 highest of space.cap sum to 0.8"),
    "cap below floor": (
        "space: {floor: {beta: 0.5}, cap: {beta: 0.3}}\n",
        "space.cap of 'beta' is 0.3, below its floor 0.5",
    ),
    "too many musts": (
        "space: {at_most: 1, must_include: [alpha, beta]}\n",
        "space.at_most is 1, but space.must_include names 2 sources",
    ),
    "floors for more than at most": (
        "space: {at_most: 2, must_include: [alpha], floor: {beta: 0.1, gamma: 0.1}}\n",
        "space.at_most is 2, but space.must_include and space.floor want 3 sources; raise it to 3",
    ),
    "keep level twice": ("space: {keep: [0.5, 0.5, 1]}\n", "space.keep lists 0.5 twice"),
    "keep level of a source twice": ("space: {keep: {beta: [1, 1]}}\n", "space.keep.beta lists 1 twice"),
    "floor above 1": ("space: {floor: {alpha: 1.5}}\n", "space.floor.alpha is 1.5; allowed: a number of at most 1"),
    "keep of zero": ("space: {keep: [0, 1]}\n", "space.keep[0] is 0; allowed: a number above 0"),
    "keep of nothing": ("space: {keep: []}\n", "space.keep is []; allowed: at least one item"),
    "no epochs": ("space: {max_epochs: 0}\n", "space.max_epochs is 0; allowed: a number above 0"),
    "metric": ("objective: {metric: NDCG@10}\n", "objective.metric is 'NDCG@10'; allowed: ndcg@K"),
    "aggregate": (
        "objective: {aggregate: mean}\n",
        "objective.aggregate is 'mean'; allowed: 'weighted', 'macro' or 'worst'",
    ),
    "seed below 0": ("seed: -1\n", "seed is -1; allowed: a number of at least 0"),
    "no judging seed": ("final: {seeds: 0}\n", "final.seeds is 0; allowed: a number above 0"),
    "section of the wrong form": ("proxy: head\n", "proxy is 'head'; allowed: a mapping"),
    "empty section": ("final:\n", "final is empty; allowed: a mapping"),
    "key that is a list": ("[a]: 3\n", "is not text; quote it"),
}


@pytest.mark.parametrize("added, message", BAD.values(), ids=BAD)
def test_a_line_that_is_wrong_is_refused(write: Write, good: str, added: str, message: str) -> None:
    assert message in refused(write(good + added))


CHANGED = {
    "no name": ("name: trio\n", "", "the file lacks the key 'name'"),
    "name with a space": ("name: trio", "name: my trio", "study.yaml:1: name is 'my trio'; allowed: letters"),
    "name that is a number": ("name: trio", "name: 2024", "name is 2024; allowed: text (quote it)"),
    "source name": ("alpha:", "a/b:", "sources has the name 'a/b'; allowed: letters"),
    "source given twice": ("beta:", "alpha:", "study.yaml:4: sources.alpha is given twice, first on line 3"),
    "source kind": (
        "docstrings, package: numpy",
        "arff, package: numpy",
        "sources.alpha.kind is 'arff'; allowed: 'beir', 'csv', 'docstrings', 'hub', 'jsonl' or 'parquet'",
    ),
    "source without kind": ("kind: docstrings, package: numpy", "package: numpy", "sources.alpha lacks the key 'kind'"),
    "source without package": ("package: numpy, ", "", "sources.alpha lacks the key 'package', which docstrings reads"),
    "key of another kind": (
        "package: numpy",
        "package: numpy, path: .",
        "sources.alpha.path means nothing to kind docstrings",
    ),
    "folder that is not there": ("docstrings, package: numpy", "beir, path: nowhere", "but there is no folder"),
    "corrupt above 1": ("corrupt: 0.5", "corrupt: 2", "sources.gamma.corrupt is 2; allowed: a number of at most 1"),
    "negative weight": ("weight: 2", "weight: -2", "sources.alpha.weight is -2; allowed: a number of at least 0"),
    "weight not a number": ("weight: 2", "weight: .nan", "sources.alpha.weight is nan"),
    "limit of nothing": ("limit: 50", "limit: 0", "sources.beta.limit is 0; allowed: a number of at least 2"),
    "algorithm": ("uniform", "infds", "unknown algorithm 'infds'; did you mean 'infdds'?"),
    "no algorithm": ("algorithm: uniform", "beta: 1", "search needs the key 'algorithm'"),
    "setting of another algorithm": ("uniform}", "uniform, beta: 2}", "study.yaml:8: search: uniform"),
    "budget of nothing": ("trials: 3", "workers: 2", "budget lacks the keys 'runs'"),
    "negative budget": ("trials: 3", "runs: -3", "budget.runs is -3; allowed: a number above 0"),
    "target weight": ("package: pandas}\nsearch", "package: pandas, weight: 0}\nsearch", "every target has weight 0"),
    "negative pool": ("package: pandas}\nsearch", "package: pandas, pool: -1}\nsearch", "targets.goal.pool is -1"),
}


@pytest.mark.parametrize("old, new, message", CHANGED.values(), ids=CHANGED)
def test_a_value_that_is_wrong_is_refused(write: Write, good: str, old: str, new: str, message: str) -> None:
    assert old in good
    assert message in refused(write(good.replace(old, new, 1)))


def test_expert_search_needs_the_weights_of_an_expert(write: Write, good: str) -> None:
    text = good.replace("uniform", "expert")
    assert load(write(text)).study.search.algorithm == "expert"
    assert "needs an expert's weights" in refused(write(text.replace(", weight: 2", "")))


def test_an_expert_prior_needs_the_weights_of_an_expert(write: Write, good: str) -> None:
    text = good.replace("uniform", "tpe, prior: expert")
    assert load(write(text)).study.search.settings == {"prior": "expert"}
    message = refused(write(text.replace(", weight: 2", "")))
    assert "study.yaml:8: search.prior is 'expert', but no source has a weight" in message


def test_a_mixture_of_nothing_is_refused(write: Write, good: str) -> None:
    text = good.replace("weight: 2", "weight: 0").replace("limit: 50", "weight: 0").replace("corrupt: 0.5", "weight: 0")
    assert "every source has weight 0" in refused(write(text))


def test_a_source_taken_out_by_weight_cannot_be_a_must(write: Write, good: str) -> None:
    text = good.replace("weight: 2", "weight: 0") + "space: {must_include: [alpha]}\n"
    assert "names 'alpha', whose weight 0 takes it out" in refused(write(text))


def test_all_problems_are_told_together_in_the_order_of_their_lines(write: Write, good: str) -> None:
    message = refused(write(good.replace("trials: 3", "trials: 0").replace("corrupt: 0.5", "corupt: 0.5") + "sed: 1\n"))
    lines = [line.strip().rsplit("study.yaml:", 1)[-1] for line in message.splitlines()]
    assert "3 problems" in lines[0]
    assert [line.split(":")[0] for line in lines[1:]] == ["5", "9", "10"]


def test_a_name_in_the_space_is_known_though_its_source_is_wrong(write: Write, good: str) -> None:
    message = refused(write(good.replace("corrupt: 0.5", "corrupt: 2") + "space: {must_include: [gamma]}\n"))
    assert "problems" not in message and "unknown source" not in message


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "lacks the key 'name'"),
        (b"- a\n- b\n", "a study file is a mapping"),
        (b"name: [\n", "not YAML"),
        (b"name: trio\n\xff\n", "study.yaml:2: not UTF-8 text (byte 0xff)"),
        (b"a: &a\n  b: *a\n", "refers to itself"),
        (b"name: a\n---\nname: b\n", "not YAML"),
    ],
)
def test_a_file_that_is_no_study_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "study.yaml").write_bytes(content)
    assert message in refused(tmp_path / "study.yaml")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "none.yaml")


def test_quickstart_has_the_documented_keys_in_order() -> None:
    keys = [line.split(":")[0] for line in QUICKSTART.read_text().splitlines() if line[:1].isalpha()]
    assert keys == [
        "name",
        "model",
        "proxy",
        "sources",
        "targets",
        "space",
        "search",
        "budget",
        "final",
        "objective",
        "seed",
        "db",
    ]


def test_the_broken_source_of_quickstart_holds_a_quarter_of_its_rows() -> None:
    study = load(QUICKSTART).study
    limits = {source.name: source.limit or 0 for source in study.sources}
    broken = [source.name for source in study.sources if source.corrupt == 1.0]
    assert all(name.endswith("-corrupted") for name in broken)
    assert sum(limits[name] for name in broken) >= 0.25 * sum(limits.values())
