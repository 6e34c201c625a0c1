"""Every error that mixtune raises on purpose.

MixtuneError
├── ConfigError          a study file that cannot be used (file, field, allowed values, next step)
├── DataError            a source or target that cannot be read or is impossible
├── ModelError           a base model that is not there or cannot be trained as asked
├── ExportError          a recipe that the chosen format cannot hold
├── StoreError           the database cannot do what was asked
│   ├── StudyNotFound
│   ├── StudyExists      the name is taken by another specification
│   ├── LeaseHeld        another tuner drives the study
│   └── LeaseLost        this tuner was fenced off; its writes are refused
├── TrainingError        a run that cannot go on (a loss that is not finite, a lost checkpoint)
├── StudyStopped         the tuner gave up on a study, with the reason
├── NotReady             a searcher needs the answer of a trial that is still running
└── SearchExhausted      a searcher has nothing left to propose

Wrong arguments to functions raise ValueError. Messages hold the offending value, what is allowed and the next step.
"""


class MixtuneError(Exception):
    """Base of all errors that mixtune raises on purpose."""


class ConfigError(MixtuneError):
    """A study file that cannot be used."""


class DataError(MixtuneError):
    """A source or target that cannot be read, or that no run could use."""


class ModelError(MixtuneError):
    """A base model that is not there, is not the one it claims to be, or cannot be trained as asked."""


class ExportError(MixtuneError):
    """A recipe that the chosen format cannot hold, or a place that cannot be written."""


class StoreError(MixtuneError):
    """The database cannot do what was asked."""


class StudyNotFound(StoreError):
    """No study, or no comparison, of that name is in the database."""


class StudyExists(StoreError):
    """The name is taken by a study or comparison with another specification."""


class LeaseHeld(StoreError):
    """Another living tuner drives the study."""


class LeaseLost(StoreError):
    """This tuner was fenced off: another one took the study over, and nothing it writes is accepted."""


class TrainingError(MixtuneError):
    """A run that cannot go on."""


class StudyStopped(MixtuneError):
    """The tuner gave up on a study; the message says why."""


class NotReady(MixtuneError):
    """A searcher needs the answer of a trial that is still running: ask again when one has finished."""


class SearchExhausted(MixtuneError):
    """A searcher has nothing left to propose."""
