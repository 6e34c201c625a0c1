"""The study file: YAML in, a validated Study out, or every problem of the file at once with its line and field."""

from mixtune.config.home import Home, home
from mixtune.config.studyfile import ComparisonFile, StudyFile, load, load_comparison

__all__ = ["ComparisonFile", "Home", "StudyFile", "home", "load", "load_comparison"]
