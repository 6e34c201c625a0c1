"""Which language texts are in, by a small naive Bayes model that comes with its package."""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

UNSURE = "und"
"""Code of texts that are too short or too strange to tell, as in ISO 639; `zxx` is no language at all."""

CONFIDENCE = 0.5
"""Below this probability a language is not believed (ours)."""

READ = 1000
"""Characters of a text that are looked at."""


def shares(texts: Iterable[str]) -> dict[str, float]:
    """Share of texts per language code (`en`, `de`, ...), largest first; empty if there are no texts."""
    identifier = _identifier()
    counts = Counter(identifier.classify(text[:READ])[0] for text in texts)
    return {str(code): count / counts.total() for code, count in sorted(counts.items(), key=lambda x: (-x[1], x[0]))}


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True, min_confidence=CONFIDENCE)
