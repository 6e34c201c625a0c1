"""The study file: YAML in, a validated Study out, or every problem of the file at once with its line and field."""

from mixtune.config.home import Home, home
from mixtune.config.studyfile import StudyFile, load

__all__ = ["Home", "StudyFile", "home", "load"]
