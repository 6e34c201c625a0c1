import ast
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer.losses import MarginMSELoss, MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from torch.utils.data import ConcatDataset, SequentialSampler

from mixtune.batching import Batching
from mixtune.errors import ExportError
from mixtune.export import EXPORTERS
from mixtune.export.base import ExportRequest
from mixtune.export.sentence_transformers import loss_of, script_of
from mixtune.mixture_file import read_mixture
from mixtune.prompts import Prompts
from mixtune.proxy import Proxy
from mixtune.pruning import Pruning, Schedule
from mixtune.recipe import Mixture, Recipe
from mixtune.source import Columns, Source, SourceFacts
from mixtune.study import Study
from mixtune.teacher import Teacher
from mixtune.training.batches import RecipeBatchSampler, sampler_from
from mixtune.training.data.reading import read_source
from mixtune.training.losses import LOSSES

Features = dict[str, torch.Tensor]
Ask = Callable[[Path], ExportRequest]
EXPORT = EXPORTERS["sentence-transformers"]
TEACHER = Teacher("some/model", "cross-encoder")


def built(sampler: Callable[..., RecipeBatchSampler], sizes: list[int]) -> RecipeBatchSampler:
    parts = [list(range(size)) for size in sizes]
    samplers = [DefaultBatchSampler(SequentialSampler(part), 4, False) for part in parts]
    return sampler(ConcatDataset(parts), batch_samplers=samplers, generator=torch.Generator(), seed=5)


def checked(folder: Path) -> str:
    """What ruff has to say of the script in a folder, nothing where it is clean."""
    command = ["check", "--isolated", "--select", "E,F,I,UP,B,D,ANN,SIM,RUF", "--ignore", "D203,D213"]
    command += ["--line-length", "120", "--target-version", "py311", "train.py"]
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", *command], cwd=folder, capture_output=True, text=True, check=False
    )
    return "" if ruff.returncode == 0 else ruff.stdout + ruff.stderr


def test_the_folder_holds_the_mixture_and_the_script(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path / "new" / "folder")
    assert EXPORT(request) == [request.out / "mixture.json", request.out / "train.py"]
    assert read_mixture(request.out / "mixture.json").recipe == request.recipe


def test_the_script_is_clean_python(asked: Ask, tmp_path: Path) -> None:
    EXPORT(asked(tmp_path))
    assert checked(tmp_path) == ""


def test_the_script_trains_as_the_study_did(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path)
    request = replace(request, study=replace(request.study, model='odd "name"\\'))
    constants = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(script_of(request)).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id != "MIXTURE"
    }
    assert constants == {
        "MODEL": 'odd "name"\\',
        "TEMPERATURE": 0.02,
        "MAX_LENGTH": 64,
        "LEARNING_RATE": 3e-5,
        "SEED": 5,
        "NOT_CARRIED_OVER": (),
    }


def test_a_rate_that_was_searched_with_the_whole_model_is_kept(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path)
    proxy = replace(request.study.proxy, trainable="all", learning_rate=7e-5)
    assert "LEARNING_RATE = 7e-05\n" in script_of(replace(request, study=replace(request.study, proxy=proxy)))


def test_exporting_again_replaces_the_export_and_keeps_what_was_trained(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path / "out")
    EXPORT(request)
    (tmp_path / "out" / "model.bin").write_text("trained for days")
    EXPORT(replace(request, recipe=Recipe(Mixture({"homes": 1.0}))))
    assert read_mixture(tmp_path / "out" / "mixture.json").recipe.mixture["homes"] == 1.0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mixture.json", "model.bin", "train.py"]


