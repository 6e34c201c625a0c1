import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk
from test_check import folder

from mixtune.cli.draft import draft
from mixtune.cli.finding import Findings, FoundSource, FoundTarget, find
from mixtune.config import load


def pairs(count: int, start: int = 0) -> str:
    lines = [{"query": f"question {n}", "positive": f"answer to {n}"} for n in range(start, start + count)]
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.fixture
def data(desk: Desk) -> Path:
    """Two BEIR folders (one only with train judgements), two files and a folder of parts; and what is no data."""
    root = desk.folder / "my data"
    folder(root, "wiki", 30)
    folder(root, "extra", 12)
    for split in ("dev", "test"):
        (root / "extra" / "qrels" / f"{split}.tsv").unlink()
    (root / "faq.jsonl").write_text(pairs(20))
    (root / "wiki.csv").write_text("anchor,positive\n" + "".join(f"what is {n},it is {n}\n" for n in range(9)))
    (root / "parts").mkdir()
    for part in range(2):
        (root / "parts" / f"part-{part}.jsonl").write_text(pairs(10, 10 * part))
    (root / "photo.png").write_bytes(b"x")
    (root / "prices.csv").write_text("a,b\n1,2\n")
    return root


def test_what_init_writes_passes_check(desk: Desk, data: Path) -> None:
    written = desk("init", str(data))
    assert (written.exit_code, written.stderr) == (0, "")
    assert "Next: mixtune check study.yaml" in written.stdout
    study = load(desk.folder / "study.yaml").study
    assert study.name == "my-data"
    kinds = {"extra": "beir", "faq": "jsonl", "parts": "jsonl", "wiki": "beir", "wiki-csv": "csv"}
    assert {source.name: source.kind for source in study.sources} == kinds
    assert [target.name for target in study.targets] == ["wiki"]
    checked = desk("check", "study.yaml", "--json")
    assert checked.exit_code == 0, checked.output
    rows = {name: each["rows"] for name, each in json.loads(checked.stdout)["sources"].items()}
    assert rows == {"extra": 12, "faq": 20, "parts": 20, "wiki": 30, "wiki-csv": 9}


def test_init_says_what_it_found_and_what_it_left_out(desk: Desk, data: Path) -> None:
    (data / "wiki" / "qrels" / "dev.tsv").unlink()
    shutil.copytree(data / "wiki", data / "half")
    (data / "half" / "qrels" / "train.tsv").unlink()
    (data / "torn").mkdir()
    (data / "torn" / "corpus.jsonl").write_text("{}")
    out = desk("init", str(data)).stdout
    assert "Wrote study.yaml: 5 sources (91 pairs), 0 targets." in out
    assert "source parts: jsonl, 20 pairs" in out
    left_out = out.split("Left out:\n")[1]
    assert "photo.png: not a kind of file that training pairs are read from" in left_out
    assert "prices.csv: has the columns a, b, and none that is known to hold the query" in left_out
    assert "half: qrels holds test.tsv; a source needs train.tsv, a target dev.tsv and test.tsv" in left_out
    assert "torn: looks like a BEIR folder, but lacks queries.jsonl[.gz] and qrels/" in left_out


def test_what_was_left_out_is_named_once(desk: Desk, data: Path) -> None:
    (data / "graded.csv").write_text("sentence1,sentence2,score\na,b,4.5\n")
    left_out = desk("init", str(data)).stdout.split("Left out:\n")[1]
    assert "  graded.csv: line 2: score 4.5 is not between 0 and 1" in left_out


