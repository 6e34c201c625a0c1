import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from full_disk import full_disk
from test_prepare import silent, write_set
from test_prepared import made

from mixtune.errors import DataError
from mixtune.proxy import Proxy
from mixtune.search import Budget, Search
from mixtune.source import Source
from mixtune.study import Study
from mixtune.target import Target
from mixtune.training import prepared
from mixtune.training.cache import keep, lacks_room, recall, room_in
from mixtune.training.encoding.column import Column
from mixtune.training.encoding.textlog import TextLog, digest
from mixtune.training.preparing.prepare import load_prepared, prepare


def an_answer(folder: Path) -> object:
    keep(folder / "answer.json", "x" * 500)
    return recall(folder / "answer.json")


def a_text(folder: Path) -> object:
    log = TextLog(folder)
    log.repair()
    if log.row(digest("one")) is None:
        log.append([digest("one")], [np.arange(200, dtype=np.int32)])
    return [tokens.tolist() for tokens in log.tokens(np.array([0]))]


def a_vector(folder: Path) -> object:
    folder.mkdir(exist_ok=True)
    column = Column(folder, "c", "<f4")
    with column.writer(4, 100) as out:
        out.write(3, 3, np.ones(100, dtype=np.float32).tobytes())
    view = column.view()
    assert view is not None
    return column.have(np.arange(5)).tolist(), view[3].tolist()


def a_study(folder: Path) -> object:
    prepared.save(made(300), folder / "study", {"note": 1})
    return prepared.load(folder / "study").sources["b"].queries.tolist()


WRITERS = [an_answer, a_text, a_vector, a_study]


@pytest.mark.parametrize("write", WRITERS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("size", [0, 10, 400])
def test_what_finds_no_room_is_told_and_can_be_written_once_there_is_some(
    tmp_path: Path, size: int, write: Callable[[Path], object]
) -> None:
    wanted = write(tmp_path / "roomy") if not (tmp_path / "roomy").mkdir() else None
    full = tmp_path / "full"
    full.mkdir()
    with full_disk(size), pytest.raises(DataError, match=r"no space left in .*full.*: free some or set MIXTUNE_HOME"):
        write(full)
    assert not (full / "answer.json").exists() and not (full / "study").exists()
    assert [path.name for path in full.iterdir() if path.name.startswith(".") and path.name != ".lock"] == []
    assert write(full) == wanted


def test_a_vector_that_found_no_room_is_not_marked_as_there(tmp_path: Path) -> None:
    with full_disk(10), pytest.raises(DataError):
        a_vector(tmp_path)
    assert not Column(tmp_path, "c", "<f4").have(np.arange(5)).any()


def test_other_errors_of_the_system_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), room_in(tmp_path):
        tmp_path.open("wb")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_seen_behind_the_error_that_a_library_makes_of_it(code: int) -> None:
    error = ValueError("an error occurred while generating the dataset")
    assert not lacks_room(error)
    error.__cause__ = OSError(code, os.strerror(code))
    assert lacks_room(error)


def test_a_preparation_that_met_a_full_disk_ends_as_one_that_did_not(tmp_path: Path) -> None:
    farm, wood = write_set(tmp_path / "farm", "farms"), write_set(tmp_path / "wood", "woods")
    study = Study(
        "tiny",
        (Source("farm", "beir", farm), Source("wood", "beir", wood)),
        (Target("goal", "beir", farm, pool=8),),
        Search("uniform"),
        Budget(trials=2),
        proxy=Proxy(max_length=16, precision="fp32"),
    )
    full, roomy = tmp_path / "full", tmp_path / "roomy"
    for size in (10, 200, 2000, 20_000):
        with full_disk(size), pytest.raises(DataError, match="no space left"):
            prepare(study, full, silent)
    key = prepare(study, full, silent).key
    assert key == prepare(study, roomy, silent).key
    found, wanted = load_prepared(full, key), load_prepared(roomy, key)
    for name in ("farm", "wood"):
        np.testing.assert_array_equal(found.sources[name].similarity, wanted.sources[name].similarity)
