import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import datasets
import pytest
from datasets import Dataset
from hub_server import COMMIT, serve

from mixtune.errors import DataError
from mixtune.prompts import Prompts
from mixtune.source import Columns, Source
from mixtune.target import Target
from mixtune.training.data.hub import SEED, SHUFFLE
from mixtune.training.data.reading import read_source, read_target, source_hash, target_hash

README = """\
---
configs:
- config_name: default
  data_files: [{split: train, path: data/train-*}]
- config_name: other
  data_files: [{split: train, path: other/train-*}]
---
"""


def write(path: Path, **columns: list[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Dataset.from_dict(columns).to_parquet(path)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setattr(datasets.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0)
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A local copy of a repository with two configs of 30 pairs each."""
    folder = tmp_path / "owner" / "pairs"
    for config in ("data", "other"):
        texts = ([f"{config} {what} {i}" for i in range(30)] for what in ("query", "answer"))
        write(folder / config / "train-00000.parquet", **dict(zip(("question", "answer"), texts, strict=True)))
    (folder / "README.md").write_text(README)
    return folder


def test_a_split_of_a_data_set_is_read(repository: Path, tmp_path: Path) -> None:
    found = read_source(Source("s", "hub", str(repository)), tmp_path / "root")
    assert found.queries == tuple(f"data query {i}" for i in range(30))
    assert found.documents == tuple(f"data answer {i}" for i in range(30))
    assert found.revision is None and found.notes == ()


def test_configs_and_columns_can_be_named(repository: Path, tmp_path: Path) -> None:
    columns = Columns("answer", ("question",))
    found = read_source(Source("s", "hub", str(repository), config="other", columns=columns), tmp_path / "root")
    assert (found.queries[0], found.documents[0]) == ("other answer 0", "other query 0")


def test_a_streamed_source_is_a_seeded_sample_that_says_so(repository: Path, tmp_path: Path) -> None:
    source = Source("s", "hub", str(repository), streaming=True, limit=5)
    found = read_source(source, tmp_path / "root")
    assert len(set(found.queries)) == 5 and found.queries != tuple(f"data query {i}" for i in range(5))
    assert read_source(source, tmp_path / "root") == found
    assert found.notes == (
        f"a streamed sample: the first 5 rows of split 'train' shuffled with seed {SEED} through a buffer of"
        f" {SHUFFLE} rows",
    )


def test_a_streamed_source_needs_a_limit(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a streamed source needs a limit"):
        read_source(Source("s", "hub", str(repository), streaming=True), tmp_path / "root")


def test_a_changed_copy_has_another_hash(repository: Path, tmp_path: Path) -> None:
    source = Source("s", "hub", str(repository))
    before = source_hash(source, tmp_path / "root")
    assert before == read_source(source, tmp_path / "root").sha256
    write(repository / "data" / "train-00000.parquet", question=["a", "b"], answer=["c", "d"])
    assert source_hash(source, tmp_path / "root") != before


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"split": "dev"}, r"Unknown split \"dev\".*check path, config, split and revision"),
        ({"split": "dev", "streaming": True, "limit": 5}, "Bad split: dev"),
        ({"config": "none"}, "config none cannot be read .*'none' not found"),
        ({"columns": Columns("query", ("answer",))}, "has no column 'query', .* it has question, answer"),
    ],
)
def test_what_a_data_set_does_not_have_is_named(
    changes: dict[str, object], message: str, repository: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=f"source 's': data set .*{message}"):
        read_source(Source("s", "hub", str(repository), **changes), tmp_path / "root")  # type: ignore[arg-type]


def test_a_folder_whose_name_is_a_pattern_is_refused(repository: Path, tmp_path: Path) -> None:
    repository.rename(tmp_path / "pairs[1]")
    write(tmp_path / "pairs1" / "train.parquet", question=["another", "folder"], answer=["a", "b"])
    with pytest.raises(DataError, match="takes its name for a pattern that other folders fit"):
        read_source(Source("s", "hub", str(tmp_path / "pairs[1]")), tmp_path / "root")


def test_a_cell_that_is_wrong_is_named_by_its_row(repository: Path, tmp_path: Path) -> None:
    write(repository / "data" / "train-00000.parquet", question=[1, 2], answer=["a", "b"])
    with pytest.raises(DataError, match=r"data set .*, split train, row 1: column 'question' holds 1 \(a number\)"):
        read_source(Source("s", "hub", str(repository)), tmp_path / "root")


TASK = """\
---
configs:
- {config_name: corpus, data_files: [{split: corpus, path: corpus.parquet}]}
- {config_name: queries, data_files: [{split: queries, path: queries.parquet}]}
- config_name: default
  data_files: [{split: dev, path: dev.parquet}, {split: test, path: test.parquet}]
---
"""


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A local copy of a retrieval task in the layout of MTEB."""
    folder = tmp_path / "task"
    write(folder / "corpus.parquet", _id=["d1", "d2"], title=["Title", ""], text=["one", "two"])
    write(folder / "queries.parquet", _id=["q1", "q2"], text=["first", "second"])
    for split, number in (("dev", 1), ("test", 2)):
        write(folder / f"{split}.parquet", **{"query-id": [f"q{number}"], "corpus-id": [f"d{number}"], "score": [2]})
    (folder / "README.md").write_text(TASK)
    return folder


def test_a_target_in_the_layout_of_mteb_is_read(task: Path, tmp_path: Path) -> None:
    target = Target("t", "hub", str(task), prompts=Prompts("query: ", ""))
    found = read_target(target, tmp_path / "root")
    assert found.corpus == ("Title one", "two")
    assert (found.dev.queries, found.dev.judgements) == (("query: first",), ({0: 2.0},))
    assert (found.test.queries, found.test.judgements) == (("query: second",), ({1: 2.0},))
    assert target_hash(target, tmp_path / "root") == found.sha256


def test_judgements_that_point_nowhere_are_refused(task: Path, tmp_path: Path) -> None:
    write(task / "dev.parquet", **{"query-id": ["q1"], "corpus-id": ["d9"], "score": [1]})
    with pytest.raises(DataError, match="split dev of default points at 1 documents that its corpus does not hold"):
        read_target(Target("t", "hub", str(task)), tmp_path / "root")


def test_a_data_set_of_another_layout_is_no_target(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="config corpus cannot be read"):
        read_target(Target("t", "hub", str(repository)), tmp_path / "root")


READ = """\
import json, sys
from pathlib import Path
import datasets
from mixtune.errors import DataError
from mixtune.source import Source
from mixtune.training.data.reading import read_source, source_hash
datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN = 0
for asked in json.loads(sys.argv[2]):
    source = Source("s", "hub", **asked)
    try:
        text = read_source(source, Path(sys.argv[1]))
        assert source_hash(source, Path(sys.argv[1])) == text.sha256
        print(json.dumps([len(text), text.revision]))
    except DataError as error:
        print(json.dumps(str(error)))
"""


def over_http(endpoint: str, tmp_path: Path, *asked: dict[str, object], offline: bool = False) -> list[object]:
    """What a process of its own reads from a hub at an address: `datasets` learns addresses when it is imported."""
    more = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": str(int(offline))}
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path / "root"), json.dumps(asked)],
        env={**os.environ, **more, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_hub_is_read_over_http_and_offline_afterwards(repository: Path, tmp_path: Path) -> None:
    server = serve(repository, "owner/name")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    whole, streamed = {"location": "owner/name"}, {"location": "owner/name", "streaming": True, "limit": 7}
    try:
        found = over_http(endpoint, tmp_path, whole, {**whole, "revision": "v1"}, streamed, {"location": "owner/none"})
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert found[:3] == [[30, COMMIT], [30, COMMIT], [7, COMMIT]]
    assert "data set 'owner/none' cannot be read (Dataset 'owner/none' doesn't exist on the Hub" in str(found[3])

    again, never = over_http(endpoint, tmp_path, whole, {"location": "owner/none"}, offline=True)
    assert again == [30, COMMIT]
    assert "data set 'owner/none' cannot be read" in str(never)
    assert "set HF_HUB_OFFLINE=1 if it was downloaded before, or copy its files" in str(never)
