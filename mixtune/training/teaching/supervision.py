"""Whether the sources of a study have what its loss and its batches learn from."""

from collections.abc import Mapping

from mixtune.errors import DataError
from mixtune.study import Study
from mixtune.training.data.texts import SourceText
from mixtune.training.losses import NEED_BATCH_TEACHER, NEED_TEACHER
from mixtune.training.prepared import Pairs


def require_supervision(study: Study, sources: Mapping[str, bool]) -> None:
    """Refuse a loss whose teacher or hard negatives are missing, and margin bins that no source has margins for.

    Args:
        study: may be unprepared.
        sources: whether a source has hard negatives with a teacher's scores: see `supervised` and `will_be_supervised`.

    Raises:
        DataError: names what is missing, and where.
    """
    loss, proxy, space = study.proxy.loss, study.proxy, study.space
    if loss in NEED_BATCH_TEACHER and proxy.batch_teacher is None:
        raise DataError(
            f"loss {loss!r} needs an in-batch teacher: name one as proxy.batch_teacher, or use loss: infonce"
        )
    bins = max(space.batching.margin_bins, *space.choices.get("margin_bins", (1,)))
    if bins > 1 and not (any(sources.values()) and proxy.negatives):
        raise DataError(
            f"margin_bins {bins:g} needs hard negatives with a teacher's scores, and no source has any: mine some"
            " (mine: 5) and name a proxy.teacher, set proxy.negatives to 1, or set margin_bins to 1"
        )
    if loss not in NEED_TEACHER:
        return
    if proxy.negatives < 1:
        raise DataError(f"loss {loss!r} compares with hard negatives: set proxy.negatives to 1 or more, it is 0")
    without = [name for name, found in sources.items() if not found]
    if without:
        raise DataError(
            f"loss {loss!r} needs hard negatives and teacher scores of every source, and these have none:"
            f" {', '.join(without)}; mine negatives (mine: 5) and name a proxy.teacher, add them to the data, take"
            " these sources out (weight: 0), or use loss: infonce"
        )


def supervised(sources: Mapping[str, Pairs]) -> dict[str, bool]:
    """Which prepared sources have hard negatives and a teacher's scores of them."""
    return {name: bool(pairs.teacher.size and pairs.negatives.size) for name, pairs in sources.items()}


def will_be_supervised(study: Study, sources: Mapping[str, SourceText]) -> dict[str, bool]:
    """Which sources will have hard negatives and a teacher's scores of them, as far as their texts tell."""
    mine = {source.name: source.mine for source in study.sources}
    named = study.proxy.teacher is not None
    return {
        name: (bool(text.teacher) and any(text.negatives)) or (named and (any(text.negatives) or bool(mine[name])))
        for name, text in sources.items()
    }
