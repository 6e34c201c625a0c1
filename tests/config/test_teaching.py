from collections.abc import Callable
from pathlib import Path

import pytest

from mixtune.config import load
from mixtune.errors import ConfigError
from mixtune.teacher import Teacher

Write = Callable[[str], Path]
MINILM = "{model: offline:all-MiniLM-L6-v2, kind: sentence-transformer}"
CROSS = "{model: some/reranker, kind: cross-encoder}"


def mining(good: str) -> str:
    """Every source mines hard negatives."""
    sources, targets = good.split("targets:")
    return "targets:".join([sources.replace("{kind: docstrings,", "{kind: docstrings, mine: 5,"), targets])


def test_teachers_and_mining_reach_their_values(write: Write, good: str) -> None:
    text = mining(good) + f"proxy: {{loss: dual, teacher: {CROSS}, batch_teacher: {MINILM}}}\n"
    study = load(write(text)).study
    assert study.proxy.teacher == Teacher("some/reranker", "cross-encoder")
    assert study.proxy.batch_teacher == Teacher("offline:all-MiniLM-L6-v2", "sentence-transformer")
    assert [source.mine for source in study.sources] == [5, 5, 5]


def test_a_teachers_margins_are_matched_or_raw(write: Write, good: str) -> None:
    assert load(write(good + "proxy: {teacher_scale: raw}\n")).study.proxy.teacher_scale == "raw"
    assert load(write(good)).study.proxy.teacher_scale == "matched"
    with pytest.raises(ConfigError, match=r"proxy\.teacher_scale is 'as they are'; allowed: 'matched' or 'raw'"):
        load(write(good + "proxy: {teacher_scale: as they are}\n"))


def test_an_in_batch_teacher_beside_infonce_needs_nothing_else(write: Write, good: str) -> None:
    assert load(write(good + f"proxy: {{batch_teacher: {MINILM}}}\n")).study.proxy.loss == "infonce"


def test_tables_may_bring_scored_negatives_of_their_own(write: Write, good: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"query": "a", "positive": "b"}\n')
    table = good.replace("{kind: docstrings, package: numpy, weight: 2}", "{kind: jsonl, path: pairs.jsonl}")
    alone = "\n".join(line for line in table.splitlines() if not line.startswith(("  beta", "  gamma"))) + "\n"
    study = load(write(alone + "proxy: {loss: margin-mse}\nbatching: {margin_bins: 10}\n")).study
    assert study.space.batching.margin_bins == 10


BAD = {
    "no in-batch teacher": (
        "proxy: {loss: in-batch}\n",
        "proxy.loss is 'in-batch', which an in-batch teacher teaches; add proxy.batch_teacher",
    ),
    "dual without an in-batch teacher": (
        f"proxy: {{loss: dual, teacher: {CROSS}}}\n",
        "proxy.loss is 'dual', which an in-batch teacher teaches",
    ),
    "nothing to compare with": (
        f"proxy: {{loss: margin-mse, teacher: {CROSS}, negatives: 0}}\n",
        "compares with hard negatives, and proxy.negatives is 0; set it to 1",
    ),
    "no teacher of what is mined": (
        "proxy: {loss: margin-mse}\n",
        "these sources bring no scored hard negatives: alpha, beta, gamma; mine some (mine: 5 in the source), and name",
    ),
    "bins without margins": (
        "batching: {margin_bins: 10}\n",
        "batching.margin_bins needs hard negatives with a teacher's scores, and no source has any",
    ),
    "no such kind": (
        "proxy: {teacher: {model: m, kind: oracle}}\n",
        "proxy.teacher.kind is 'oracle'; allowed: 'cross-encoder' or 'sentence-transformer'",
    ),
    "a teacher without a model": ("proxy: {teacher: {kind: cross-encoder}}\n", "proxy.teacher lacks the key 'model'"),
    "a misspelt key": (
        "proxy: {batch_teacher: {modell: m, kind: cross-encoder}}\n",
        "unknown key 'modell' in proxy.batch_teacher; did you mean 'model'?",
    ),
    "no such loss": ("proxy: {loss: triplet}\n", "proxy.loss is 'triplet'; allowed: 'dual', 'in-batch', 'infonce' or"),
}


@pytest.mark.parametrize(("parts", "expected"), BAD.values(), ids=BAD)
def test_what_cannot_be_learnt_is_refused(parts: str, expected: str, write: Write, good: str) -> None:
    text = good if expected.startswith(("these", "batching")) else mining(good)
    with pytest.raises(ConfigError) as caught:
        load(write(text + parts))
    assert expected in str(caught.value)


def test_only_the_sources_that_lack_negatives_are_named(write: Write, good: str) -> None:
    some = good.replace("package: numpy", "package: numpy, mine: 5")
    with pytest.raises(ConfigError, match=r"bring no scored hard negatives: beta, gamma; mine some .*weight: 0"):
        load(write(some + f"proxy: {{loss: margin-mse, teacher: {CROSS}}}\n"))


def test_a_negative_number_to_mine_is_refused(write: Write, good: str) -> None:
    with pytest.raises(ConfigError, match=r"sources.alpha.mine is -1; allowed: a number of at least 0"):
        load(write(good.replace("package: numpy", "package: numpy, mine: -1")))
