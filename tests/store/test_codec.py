import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_contract import SCORES, finish, make_study, make_trial

from mixtune.measurement import Measurement, Scores
from mixtune.preparation import Preparation
from mixtune.prompts import Prompts
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.source import Columns, Source
from mixtune.store.codec import from_json, from_text, from_texts, storable, to_json, to_text
from mixtune.study import Study
from mixtune.target import Target
from mixtune.trial import Trial

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def test_a_study_a_trial_and_its_parts_are_read_back_equal() -> None:
    study, trial = make_study(), finish(make_trial(3))
    assert study.preparation is not None
    assert trial.measurement is not None
    assert from_json(Study, to_json(study)) == study
    assert from_json(Preparation, to_json(study.preparation)) == study.preparation
    assert from_json(Trial, to_json(trial)) == trial
    assert from_json(Proposal, to_json(trial.proposal)) == trial.proposal
    assert from_json(Measurement, to_json(trial.measurement)) == trial.measurement
    assert from_json(Scores, to_json(SCORES)) == SCORES
    assert hash(from_json(Trial, to_json(trial)).proposal.recipe) == hash(trial.proposal.recipe)


def test_sources_of_every_form_are_read_back_equal() -> None:
    many = Source("s", "jsonl", ("a", "b"), columns=Columns("q", ("d", "e"), ("n",), ("t",), "w"), min_score=0.25)
    hub = Source("h", "hub", "o/n", config="c", revision="r", streaming=True, limit=3, prompts=Prompts("q: ", "p: "))
    task = Target("t", "hub", "o/n", revision="r", prompts=Prompts(query="q: "))
    study = dataclasses.replace(make_study(), sources=(many, hub), targets=(task,))
    assert from_text(Study, to_text(study)) == study


def test_a_study_of_before_there_were_columns_and_prompts_is_read() -> None:
    study = make_study()
    data = to_json(study)
    for entry in (*data["sources"], *data["targets"]):  # type: ignore[misc]
        for key in ("columns", "min_score", "config", "revision", "streaming", "prompts"):
            entry.pop(key, None)  # type: ignore[union-attr,call-arg,arg-type]
    for facts in data["preparation"]["sources"].values():  # type: ignore[index,call-overload,union-attr]
        del facts["revision"]  # type: ignore[union-attr]
    assert from_json(Study, data) == study


def test_json_is_plain() -> None:
    plain = (dict, list, str, int, float, bool, type(None))

    def walk(data: object) -> None:
        assert type(data) in plain
        parts = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
        for part in parts:
            walk(part)

    walk(to_json(finish(make_trial(0))))
    walk(to_json(make_study()))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(), FLOATS, max_size=4), FLOATS)
def test_every_finite_float_returns_with_the_same_bits(loss: dict[str, float], score: float) -> None:
    measurement = Measurement(score=score, loss=loss, dev={"t": {"ndcg@10": score}})
    for back in (
        from_json(Measurement, to_json(measurement)),
        from_text(Measurement, to_text(measurement)),
        from_texts(list[Measurement], [to_text(measurement)])[0],
    ):
        assert back == measurement
        assert back.score is not None
        assert math.copysign(1, back.score) == math.copysign(1, score)
        assert list(back.loss) == list(loss)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_by_its_place(bad: float) -> None:
    recipe = Recipe(Mixture.uniform(["a"]))
    with pytest.raises(ValueError, match=rf"Measurement\.loss\.a is {bad}: only finite numbers"):
        to_json(Measurement(loss={"a": bad}))
    with pytest.raises(ValueError, match=rf"Proposal\.notes\.point\[1\]\.x is {bad}"):
        to_json(Proposal(recipe, 1, Role.SEARCH, notes={"point": [1.0, {"x": bad}]}))
    with pytest.raises(ValueError, match=rf"dict\.t\.ndcg@10\[1\] is {bad}"):
        to_json({"t": {"ndcg@10": (0.5, bad)}})


@pytest.mark.parametrize("bad", [np.float32(0.5), np.int64(3), np.zeros(2), object()])
def test_what_is_not_plain_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="a Measurement cannot be stored, only plain values can"):
        to_json(Measurement(score=bad))  # type: ignore[arg-type]


def test_text_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Measurement\.checkpoint is .*only Unicode text"):
        to_json(Measurement(checkpoint="\udce9"))


def test_the_json_of_something_else_is_refused_by_its_place() -> None:
    data = to_json(make_trial(0)) | {"seed": "seven"}
    with pytest.raises(ValueError, match=r"not the JSON of a Trial: seed: .*integer.*'seven'"):
        from_json(Trial, data)
    with pytest.raises(ValueError, match="not the JSON of a Trial"):
        from_text(Trial, "{")


def test_storable_text_changes_only_what_no_database_holds() -> None:
    assert storable("plain é \n 漢字 😀") == "plain é \n 漢字 😀"
    assert storable("a\x00b\ud800c") == "a\\x00b\\ud800c"
