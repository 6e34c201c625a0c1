import gzip
from pathlib import Path

import pytest

from mixtune.store.recording import read_recording
from mixtune.tuning.replay import contestants, left_out, real_scores, replayer, stand_ins

FOLDER = Path(__file__).parents[2] / "benchmarks" / "recorded"
FILES = sorted(FOLDER.glob("*.jsonl.gz"))


def test_two_recordings_are_shipped() -> None:
    assert [path.name for path in FILES] == ["docstrings.jsonl.gz", "homes.jsonl.gz"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_recording_is_small_names_its_command_and_holds_no_place_of_a_machine(path: Path) -> None:
    assert path.stat().st_size < 1_000_000
    found = read_recording(path)
    assert found.command.startswith("python benchmarks/record.py ") and "torch" in found.versions
    for each in found.studies:
        assert not any("/" in place for source in each.study.sources for place in source.locations)
    assert "/work" not in gzip.decompress(path.read_bytes()).decode()
    assert len({each.study.prepared.key for each in found.studies}) == 1


def test_the_recorded_docstrings_tell_mixtures_apart_and_let_guided_searches_replay() -> None:
    found = replayer(read_recording(FOLDER / "docstrings.jsonl.gz").studies, 7.0, surfaces=1)
    assert found.surrogate.quality.spearman is not None and found.surrogate.quality.spearman > 0.9
    assert found.surrogate.quality.rmse < 1.5 * found.surrogate.seed_sd
    searches = contestants(None, 7.0)
    assert set(left_out(found, searches)) == {"expert"}  # there are no expert weights
    stood = {name: len(stand_ins(found, search)) for name, search in searches.items()}
    assert {name: count for name, count in stood.items() if count} == dict.fromkeys(
        ("doge", "doremi", "multidds", "tdro"), 3
    )


def test_the_recorded_docstrings_hold_real_searches_to_compare_with() -> None:
    real = real_scores(read_recording(FOLDER / "docstrings.jsonl.gz").studies, 7.0)
    assert {"infdds", "scout", "tpe", "gp", "cmaes", "random", "regmix", "proportional", "uniform"} <= set(real)
    assert len(real["tpe"]) == len(real["infdds"]) == 3
