import importlib.metadata
import subprocess
import sys
from io import BytesIO, TextIOWrapper

import pytest
import typer
from desk import Desk
from typer.main import get_command

from mixtune.cli import create_app, main

VERBS = [
    "init",
    "sources",
    "check",
    "run",
    "compare",
    "resume",
    "ls",
    "show",
    "trials",
    "best",
    "report",
    "fidelity",
    "audit",
    "export",
    "replay",
    "rm",
    "db",
]

HEAVY = (
    *("torch", "ray", "sqlalchemy", "optuna", "datasets", "pandas", "sentence_transformers", "transformers", "pyarrow"),
    *("numpy", "scipy", "sklearn", "yaml", "cmaes", "plotly", "huggingface_hub"),
)


def test_the_verbs_are_those_of_a_studys_life() -> None:
    assert list(get_command(create_app()).commands) == VERBS


@pytest.mark.parametrize("words", [*([verb] for verb in VERBS), ["db", "upgrade"]], ids=" ".join)
def test_every_command_has_help(desk: Desk, words: list[str]) -> None:
    result = desk(*words, "--help")
    assert result.exit_code == 0
    assert len(result.output.split("\n\n")) > 2 or "Usage" in result.output


def test_every_command_and_option_says_what_it_is_for() -> None:
    def look(command: typer.core.TyperCommand | typer.core.TyperGroup, path: str) -> None:
        assert (command.help or "").strip(), path
        for option in command.params:
            if option.param_type_name == "option" and option.name != "help":
                assert getattr(option, "help", None), f"{path} {option.name}"
        for name, each in getattr(command, "commands", {}).items():
            look(each, f"{path} {name}")

    look(get_command(create_app()), "mixtune")


def test_the_list_of_commands_cuts_no_sentence_short_at_80_columns(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    listed = desk("--help").output.split("Commands:")[1]
    assert all(line.endswith(".") and not line.endswith("...") for line in listed.strip().splitlines())


def test_no_help_imports_anything_heavy() -> None:
    code = f"""
import sys
from mixtune.cli import create_app
app = create_app()
for words in ([], *([verb] for verb in {VERBS!r}), ["db", "upgrade"]):
    app([*words, "--help"], standalone_mode=False)
    heavy = {set(HEAVY)!r} & sys.modules.keys()
    if heavy:
        sys.exit(f"{{words}} --help imported {{heavy}}")
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.count("Usage:") == len(VERBS) + 2


def test_no_command_is_a_usage_error(desk: Desk) -> None:
    assert desk("runn").exit_code == 2
    assert "Usage" in desk().output


def test_signs_that_the_output_cannot_hold_do_not_end_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    out = TextIOWrapper(BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "argv", ["mixtune", "--help"])
    with pytest.raises(SystemExit):
        main()
    print("█ \ud800", file=out, flush=True)
    assert out.buffer.getvalue().endswith(b"\\u2588 \\ud800\n")  # type: ignore[attr-defined]


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        create_app()(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"mixtune {importlib.metadata.version('mixtune')}\n")
