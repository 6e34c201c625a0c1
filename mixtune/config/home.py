"""Where mixtune keeps what it computes."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from mixtune.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of everything that is kept between runs besides the database; it may be deleted at any time.

    cache holds what preparation computed, by content; artifacts holds the checkpoints of chains.
    """

    root: Path

    @property
    def cache(self) -> Path:
        """Tokens, embeddings and prepared studies, shared by all studies."""
        return self.root / "cache"

    @property
    def artifacts(self) -> Path:
        """Checkpoints, one folder per study."""
        return self.root / "artifacts"

    def ready(self) -> "Home":
        """Make the folder, and see that it can be written to.

        Raises:
            ConfigError: it cannot; says why and what to do.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise ConfigError(
                f"{self.root}, where mixtune keeps what it computes, cannot be written ({error.strerror}): "
                f"set MIXTUNE_HOME to a folder that can"
            ) from error
        return self


def home() -> Home:
    """The folder named by MIXTUNE_HOME, else the user's data folder."""
    named = os.environ.get("MIXTUNE_HOME")
    return Home(Path(named).expanduser().resolve() if named else user_data_path("mixtune", appauthor=False))
