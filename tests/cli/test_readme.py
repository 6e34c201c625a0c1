"""README keeps its promises: every command, algorithm and key stands there, and its examples are valid."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from mixtune.cli import create_app
from mixtune.config import load
from mixtune.config.schema import KINDS, BatchingEntry, PruningEntry
from mixtune.searchers import SEARCHERS
from mixtune.training.data.reading import READERS, read_source

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
APP = get_command(create_app())


def commands() -> list[str]:
    found = []
    for name, command in APP.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found.extend(f"{name} {word}" for word in inner) if inner else found.append(name)
    return found


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("command", commands())
def test_every_command_stands_in_readme(command: str) -> None:
    assert f"`mixtune {command}" in README


@pytest.mark.parametrize("algorithm", sorted(SEARCHERS))
def test_every_algorithm_stands_in_readme(algorithm: str) -> None:
    assert f"`{algorithm}`" in README


def test_the_study_file_in_readme_is_valid(tmp_path: Path) -> None:
    example = blocks("yaml")[0]
    for folder in ("nl2bash", "scifact", "newsgroups"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    path = tmp_path / "study.yaml"
    path.write_text(example)
    assert load(path).study.name == "support-search"


def test_the_sources_in_readme_can_be_copied_and_read(tmp_path: Path) -> None:
    (commands,) = (block for block in blocks("bash") if "END" in block)
    subprocess.run(["bash", "-e"], input=commands, cwd=tmp_path, text=True, check=True)
    example, entries = (yaml.safe_load(block) for block in blocks("yaml")[:2])
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**example, **entries, "space": {}}))
    study = load(path).study
    texts = {each.name: read_source(each, tmp_path / "cache") for each in study.sources if each.kind != "hub"}
    assert {name: len(text) for name, text in texts.items()} == {"faq": 2, "logs": 3, "graded": 2}
    assert texts["faq"].weights == (7.0, 2.0)
    assert texts["logs"].teacher == ((0.9, 0.2), (0.8, 0.1), (0.7, 0.1))
    assert texts["logs"].negatives[0] == ("passage: Cards are sent by post.",)
    assert texts["graded"].notes == ("1 pair with a score below 3 was left out",)


def test_the_pruning_study_in_readme_is_the_one_that_we_ship(tmp_path: Path) -> None:
    (example,) = (block for block in blocks("yaml") if "name: pruning" in block)
    path = tmp_path / "study.yaml"
    path.write_text(example)
    assert load(path) == load(ROOT / "studies" / "pruning.yaml")


@pytest.mark.parametrize("entry", [PruningEntry, BatchingEntry])
def test_every_key_of_pruning_and_batching_stands_in_readme(entry: type) -> None:
    assert [key for key in entry.__annotations__ if f"`{key}`" not in README] == []


def test_every_kind_of_data_stands_in_readme() -> None:
    assert [kind for kind in READERS if f"`{kind}`" not in README] == []
    assert sorted(KINDS) == sorted(READERS)


def test_the_python_in_readme_compiles_and_imports_what_there_is() -> None:
    for block in blocks("python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mixtune"):
                exec(compile(ast.Module([node], []), "README", "exec"), {})


def test_every_study_that_we_ship_is_valid() -> None:
    files = sorted((ROOT / "studies").glob("*.yaml"))
    assert [load(path).study.name for path in files] == [path.stem for path in files]
