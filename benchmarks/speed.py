"""How fast is mixtune? One subcommand per claim; each prints a table, and writes its figures with --json.

python benchmarks/speed.py training|overhead|trivial|suggest|listing [--quick] [--json FILE]
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue as Json

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)

Quick = Annotated[bool, typer.Option(help="Fewer repetitions.")]
File = Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")]


@app.callback()
def speed() -> None:
    """Measure how fast mixtune is."""


@app.command()
def training(
    quick: Quick = False,
    threads: Annotated[int | None, typer.Option(help="Threads to compute on; torch's choice if left out.")] = None,
    file: File = None,
) -> None:
    """A training step beside sentence-transformers' trainer."""
    import speed_training

    _write(file, speed_training.training(quick, threads))


@app.command()
def suggest(quick: Quick = False, file: File = None) -> None:
    """A proposal of every searcher after 1,000 trials."""
    import speed_suggest

    _write(file, speed_suggest.suggest(quick))


@app.command()
def overhead(quick: Quick = False, file: File = None) -> None:
    """A warm trial through the tuner beside its own training and evaluation run bare."""
    import speed_tuner

    _write(file, dict(speed_tuner.measured("overhead", quick)))


@app.command()
def trivial(quick: Quick = False, file: File = None) -> None:
    """A hundred trials that do nothing, on two warm workers."""
    import speed_tuner

    _write(file, dict(speed_tuner.measured("trivial", quick)))


@app.command()
def listing(quick: Quick = False, file: File = None) -> None:
    """Ten thousand trials listed from SQLite."""
    import speed_tuner

    _write(file, dict(speed_tuner.measured("listing", quick)))


def _write(file: Path | None, figures: dict[str, Json]) -> None:
    if file is not None:
        file.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    app()
