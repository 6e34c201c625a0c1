"""What a person should know about a study's data before trusting what is measured on it."""

from collections.abc import Mapping

from mixtune.study import Study
from mixtune.training.data.texts import SourceText
from mixtune.training.prepared import Prepared


def notes_of(study: Study, sources: Mapping[str, SourceText], prepared: Prepared) -> tuple[str, ...]:
    """Sentences about what was left out, what dev ranks against, and how widely teachers' margins spread.

    Args:
        study: whose teachers they are.
        sources: texts of the sources that mixtures may use, prompted.
        prepared: the arrays that were made of them.
    """
    return (*_left_out(sources, prepared), *_taught(study, prepared))


def _left_out(sources: Mapping[str, SourceText], prepared: Prepared) -> list[str]:
    notes = []
    for name, text in sources.items():
        if text.dropped:
            notes.append(f"source {name!r}: {text.dropped} pairs with an empty text were left out")
        notes += [f"source {name!r}: {note}" for note in text.notes]
        known = sum(map(len, text.negatives)) - len(prepared.sources[name].negatives)
        if known:
            notes.append(f"source {name!r}: {known} hard negatives are positives of the same query and were left out")
    for name, target in prepared.targets.items():
        if not target.dev.full:
            notes.append(
                f"target {name!r}: dev ranks {len(target.dev.documents)} of {len(target.test.documents)} documents"
                " (judged, top hits of the base model, random), test ranks all"
            )
    return notes


def _taught(study: Study, prepared: Prepared) -> list[str]:
    """How widely the margins of named teachers spread, and the base model's: losses may bring the first to the second.

    Studies of either Proxy.teacher_scale share a preparation, and so its notes.
    """
    proxy = study.proxy
    both = ((proxy.teacher, prepared.spread, "teacher"), (proxy.batch_teacher, prepared.batch_spread, "batch_teacher"))
    return [
        f"{role} {teacher.model}: its margins spread by {spread.teacher:.3g}, the base model's cosines by"
        f" {spread.cosine:.3g}; teacher_scale matched brings the margins to the spread of cosine / temperature"
        for teacher, spread, role in both
        if teacher is not None and spread is not None
    ]