def test_a_folder_with_something_else_in_it_is_left_alone(asked: Ask, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("mine")
    with pytest.raises(ExportError, match="give a new or empty folder as --out"):
        EXPORT(asked(tmp_path))
    assert (tmp_path / "train.py").read_text() == "mine"


def test_a_file_as_out_is_refused(asked: Ask, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(ExportError, match="is a file: give a folder"):
        EXPORT(asked(tmp_path / "out"))


def test_the_sampler_of_an_export_draws_its_weights_over_the_final_budget(asked: Ask, tmp_path: Path) -> None:
    EXPORT(asked(tmp_path))
    sampler = built(sampler_from(tmp_path / "mixture.json"), [153, 90, 6])
    assert len(sampler) == 120
    list(sampler)
    shares = {name: drawn.batches / 120 for name, drawn in sampler.receipt().items()}
    assert shares == pytest.approx({"homes": 1 / 3, "wide web": 1 / 7, "tiny": 11 / 21}, abs=0.15)


def test_the_sampler_takes_the_order_of_the_datasets(asked: Ask, tmp_path: Path) -> None:
    EXPORT(asked(tmp_path))
    sampler = built(sampler_from(tmp_path / "mixture.json", ["tiny", "homes", "wide web"]), [6, 153, 90])
    assert sum(batch[0] < 6 for batch in sampler) == sampler.receipt()["tiny"].batches > 40


def test_datasets_in_another_order_than_the_file_are_refused(asked: Ask, tmp_path: Path) -> None:
    EXPORT(asked(tmp_path))
    with pytest.raises(ValueError, match="source 'homes' must have 153 rows, its dataset has 90"):
        built(sampler_from(tmp_path / "mixture.json"), [90, 153, 6])


def test_pruning_that_was_not_applied_is_refused(asked: Ask, tmp_path: Path) -> None:
    EXPORT(asked(tmp_path))
    with pytest.raises(ValueError, match="that static pruning was applied"):
        built(sampler_from(tmp_path / "mixture.json"), [300, 90, 6])


def test_pruning_by_row_numbers_fits_the_file(asked: Ask, tmp_path: Path) -> None:
    EXPORT(asked(tmp_path))
    kept = list(range(100, 253))
    sampler = built(sampler_from(tmp_path / "mixture.json", rows={"homes": kept}), [300, 90, 6])
    homes = {row for batch in sampler for row in batch if row < 300}
    assert homes <= set(kept)
    assert len(homes) > 100


def test_names_that_do_not_fit_the_file_are_refused(asked: Ask, tmp_path: Path) -> None:
    EXPORT(asked(tmp_path))
    with pytest.raises(ValueError, match="knows no source web; it has homes, wide web, tiny"):
        sampler_from(tmp_path / "mixture.json", ["homes", "web", "tiny"])
    with pytest.raises(ValueError, match="gives weight to tiny: add it to the training DatasetDict"):
        sampler_from(tmp_path / "mixture.json", ["homes", "wide web"])


def run_here(script: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    runpy.run_path(str(script), run_name="__main__")


def test_the_exported_script_trains_by_itself_and_resumes_obeying_the_weights(
    asked: Ask,
    tmp_path: Path,
    model_folder: Path,
    two_sources: Study,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = Recipe(Mixture({"big": 0.3, "tiny": 0.7}), Pruning({"big": 0.5}))
    request = replace(asked(tmp_path / "export"), study=two_sources, recipe=recipe)
    EXPORT(request)
    out = request.out / "run"
    options = ["--model", str(model_folder), "--output", str(out)]
    first = subprocess.run(
        [sys.executable, "train.py", *options, "--max-steps", "60"],
        cwd=request.out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert first.returncode == 0, first.stderr
    assert (out / "checkpoint-60").is_dir()
    run_here(request.out / "train.py", monkeypatch, *options, "--max-steps", "100", "--resume")

    receipt = json.loads((out / "receipt.json").read_text())
    assert sum(drawn["batches"] for drawn in receipt.values()) == 100
    assert 10 < receipt["big"]["unique_rows"] <= 20
    assert abs(receipt["big"]["batches"] / 100 - 0.3) < 4 * (0.3 * 0.7 / 100) ** 0.5
    assert receipt["tiny"]["epochs"] == receipt["tiny"]["batches"]
    printed = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("big")]
    batches = receipt["big"]["batches"]
    assert printed == [["big", "0.3000", f"{batches / 100:.4f}", str(batches), f"{batches * 4 / 20:.2f}"]]
    assert (out / "model" / "modules.json").is_file()


def test_the_receipt_holds_sources_that_were_not_drawn_with_their_notes(
    asked: Ask, tmp_path: Path, model_folder: Path, with_negatives: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(Mixture({"hard": 1e-9, "tiny": 1 - 1e-9}))
    request = replace(asked(tmp_path / "export"), study=with_negatives, recipe=recipe)
    EXPORT(request)
    out = request.out / "run"
    options = ["--model", str(model_folder), "--output", str(out), "--max-steps", "2"]
    run_here(request.out / "train.py", monkeypatch, *options)
    receipt = json.loads((out / "receipt.json").read_text())
    assert (receipt["hard"]["batches"], receipt["tiny"]["batches"]) == (0, 2)
    assert "its row weights are not used" in receipt["hard"]["notes"][0]


@pytest.mark.parametrize(
    "precision, native, expected",
    [("auto", True, "bf16"), ("auto", False, "fp32"), ("bf16", False, "bf16"), ("fp32", True, "fp32")],
)
def test_the_exported_script_computes_as_the_proxies_do(
    asked: Ask,
    tmp_path: Path,
    model_folder: Path,
    two_sources: Study,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    precision: str,
    native: bool,
    expected: str,
) -> None:
    study = replace(two_sources, proxy=replace(two_sources.proxy, precision=precision))
    request = replace(asked(tmp_path / "export"), study=study, recipe=Recipe(Mixture({"big": 1.0})))
    EXPORT(request)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native})
    seen: set[bool] = set()
    forward = StaticEmbedding.forward

    def watched(self: StaticEmbedding, features: Features, **options: object) -> Features:
        seen.add(torch.is_autocast_enabled("cpu"))
        return forward(self, features, **options)

    monkeypatch.setattr(StaticEmbedding, "forward", watched)
    options = ["--model", str(model_folder), "--output", str(request.out / "run"), "--max-steps", "2"]
    run_here(request.out / "train.py", monkeypatch, *options)
    assert seen == {expected == "bf16"}
    assert f"precision: {expected} (the mixture file says {precision})\n" in capsys.readouterr().out


def test_the_exported_script_trains_on_the_texts_of_the_study_with_their_prompts(
    asked: Ask, tmp_path: Path, two_sources: Study
) -> None:
    prompted = tuple(replace(source, prompts=Prompts("query: ", "passage: ")) for source in two_sources.sources)
    texts = {source.name: read_source(source, tmp_path / "home" / "cache") for source in prompted}
    facts = {name: replace(each, sha256=texts[name].sha256) for name, each in two_sources.prepared.sources.items()}
    study = replace(two_sources, sources=prompted, preparation=replace(two_sources.prepared, sources=facts))
    request = replace(asked(tmp_path / "export"), study=study, recipe=Recipe(Mixture({"tiny": 1.0})))
    EXPORT(request)
    script = runpy.run_path(str(request.out / "train.py"))
    (tiny,) = read_mixture(request.out / "mixture.json").drawn
    dataset, notes = script["examples"](tiny, 1, None)
    assert (dataset.column_names, notes) == (["anchor", "positive"], [])
    assert dataset["anchor"][:] == [f"query: w{i} w{i + 1}" for i in range(3)]
    assert dataset["positive"][:] == [f"passage: w{i} w{i + 2} w{i + 3}" for i in range(3)]


def test_the_exported_script_refuses_other_data_than_the_study_read(
    asked: Ask, tmp_path: Path, model_folder: Path, two_sources: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = dict(two_sources.prepared.sources) | {"tiny": SourceFacts(3, 3, 4.0, "something else")}
    study = replace(two_sources, preparation=replace(two_sources.prepared, sources=facts))
    request = replace(asked(tmp_path / "export"), study=study, recipe=Recipe(Mixture({"tiny": 1.0})))
    EXPORT(request)
    with pytest.raises(SystemExit, match=r"source tiny at beir:.* is not what the study read"):
        run_here(request.out / "train.py", monkeypatch, "--model", str(model_folder))


def scored_rows() -> list[dict[str, object]]:
    """20 rows with three hard negatives, one, or none, a teacher's scores for all of them, and weights."""
    rows: list[dict[str, object]] = []
    for i in range(20):
        negatives = [f"w{i + j} w40" for j in range(1, 4)][: (3, 1, 0)[i % 3]]
        scores = [9.0, *(1.0 + j for j in range(len(negatives)))]
        row = {"query": f"w{i} w{i + 1}", "positive": f"w{i} w{i + 2}", "negative": negatives, "scores": scores}
        rows.append(row | {"weight": 1.0 + i % 2})
    return rows


@pytest.fixture
def with_negatives(two_sources: Study, tmp_path: Path) -> Study:
    """A study of `hard`, whose rows have hard negatives, and `tiny`, whose rows have none."""
    path = tmp_path / "hard.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in scored_rows()))
    columns = Columns("query", ("positive",), ("negative",), ("scores",), "weight")
    hard = Source("hard", "jsonl", str(path), columns=columns)
    text = read_source(hard, tmp_path / "home" / "cache")
    facts = {"hard": SourceFacts(20, 20, 6.0, text.sha256), "tiny": two_sources.prepared.sources["tiny"]}
    return replace(
        two_sources,
        sources=(hard, two_sources.sources[1]),
        proxy=replace(two_sources.proxy, negatives=2),
        preparation=replace(two_sources.prepared, sources=facts),
    )


def test_the_exported_script_trains_on_hard_negatives_where_a_source_has_them(
    asked: Ask,
    tmp_path: Path,
    model_folder: Path,
    with_negatives: Study,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = Recipe(Mixture({"hard": 0.5, "tiny": 0.5}), Pruning({"hard": 0.5}))
    request = replace(asked(tmp_path / "export"), study=with_negatives, recipe=recipe)
    EXPORT(request)
    out = request.out / "run"
    seen: set[int] = set()
    forward = MultipleNegativesRankingLoss.forward

    def watched(self: MultipleNegativesRankingLoss, features: list[Features], labels: torch.Tensor) -> torch.Tensor:
        features = list(features)
        seen.add(len(features))
        return forward(self, features, labels)

    monkeypatch.setattr(MultipleNegativesRankingLoss, "forward", watched)
    options = ["--model", str(model_folder), "--output", str(out), "--max-steps", "12"]
    run_here(request.out / "train.py", monkeypatch, *options)

    assert seen == {4, 2}  # embeddings per row: with two negatives, and of pairs alone
    receipt = json.loads((out / "receipt.json").read_text())
    assert sum(drawn["batches"] for drawn in receipt.values()) == 12
    assert receipt["hard"]["unique_rows"] <= 10
    assert receipt["tiny"]["notes"] == []
    weights, lacking = receipt["hard"]["notes"]
    assert "its row weights are not used" in weights
    assert "6 of 20 rows have no hard negative, and bring documents of other queries" in lacking
    printed = capsys.readouterr().out
    assert "source hard: columns anchor, positive, negative_1, negative_2\n" in printed
    assert f"warning: source hard: {weights}\n" in printed


def test_the_exported_script_of_a_margin_mse_study_learns_the_margins_of_the_teacher(
    asked: Ask,
    tmp_path: Path,
    model_folder: Path,
    with_negatives: Study,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    proxy = replace(with_negatives.proxy, loss="margin-mse", temperature=0.05, precision="fp32")
    study = replace(with_negatives, proxy=proxy)
    request = replace(asked(tmp_path / "export"), study=study, recipe=Recipe(Mixture({"hard": 1.0})))
    EXPORT(request)
    seen: list[tuple[list[float], float]] = []
    compute = MarginMSELoss.compute_loss_from_embeddings

    def watched(self: MarginMSELoss, embeddings: list[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        loss = compute(self, embeddings, labels)
        query, positive, *negatives = (F.normalize(each.detach(), dim=1).double() for each in embeddings)
        margins = torch.stack([((query * (positive - each)).sum(dim=1) / 0.05) for each in negatives], dim=1)
        expected = ((margins - (labels[:, :1] - labels[:, 1:])) ** 2).mean()
        seen.append((sorted({*labels.flatten().tolist()}), float(loss.detach() / expected)))
        return loss

    monkeypatch.setattr(MarginMSELoss, "compute_loss_from_embeddings", watched)
    options = ["--model", str(model_folder), "--output", str(request.out / "run"), "--max-steps", "5"]
    run_here(request.out / "train.py", monkeypatch, *options)
    assert len(seen) == 5
    (said,) = re.findall(r"teacher margins are divided by ([0-9.]+): then they spread", capsys.readouterr().out)
    assert float(said) != pytest.approx(1.0, rel=0.1)
    given = sorted({score for scores, _ in seen for score in scores})
    assert given == pytest.approx([score / float(said) for score in (1.0, 2.0, 3.0, 9.0)], rel=0.01)
    assert [ratio for _, ratio in seen] == pytest.approx([1.0] * 5, abs=1e-4)


def test_the_script_of_a_margin_mse_study_is_clean_python_and_has_no_other_loss(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path)
    proxy = replace(request.study.proxy, loss="margin-mse")
    script = script_of(replace(request, study=replace(request.study, proxy=proxy)))
    assert "MultipleNegativesRankingLoss" not in script
    (tmp_path / "train.py").write_text(script)
    assert checked(tmp_path) == ""


DYNAMIC = Pruning({"big": 0.5}, Schedule())


def test_a_schedule_is_not_carried_over_and_the_script_says_so_in_print_and_in_the_receipt(
    asked: Ask,
    tmp_path: Path,
    model_folder: Path,
    two_sources: Study,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = Recipe(Mixture({"big": 0.5, "tiny": 0.5}), DYNAMIC)
    request = replace(asked(tmp_path / "export"), study=two_sources, recipe=recipe)
    EXPORT(request)
    assert checked(request.out) == ""
    out = request.out / "run"
    run_here(
        request.out / "train.py", monkeypatch, "--model", str(model_folder), "--output", str(out), "--max-steps", "8"
    )
    printed, receipt = capsys.readouterr().out, json.loads((out / "receipt.json").read_text())
    lost = "not carried over: pruning schedule dynamic, which needs scores of the model as it trains"
    assert f"warning: {lost}" in printed
    assert all(lost in drawn["notes"][0] for drawn in receipt.values())
    assert receipt["big"]["unique_rows"] <= 20  # static pruning is carried over


def test_a_sampler_in_a_script_of_ones_own_warns_of_what_it_leaves_out(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path)
    topics = replace(request.recipe, batching=Batching(topics=200))
    EXPORT(replace(request, recipe=topics))
    with pytest.warns(UserWarning, match="not carried over from .*: topics of about 200 queries"):
        sampler_from(tmp_path / "mixture.json")


@pytest.mark.parametrize(
    "proxy, loss, said",
    [
        (Proxy(loss="margin-mse"), "margin-mse", None),
        (Proxy(loss="dual", batch_teacher=TEACHER), "margin-mse", "loss dual for want of its in-batch teacher"),
        (Proxy(loss="in-batch", batch_teacher=TEACHER), "infonce", "loss in-batch for want of its in-batch teacher"),
        (Proxy(loss="margin-mse", teacher=TEACHER), "infonce", "loss margin-mse for want of its teacher's scores"),
        (Proxy(batch_teacher=TEACHER), "infonce", "what proxy.batch_teacher says is no negative"),
        (Proxy(), "infonce", None),
    ],
)
def test_a_loss_that_sentence_transformers_lacks_is_replaced_with_a_word(
    proxy: Proxy, loss: str, said: str | None
) -> None:
    found, lost = loss_of(proxy)
    assert found == loss
    assert lost is None if said is None else lost is not None and said in lost


def test_every_loss_of_a_study_has_a_script(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path)
    for loss in LOSSES:
        proxy = replace(request.study.proxy, loss=loss, teacher=TEACHER, batch_teacher=TEACHER)
        (tmp_path / "train.py").write_text(script_of(replace(request, study=replace(request.study, proxy=proxy))))
        assert checked(tmp_path) == ""


def test_the_script_scales_a_teachers_margins_where_the_study_did(asked: Ask, tmp_path: Path) -> None:
    request = asked(tmp_path)
    for scale in ("matched", "raw"):
        proxy = replace(request.study.proxy, loss="margin-mse", teacher_scale=scale)
        script = script_of(replace(request, study=replace(request.study, proxy=proxy)))
        assert "MarginMSELoss" in script
        assert ("scaled(" in script) == (scale == "matched")


def test_the_exported_script_mines_the_negatives_that_the_study_mined(
    asked: Ask, tmp_path: Path, model_folder: Path, two_sources: Study
) -> None:
    sources = tuple(replace(source, mine=2) for source in two_sources.sources)
    study = replace(two_sources, sources=sources)
    request = replace(asked(tmp_path / "export"), study=study, recipe=Recipe(Mixture({"big": 1.0})))
    EXPORT(request)
    script = runpy.run_path(str(request.out / "train.py"))
    (big,) = read_mixture(request.out / "mixture.json").drawn
    dataset, _ = script["examples"](big, 2, SentenceTransformer(str(model_folder), device="cpu"))
    assert dataset.column_names == ["anchor", "positive", "negative_1", "negative_2"]
    documents, mined = set(dataset["positive"][:]), [*dataset["negative_1"][:], *dataset["negative_2"][:]]
    assert set(mined) <= documents
    assert all(negative != positive for negative, positive in zip(mined, 2 * dataset["positive"][:], strict=True))
