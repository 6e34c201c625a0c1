"""Which libraries ran a study."""

import importlib.metadata
import platform

VERSIONS = ("mixtune", "ray", "optuna", "torch", "sentence-transformers", "transformers", "datasets", "numpy")


def versions() -> dict[str, str]:
    """Versions of the libraries that decide the results."""
    found = {name: importlib.metadata.version(name) for name in VERSIONS}
    return {"python": platform.python_version(), **found}
