"""How a look that is asked for differs from the stored one, in the words of the command line."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mixtune.errors import StudyExists

if TYPE_CHECKING:
    from mixtune.searchers.listed import Listed
    from mixtune.study import Study


def refuse_others(stored: "Mapping[str, Study]", wanted: "Sequence[Study]", of: str, hint: str) -> None:
    """Refuse looks into study `of` where one is stored under the same name that was asked for otherwise.

    Raises:
        StudyExists: names the options with both values, and one command that removes all that is in the way.
    """
    from mixtune.cli.specification import differences

    other = [look for look in wanted if look.name in stored and differences(stored[look.name], look)]
    if not other:
        return
    options = list(dict.fromkeys(said for look in other for said in _options(stored[look.name], look)))
    lasting = list(dict.fromkeys(said for look in other for said in _lasting(stored[look.name], look, of)))
    if not options and not lasting:
        fields = sorted({field for look in other for field, _, _ in differences(stored[look.name], look)})
        lasting = [f"they differ in {', '.join(fields)}"]
    names = [look.name for look in other]
    way = " && ".join(f"mixtune rm {name}{hint}" for name in names)
    raise StudyExists(
        f"{' and '.join(names)} {'exists' if len(names) == 1 else 'exist'}, asked for otherwise: "
        f"{'; '.join((*options, *lasting))}. {'Remove' if lasting else 'Ask as before, or remove'} what is there with "
        f"`{way}`"
    )


def _options(stored: "Study", wanted: "Study") -> Iterator[str]:
    """The options of the two that differ."""
    before, now = _listed(stored), _listed(wanted)
    audited = [
        list(dict.fromkeys(str(entry.notes["source"]) for entry in each.recipes if "source" in entry.notes))
        for each in (before, now)
    ]
    if any(audited):
        if audited[0] != audited[1]:
            yield f"--top or --all (it changed {', '.join(audited[0])}, now {', '.join(audited[1])})"
    elif len(before.recipes) != len(now.recipes):
        yield f"--recipes was {len(before.recipes)}, now {len(now.recipes)}"
    if before.replicates != now.replicates:
        yield f"--seeds was {before.replicates}, now {now.replicates}"
    for option, was, then in (
        ("--trainable", stored.proxy.trainable, wanted.proxy.trainable),
        ("--steps", stored.proxy.steps, wanted.proxy.steps),
    ):
        if was != then:
            yield f"{option} was {was}, now {then}"
    if stored.proxy.trainable == wanted.proxy.trainable and stored.proxy.rate != wanted.proxy.rate:
        yield f"--learning-rate was {stored.proxy.rate:g}, now {wanted.proxy.rate:g}"


def _lasting(stored: "Study", wanted: "Study", of: str) -> Iterator[str]:
    """What differs since the study that is looked into was searched on."""
    before, now = ({entry.label: entry for entry in _listed(each).recipes} for each in (stored, wanted))
    both = [label for label in before if label in now]
    if any(before[label].recipe != now[label].recipe for label in both):
        yield f"study {of!r} was searched on since, and recommends another recipe"
    elif any(before[label].notes != now[label].notes for label in both):
        yield f"study {of!r} was searched on since, and predicts other effects"


def _listed(look: "Study") -> "Listed":
    from mixtune.searchers import make
    from mixtune.searchers.listed import Listed

    found = make(look.search)
    if not isinstance(found, Listed):
        raise StudyExists(f"{look.name} is no look into a study: give one of the two another name")
    return found
