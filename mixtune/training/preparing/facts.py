"""What reading the data of a study showed, as it goes into the record."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from mixtune.source import SourceFacts
from mixtune.target import TargetFacts
from mixtune.training.data.texts import SourceText, TargetText
from mixtune.training.prepared import Pairs, PreparedTarget


def source_facts(
    texts: Mapping[str, SourceText],
    pairs: Mapping[str, Pairs],
    lengths: npt.NDArray[np.int32],
    left_out: Mapping[str, tuple[int, ...]],
) -> dict[str, SourceFacts]:
    """Facts about each source; lengths are the tokens per text of the feature table, left_out rows taken out before."""
    return {
        name: SourceFacts(
            rows=len(text),
            unique_queries=len(set(text.queries)),
            tokens_per_pair=float((lengths[pairs[name].queries] + lengths[pairs[name].documents]).mean()),
            sha256=text.sha256,
            revision=text.revision,
            left_out=left_out.get(name, ()),
        )
        for name, text in texts.items()
    }


def target_facts(texts: Mapping[str, TargetText], prepared: Mapping[str, PreparedTarget]) -> dict[str, TargetFacts]:
    """Facts about each target."""
    return {
        name: TargetFacts(
            dev_queries=len(text.dev.queries),
            test_queries=len(text.test.queries),
            documents=len(text.corpus),
            dev_pool=len(prepared[name].dev.documents),
            sha256=text.sha256,
        )
        for name, text in texts.items()
    }
