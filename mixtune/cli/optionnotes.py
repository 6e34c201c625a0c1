"""What to know of a study's pruning and batching before it runs."""

from collections.abc import Iterator, Sequence

from mixtune.searchers import SEARCHERS, searcher_type
from mixtune.study import Study

USED_AT_FIRST = 0.625
"""Share of a source's queries in the first epoch of the dynamic schedule (arXiv 2603.17205)."""


def held_line(study: Study) -> str | None:
    """Which choices stay at their first value, None where the algorithm chooses them or none is open."""
    choices, name = study.space.choices, study.search.algorithm
    if not choices or searcher_type(name).chooses_options:
        return None
    said = ", ".join(f"{choice} {values[0]:g}" for choice, values in choices.items())
    choosers = ", ".join(sorted(other for other, searcher in SEARCHERS.items() if searcher.chooses_options))
    return (
        f"{name} does not choose pruning or batching and holds the first value of each list: {said} (these choose: "
        f"{choosers})"
    )


def mixed_line(study: Study) -> str | None:
    """What of the study's batching the runs of the search leave out since they mix sources, None where nothing."""
    name, batching, choices = study.search.algorithm, study.space.batching, study.space.choices
    none = {"topics": 0, "margin_bins": 1}
    asked = {"topics": batching.topics, "margin_bins": batching.margin_bins}
    left = [option for option, value in asked.items() if max((value, *choices.get(option, ()))) > none[option]]
    if not left or not searcher_type(name).mixes:
        return None
    return (
        f"{name} mixes sources in every batch of its runs, so batching.{' and batching.'.join(left)} "
        f"{'hold' if len(left) > 1 else 'holds'} for the baselines and the recommended recipe alone"
    )


def option_notes(study: Study) -> Iterator[str]:
    """One line for each thing that would not do what was asked for; the study is prepared."""
    yield from (line for line in (held_line(study), mixed_line(study)) if line)
    space, proxy = study.space, study.proxy
    topics = max(space.choices.get("topics", (space.batching.topics,)))
    if topics > 0 and proxy.loss == "infonce" and proxy.batch_teacher is None:
        yield (
            "batching.topics with loss infonce: batches of one topic hold more false negatives, and topics are known "
            "to help only with an in-batch teacher (proxy.batch_teacher)"
        )
    schedule = space.schedule
    if schedule is not None:
        drawn, facts = proxy.steps * proxy.batch_size, study.prepared.sources
        first = {
            name: facts[name].rows if schedule.method == "infobatch" else USED_AT_FIRST * facts[name].unique_queries
            for name in study.names
        }
        slow = [name for name, weight in study.proportional().items() if weight * drawn < first[name]]
        if slow:
            yield (
                f"pruning.method {schedule.method} has no effect before a whole epoch, and in proportion to size a "
                f"proxy run completes none of {_some(slow)}; allow more proxy.steps, or lower the sources' limit"
            )


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
