"""Where mixtune keeps what it computes."""

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path


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


def home() -> Home:
    """The folder named by MIXTUNE_HOME, else the user's data folder."""
    named = os.environ.get("MIXTUNE_HOME")
    return Home(Path(named).expanduser().resolve() if named else user_data_path("mixtune", appauthor=False))
