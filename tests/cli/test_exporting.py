import json

from desk import STUDY, Desk

from mixtune.export import EXPORTERS


def test_the_best_recipe_is_exported(done: Desk) -> None:
    out = done.folder / "mixture.json"
    result = done("export", "duo", "--format", "mixture", "--out", str(out))
    assert result.exit_code == 0, result.output
    weights = {source["name"]: source["weight"] for source in json.loads(out.read_text())["sources"]}
    assert weights == {"alpha": 0.8, "beta": 0.2}
    assert f"Wrote {out}" in result.output.replace("\n", "")


def test_an_exported_script_comes_with_the_command_that_starts_it(done: Desk) -> None:
    folder = done.folder / "my training"
    output = done("export", "duo", "--format", "sentence-transformers", "--out", str(folder)).output
    assert f"Next: python '{folder / 'train.py'}' --output my-model" in output


def test_an_unknown_format_is_refused_with_the_nearest(done: Desk) -> None:
    result = done("export", "duo", "--format", "mixtur", "--out", "x")
    assert result.exit_code == 1
    assert "did you mean 'mixture'" in result.stderr


def test_help_names_every_format(desk: Desk) -> None:
    output = desk("export", "--help").output
    for name in EXPORTERS:
        assert name in output.replace("\n", " ")


def test_an_export_says_what_it_does_not_carry_over(desk: Desk) -> None:
    taught = "proxy: {loss: in-batch, batch_teacher: {model: m, kind: sentence-transformer}}\n"
    assert desk("run", desk.write(STUDY + taught)).exit_code == 0
    result = desk("export", "duo", "--format", "sentence-transformers", "--out", str(desk.folder / "out"))
    assert result.exit_code == 0, result.output
    assert "Warning: not carried over: loss in-batch for want of its in-batch teacher" in result.stderr
    assert "not carried over" not in desk("export", "duo", "--out", str(desk.folder / "m.json")).output