def test_a_link_below_the_study_file_is_named_not_what_it_leads_to(
    desk: Desk, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("disk") / "wiki"
    shutil.move(data / "wiki", elsewhere)
    (data / "wiki").symlink_to(elsewhere)
    desk("init", str(data))
    assert '"my data/wiki"' in (desk.folder / "study.yaml").read_text()
    assert str(elsewhere) not in (desk.folder / "study.yaml").read_text()


def test_rows_and_sizes_stand_in_comments(desk: Desk, data: Path) -> None:
    desk("init", str(data), "--out", "new.yaml", "--name", "mine")
    text = (desk.folder / "new.yaml").read_text()
    assert text.count("\nname: mine\n") == 1
    assert '  faq: {kind: jsonl, path: "my data/faq.jsonl"} # 20 pairs, 1.0 kB' in text
    assert "# 40 documents, 5 dev and 5 test queries" in text
    assert "# What can be trained on: 91 pairs." in text


def test_without_a_target_the_file_is_written_and_init_says_that_it_cannot_run(desk: Desk, data: Path) -> None:
    (data / "wiki" / "qrels" / "test.tsv").unlink()
    result = desk("init", str(data))
    assert result.exit_code == 1
    assert "study.yaml is written, but cannot be run yet: no target was found" in result.stderr
    file = desk.folder / "study.yaml"
    assert "lacks the key 'targets'" in desk("check", str(file)).stderr
    # The example is one: without its signs and with a folder of this disk the file is valid.
    text = file.read_text().replace("# targets:", "targets:").replace("#   my-task:", "  my-task:")
    file.write_text(text.replace("path: path/to/folder", 'path: "my data/wiki"'))
    assert [target.name for target in load(file).study.targets] == ["my-task"]


def test_targets_alone_are_not_enough(desk: Desk) -> None:
    folder(desk.folder / "data", "wiki", 3)
    (desk.folder / "data" / "wiki" / "qrels" / "train.tsv").unlink()
    result = desk("init", "data")
    assert (result.exit_code, "no source was found" in result.stderr) == (1, True)


def test_init_overwrites_nothing(desk: Desk, data: Path) -> None:
    (desk.folder / "study.yaml").write_text("precious")
    result = desk("init", str(data))
    assert result.exit_code == 1
    assert "study.yaml exists: remove it, or name another file with --out" in result.stderr
    assert (desk.folder / "study.yaml").read_text() == "precious"


@pytest.mark.parametrize(
    "words, message",
    [
        (["nowhere"], "there is no folder 'nowhere'"),
        (["empty"], "no data was found in 'empty': expected BEIR folders"),
        (["empty", "--out", "no/such/study.yaml"], "there is no folder no/such"),
        (["empty", "--name", "two words"], "--name 'two words' is no name: use letters, digits"),
    ],
)
def test_init_refuses_what_it_cannot_do_and_writes_nothing(desk: Desk, words: list[str], message: str) -> None:
    (desk.folder / "empty").mkdir()
    result = desk("init", *words)
    assert (result.exit_code, list(desk.folder.glob("**/*.yaml"))) == (1, [])
    assert message in result.stderr


def test_a_folder_that_is_a_beir_folder_itself_is_source_and_target(desk: Desk) -> None:
    folder(desk.folder, "wiki", 30)
    result = desk("init", "wiki")
    assert result.exit_code == 0
    assert "One source is no mixture" in result.stdout


@pytest.mark.parametrize("rows", [2, 91, 3_000, 10_000_000])
def test_the_bounds_of_a_draft_leave_room_for_a_mixture(tmp_path: Path, rows: int) -> None:
    (tmp_path / "a b: #").mkdir()
    path = tmp_path / "a b: #"
    found = Findings([FoundSource("null", "beir", path, rows, 10)], [FoundTarget("2020", path, 5, 5, 5)])
    (tmp_path / "study.yaml").write_text(draft("yes", "offline:all-MiniLM-L6-v2", found, tmp_path))
    study = load(tmp_path / "study.yaml").study
    assert study.name == "yes" and study.sources[0].location == str(path) and study.sources[0].name == "null"
    assert study.space.max_epochs is not None
    assert study.space.max_epochs * rows >= 2 * study.final_rows or study.final.steps == 5000
    assert study.final.steps == 50 or study.final_rows <= 3 * rows + 50 * 32


def test_twenty_files_of_one_name_get_twenty_names(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / "data" / f"set{number:02}").mkdir(parents=True)
        (tmp_path / "data" / f"set{number:02}" / "train.jsonl").write_text(pairs(2))
    found = find(tmp_path / "data", tmp_path / "cache", lambda what, done, total: None)
    assert [source.name for source in found.sources[:4]] == ["train", "train-jsonl", "train-2", "train-3"]
    assert len({source.name for source in found.sources}) == 20


def test_a_folder_that_may_not_be_read_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.jsonl").write_text(pairs(2))
    inside = Path.iterdir

    def guarded(folder: Path) -> Iterator[Path]:
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied")
        return inside(folder)

    monkeypatch.setattr(Path, "iterdir", guarded)
    found = find(tmp_path, tmp_path / "cache", lambda what, done, total: None)
    assert [source.name for source in found.sources] == ["open"]
    assert found.skipped == [(tmp_path / "closed", "cannot be read (Permission denied)")]


def test_a_folder_of_splits_is_no_table_in_parts_and_what_is_held_out_is_no_source(tmp_path: Path) -> None:
    for place, names in {
        "splits": ("train", "dev", "test"),
        "sets": ("nq.de", "nq.en"),
        "held": ("test-0", "test-1"),
    }.items():
        (tmp_path / place).mkdir()
        for name in names:
            (tmp_path / place / f"{name}.jsonl").write_text(pairs(2))
    (tmp_path / "parts").mkdir()
    for part in range(2):
        (tmp_path / "parts" / f"train-{part:05}-of-00002.jsonl").write_text(pairs(2, 2 * part))
    found = find(tmp_path, tmp_path / "cache", lambda what, done, total: None)
    assert {source.name: source.rows for source in found.sources} == {"parts": 4, "nq.de": 2, "nq.en": 2, "train": 2}
    assert [path.name for path, reason in found.skipped if "held out" in reason] == [
        "test-0.jsonl",
        "test-1.jsonl",
        "dev.jsonl",
        "test.jsonl",
    ]
