"""Exporters by the name of their format."""

from mixtune.export.base import Exporter
from mixtune.export.mixture import export_mixture
from mixtune.export.sentence_transformers import export_sentence_transformers

EXPORTERS: dict[str, Exporter] = {
    "mixture": export_mixture,
    "sentence-transformers": export_sentence_transformers,
}
