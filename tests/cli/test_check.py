import json
import re
from pathlib import Path

import pytest
from desk import Desk

from mixtune.cli.forecast import forecast
from mixtune.config import load
from mixtune.errors import DataError
from mixtune.training.preparing.prepare import prepare

STUDY = """\
name: tiny
proxy: {steps: 10, batch_size: 4}
sources:
  long: {kind: beir, path: long}
  short: {kind: beir, path: short}
targets:
  goal: {kind: beir, path: short, pool: 5}
search: {algorithm: random}
budget: {trials: 3}
final: {steps: 20, seeds: 1}
"""


def folder(root: Path, name: str, train: int) -> None:
    """A BEIR folder: `train` training queries, five dev and five test queries, each with a document of its own."""
    place = root / name
    (place / "qrels").mkdir(parents=True)
    counts = {"train": train, "dev": 5, "test": 5}
    keys = [f"{split}{number}" for split, count in counts.items() for number in range(count)]
    texts = [f"{name} {key}" for key in keys]
    corpus = [
        {"_id": f"d{key}", "title": "", "text": f"all about {text}"} for key, text in zip(keys, texts, strict=True)
    ]
    queries = [{"_id": f"q{key}", "text": f"what is {text}"} for key, text in zip(keys, texts, strict=True)]
    (place / "corpus.jsonl").write_text("\n".join(json.dumps(line) for line in corpus))
    (place / "queries.jsonl").write_text("\n".join(json.dumps(line) for line in queries))
    for split, count in counts.items():
        judged = [f"q{split}{number}\td{split}{number}\t1" for number in range(count)]
        (place / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")


@pytest.fixture
def tiny(desk: Desk) -> str:
    folder(desk.folder, "long", 30)
    folder(desk.folder, "short", 10)
    return desk.write(STUDY)


def test_check_counts_rows_epochs_cost_and_disk(desk: Desk, tiny: str) -> None:
    result = desk("check", tiny, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {name: each["rows"] for name, each in found["sources"].items()} == {"long": 30, "short": 10}
    # In proportion to size every source is seen equally often: 40 and 80 pairs from 40 rows.
    assert [each["proxy_epochs"] for each in found["sources"].values()] == pytest.approx([1.0, 1.0])
    assert [each["final_epochs"] for each in found["sources"].values()] == pytest.approx([2.0, 2.0])
    goal = found["targets"]["goal"]
    assert (goal["documents"], goal["dev_queries"], goal["dev_documents"], goal["test_queries"]) == (20, 5, 5, 5)
    hashes = [each["sha256"] for each in (*found["sources"].values(), goal)]
    assert len({*hashes}) == 3 and all(len(each) == 64 for each in hashes)
    # 80 training texts and those of dev and test; the target's corpus and train queries hold nothing else new.
    assert found["texts"] == found["new_texts"] == 80 + 2 * 10
    assert found["disk_bytes"] == found["texts"] * 384 * 4
    assert found["search_flops"] == pytest.approx(3 * found["run_flops"])
    assert found["choosing_flops"] == 0  # three runs are too few to have finalists
    # uniform, proportional and the best recipe on one seed, each also on test; and the base model
    assert 3 < found["judging_flops"] / found["run_flops"] < 4


@pytest.mark.parametrize(
    "algorithm, trials, final, runs",
    [
        ("tpe", 8, "", 2 * 2),
        ("regmix", 40, ", finalists: 4, finalist_seeds: 3", 4 * 3),
        ("tpe", 40, ", finalists: 1", 0),
    ],
)
def test_check_foresees_what_choosing_among_finalists_costs(
    desk: Desk, tiny: str, algorithm: str, trials: int, final: str, runs: int
) -> None:
    text = (
        STUDY.replace("random", algorithm)
        .replace("trials: 3", f"trials: {trials}")
        .replace("seeds: 1", f"seeds: 1{final}")
    )
    found = json.loads(desk("check", desk.write(text), "--json").stdout)
    assert found["choosing_flops"] == pytest.approx(runs * found["run_flops"])
    assert ("Choosing " in desk("check", desk.write(text)).output) is (runs > 0)


@pytest.mark.parametrize(
    "search, low, high",
    [
        ("{algorithm: uniform}", 1, 1),
        ("{algorithm: tpe}", 3, 3),
        # Two probes of two steps in each of three rounds, and ten steps in the last two, of a run of ten steps.
        ("{algorithm: infdds}", (3 * 2 * 2 + 2 * 10) / 10 * 0.8, 4.5),
        ("{algorithm: infdds, steps: 1000}", 150, 210),
        # Budget for three; a chain of ten steps in one round, on batches with seven negatives, and no reference.
        ("{algorithm: doge, queries: 2, dev_negatives: 0}", 1.5, 8),
        # The same with its reference; the chain's steps cost one and a half times those of the reference.
        ("{algorithm: tdro, reference_steps: 1}", 2.5, 7),
        ("{algorithm: multidds, steps: 1, length: 1, queries: 2, negatives: 0}", 0.1, 0.9),
    ],
)
def test_check_foresees_what_the_algorithms_trials_cost(
    desk: Desk, tiny: str, search: str, low: float, high: float
) -> None:
    found = json.loads(desk("check", desk.write(STUDY.replace("{algorithm: random}", search)), "--json").stdout)
    assert low <= round(found["search_flops"] / found["run_flops"], 9) <= high


def test_check_foresees_what_the_sample_of_dev_costs(desk: Desk, tiny: str) -> None:
    def foreseen(settings: str) -> float:
        text = STUDY.replace("{algorithm: random}", f"{{algorithm: infdds, steps: 0, {settings}}}")
        found = json.loads(desk("check", desk.write(text), "--json").stdout)
        return float(found["search_flops"] / found["run_flops"])

    few, all_of_dev = foreseen("queries: 2, negatives: 0"), foreseen("queries: null")
    every_round = foreseen("queries: 2, negatives: 0, score_every: 1")
    assert few < all_of_dev
    assert few < every_round


def test_check_foresees_no_more_than_the_budget_of_runs(desk: Desk, tiny: str) -> None:
    text = STUDY.replace("random", "infdds, steps: 1000").replace("trials: 3", "trials: 3, runs: 2.5")
    found = json.loads(desk("check", desk.write(text), "--json").stdout)
    assert found["search_flops"] == pytest.approx(2.5 * found["run_flops"])


@pytest.mark.parametrize(
    "space, message",
    [
        ("{max_epochs: 3, floor: {short: 0.5}}", "space.floor of 'short' is 0.5, but its 10 rows"),
        ("{max_epochs: 3, keep: [0.2, 1]}", "at the lowest keep levels (long 0.2, short 0.2) no mixture fits"),
    ],
)
def test_check_refuses_bounds_that_exclude_each_other(desk: Desk, tiny: str, space: str, message: str) -> None:
    result = desk("check", desk.write(STUDY + f"space: {space}\n"))
    assert result.exit_code == 1
    assert message in result.stderr


def test_check_fits_80_columns_and_names_the_next_step(desk: Desk, tiny: str) -> None:
    output = desk("check", tiny).output
    assert f"Next: mixtune run {tiny}" in output.replace("\n", "")
    assert max(len(line) for line in output.splitlines() if tiny not in line) <= 80


@pytest.mark.parametrize(
    "epochs, notes",
    [
        # 80 rows of 40 in the final training: at most 10 * 5 of them from short.
        ("5", ["space.max_epochs caps 1 source short at weight 0.625"]),
        (
            "2.5",
            [
                "space.max_epochs caps 2 sources, the tightest short at weight 0.312",
                "space.max_epochs 2.5 leaves the search little room (highest weights sum to 1.25): the final training "
                "sees every row 2.0 times anyway; allow more epochs, or lower final.steps",
            ],
        ),
    ],
)
def test_check_notes_what_max_epochs_leaves_of_the_space(desk: Desk, tiny: str, epochs: str, notes: list[str]) -> None:
    found = json.loads(desk("check", desk.write(STUDY + f"space: {{max_epochs: {epochs}}}\n"), "--json").stdout)
    assert [note for note in found["notes"] if note.startswith("space.")] == notes


def test_check_shows_what_uniform_weights_repeat_and_what_the_space_allows(desk: Desk, tiny: str) -> None:
    lines = desk("check", desk.write(STUDY + "space: {cap: {long: 0.8}}\n")).stdout.splitlines()
    # 80 rows in the final training, 40 from each: 40 / 30 and 40 / 10 passes.
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert rows["long"] == ["30", "30", "0.750", "0.800", "1.33"]
    assert rows["short"] == ["10", "10", "0.250", "1.000", "4.00"]
    assert "Epochs         2.00 in proportion to size (1.00 in a proxy run)" in lines


def test_check_refuses_a_disk_that_is_too_small(desk: Desk, tiny: str) -> None:
    study, cache = load(Path(tiny)).study, desk.folder / "home" / "cache"
    with pytest.raises(DataError, match=r"needs 1 MB in .*, where 0 MB are free: make room, set MIXTUNE_HOME"):
        forecast(study, cache, lambda folder: 5, lambda what, done, total: None)


def test_check_refuses_a_space_without_a_mixture(desk: Desk, tiny: str) -> None:
    result = desk("check", desk.write(STUDY + "space: {max_epochs: 1}\n"))
    assert result.exit_code == 1
    assert "no mixture fits" in result.stderr and "raise space.max_epochs" in result.stderr


OPTIONS = "pruning: {method: [none, dynamic], query_end: [2, 5], least: 16}\n"


def test_check_shows_what_is_pruned_and_what_the_search_chooses(desk: Desk, tiny: str) -> None:
    file = desk.write(STUDY + OPTIONS)
    lines = " ".join(desk("check", file).output.split())
    assert "Pruning none | dynamic (searched), query_end 2 | 5 (searched), cutoff_end 0.5, strength 5" in lines
    assert "no source below 16 pairs" in lines and "Batching" not in lines
    options = json.loads(desk("check", file, "--json").stdout)["options"]
    assert options["choices"] == {"query_end": [2.0, 5.0], "dynamic": [0.0, 1.0]}
    assert options["schedule"]["method"] == "dynamic" and options["keep_least"] == 16


@pytest.mark.parametrize(
    "parts, note",
    [
        # 40 pairs are drawn in a run, 30 of them from long, whose first epoch has 19: no schedule is too slow here.
        ("pruning: {method: dynamic}\n", None),
        (
            "pruning: {method: dynamic}\nproxy: {steps: 4, batch_size: 4}\n",
            "pruning.method dynamic has no effect before a whole epoch, and in proportion to size a proxy run "
            "completes none of long, short; allow more proxy.steps, or lower the sources' limit",
        ),
        (
            "batching: {topics: 5}\n",
            "batching.topics with loss infonce: batches of one topic hold more false negatives",
        ),
        ("batching: {topics: 0}\n", None),
    ],
)
def test_check_notes_what_pruning_and_topics_would_not_do(desk: Desk, tiny: str, parts: str, note: str | None) -> None:
    text = STUDY if "proxy" not in parts else STUDY.replace("proxy: {steps: 10, batch_size: 4}\n", "")
    notes = json.loads(desk("check", desk.write(text + parts), "--json").stdout)["notes"]
    told = [each for each in notes if each.startswith(("pruning", "batching"))]
    assert told == [] if note is None else told[0].startswith(note)


def test_check_says_what_the_algorithm_does_not_choose(desk: Desk, tiny: str) -> None:
    file = desk.write(STUDY.replace("random", "multidds") + OPTIONS)
    notes = json.loads(desk("check", file, "--json").stdout)["notes"]
    assert any(note.startswith("multidds does not choose pruning or batching") for note in notes)


def test_check_stores_no_study(desk: Desk, tiny: str) -> None:
    desk("check", tiny)
    assert desk.opened == []


def test_check_loads_no_model_where_everything_is_encoded(
    desk: Desk, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = json.loads(desk("check", tiny, "--json").stdout)
    prepare(load(Path(tiny)).study, desk.folder / "home" / "cache", lambda what, done, total: None)

    def loaded(*_: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("mixtune.cli.forecast.load", loaded)
    result = desk("check", tiny, "--json")
    assert result.exit_code == 0, result.exception
    after = json.loads(result.stdout)
    assert (after["new_texts"], after["encoding_flops"], after["disk_bytes"]) == (0, 0.0, 0)
    assert after["run_flops"] == before["run_flops"]


def test_check_counts_on_the_negatives_that_will_be_mined(desk: Desk, tiny: str) -> None:
    plain, mining = STUDY, STUDY.replace("kind: beir, path: long", "kind: beir, mine: 3, path: long")
    steps = [json.loads(desk("check", desk.write(text), "--json").stdout)["run_flops"] for text in (plain, mining)]
    assert steps[1] > 1.1 * steps[0]


def test_check_notes_how_much_an_in_batch_cross_encoder_scores(desk: Desk, tiny: str) -> None:
    teacher = "batch_teacher: {model: not/there, kind: cross-encoder}"
    file = desk.write(STUDY.replace("batch_size: 4}", f"batch_size: 4, {teacher}}}"))
    notes = json.loads(desk("check", file, "--json").stdout)["notes"]
    assert [note for note in notes if "cross-encoder" in note] == [
        "proxy.batch_teacher is a cross-encoder: it scores up to 32 pairs of texts for each new batch, before its trial"
        " can go on"
    ]


def test_check_says_that_it_prices_one_search_of_a_comparison(desk: Desk, tiny: str) -> None:
    part = "compare: {searchers: {tpe: {}, random: {}}, replicates: 3}"
    file = desk.write(STUDY.replace("search: {algorithm: random}", part))
    result = desk("check", file)
    assert result.exit_code == 0, result.output
    assert "fresh runs: tpe's, one of 6 searches of this comparison" in " ".join(result.output.split())
    assert json.loads(desk("check", file, "--json").stdout)["searches"] == 6


def test_check_of_a_study_speaks_of_no_comparison(desk: Desk, tiny: str) -> None:
    assert "of this comparison" not in desk("check", tiny).output
    assert json.loads(desk("check", tiny, "--json").stdout)["searches"] == 1


def test_check_promises_no_compute_where_only_seconds_end_the_search(desk: Desk, tiny: str) -> None:
    timed = re.sub(r"^budget: .*$", "budget: {seconds: 9}", STUDY, flags=re.M)
    assert timed != STUDY
    file = desk.write(timed)
    result = desk("check", file)
    assert result.exit_code == 0, result.output
    assert "what 9 s of trials come to" in result.output and "inf" not in result.output.split()
    assert json.loads(desk("check", file, "--json").stdout)["search_flops"] is None
