from dataclasses import dataclass, field
from pathlib import Path

from click.testing import Result
from scripted_tuner import ScriptedTuner
from typer.testing import CliRunner

from mixtune.cli import Parts, create_app
from mixtune.comparison import Comparison, Member
from mixtune.store.base import Store, StudyRecord
from mixtune.store.memory import MemoryStore
from mixtune.training.base import Trainer
from mixtune.tuning.comparing import Watch, run_members

STUDY = """\
name: duo
sources:
  alpha: {kind: docstrings, package: numpy}
  beta: {kind: docstrings, package: scipy}
targets:
  goal: {kind: docstrings, package: pandas}
search: {algorithm: random}
budget: {trials: 2}
"""


@dataclass
class Desk:
    """The commands over a store in memory and a tuner that trains nothing."""

    folder: Path
    store: MemoryStore = field(default_factory=MemoryStore)
    tuner: ScriptedTuner = field(default_factory=ScriptedTuner)
    opened: list[tuple[str, bool]] = field(default_factory=list)
    upgraded: list[str] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def open(self, url: str, *, create: bool = False) -> Store:
        self.opened.append((url, create))
        return self.store

    def compare(
        self,
        store: Store,
        comparison: Comparison,
        trainer: Trainer,
        *,
        artifacts: Path,
        watch: Watch,
        reuse: bool = True,
    ) -> list[StudyRecord]:
        def tuned(member: Member, record: StudyRecord) -> StudyRecord:
            with watch(member, record) as listener:
                return self.tuner(
                    store, record.study.name, trainer, artifacts=artifacts, listener=listener, reuse=reuse
                )

        return run_members(store, comparison, tuned)

    def write(self, text: str = STUDY) -> str:
        file = self.folder / "duo.yaml"
        file.write_text(text)
        return str(file)

    def __call__(self, *words: str) -> Result:
        parts = Parts(
            open_store=self.open,
            upgrade=self.upgraded.append,
            trainer=lambda cache: None,  # type: ignore[arg-type, return-value]
            tune=self.tuner,
            compare=self.compare,
            wait=self.waited.append,
            memory=lambda: 10**12,
        )
        return CliRunner().invoke(create_app(), list(words), obj=parts)
