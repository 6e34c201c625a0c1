"""The command line: verbs over a study file and a database. Composes everything else."""

from mixtune.cli.app import create_app, main
from mixtune.cli.parts import Parts

__all__ = ["Parts", "create_app", "main"]
