"""What the losses and margin bins of a study file need of its sources and teachers."""

from collections.abc import Iterator

from mixtune.config.options import highest
from mixtune.config.problems import Problem
from mixtune.config.schema import KINDS, SourceEntry, StudyEntry

PAIRWISE = ("dual", "margin-mse")
"""Losses that compare each pair's positive with its hard negatives, as a teacher scores them."""

IN_BATCH = ("dual", "in-batch")
"""Losses that an in-batch teacher teaches."""

_MINE = "mine some (mine: 5 in the source)"


def teaching_problems(entry: StudyEntry) -> Iterator[Problem]:
    """Losses and margin bins whose teacher or hard negatives cannot be there, as far as the file alone tells."""
    proxy = entry.get("proxy", {})
    loss = proxy.get("loss", "infonce")
    sources = {name: each for name, each in entry.get("sources", {}).items() if each.get("weight") != 0}
    named = "teacher" in proxy
    if loss in IN_BATCH and "batch_teacher" not in proxy:
        text = (
            f"proxy.loss is {loss!r}, which an in-batch teacher teaches; add proxy.batch_teacher with its model and "
            "kind, or use loss: infonce"
        )
        yield Problem(("proxy", "loss"), text)
    if loss in PAIRWISE and proxy.get("negatives", 1) == 0:
        text = f"proxy.loss is {loss!r}, which compares with hard negatives, and proxy.negatives is 0; set it to 1"
        yield Problem(("proxy", "negatives"), text)
    without = [name for name, each in sources.items() if not _may_have_margins(each, named)]
    if loss in PAIRWISE and without:
        lacks = f"{_MINE}, or take them out (weight: 0)" if named else f"{_MINE}, and name a proxy.teacher"
        text = (
            f"proxy.loss is {loss!r}, and these sources bring no scored hard negatives: {', '.join(without)}; {lacks}"
        )
        yield Problem(("proxy", "loss"), text)
    usable = proxy.get("negatives", 1) > 0 and "method" not in entry.get("pruning", {})
    bins = highest(entry.get("batching", {}), "margin_bins", 1)
    if bins > 1 and usable and sources and len(without) == len(sources):
        text = (
            f"batching.margin_bins needs hard negatives with a teacher's scores, and no source has any; {_MINE} and "
            "name a proxy.teacher, or leave it out"
        )
        yield Problem(("batching", "margin_bins"), text)


def _may_have_margins(source: SourceEntry, named: bool) -> bool:
    """Whether a source may have hard negatives with scores: tables may bring both, of what is mined a teacher must."""
    table = "columns" in KINDS[source["kind"]].source
    return table or (named and source.get("mine", 0) > 0)
