"""How Ray is started, fed and left behind. Its directory is scratch: nothing is ever restored from it."""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import ray
from ray import tune
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher as RaySearcher

from mixtune.study import Study
from mixtune.training.base import Trainer
from mixtune.tuning.trainable import Limits, run_trial

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_memory_monitor_refresh_ms": "0",  # its kill would end the whole fit; workers are bounded by rlimit instead
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AUTH_MODE": "disabled",  # the cluster is private to this process and listens on this host only
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_WARN_THRESHOLD_S": "60",
}

SCRATCH = "mixtune-ray-"
"""Beginning of the name of Ray's folder, in /tmp because Ray's socket paths must stay below 107 characters."""

STALE_SECONDS = 3600.0
"""Age at which the scratch folder of a process that is gone is removed."""

WORKER_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",
    "MALLOC_ARENA_MAX": "2",
    "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin while they wait make a busy machine many times slower
}


class WarmFIFO(FIFOScheduler):
    """First in, first out, keeping one warm worker per slot.

    With actors reused, Tune keeps only one idle actor when no trial waits, so every barrier of a chain would cost a
    cold start (torch, sentence-transformers and the model: 4-6 s). Reaches into one private attribute of Ray 2.60.
    """

    def __init__(self, workers: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.workers = workers
        self._raised = False

    def on_trial_add(self, tune_controller: Any, trial: RayTrial) -> None:  # noqa: ANN401 - Ray's own type is private
        """Raise the number of idle actors that are kept, once."""
        if not self._raised:
            tune_controller._actor_cache.increase_max(trial.placement_group_factory, by=self.workers)
            self._raised = True


@contextmanager
def cluster(workers: int) -> Iterator[Path]:
    """A private Ray on this host with one slot per worker; gives its scratch folder, removed at the end.

    A Ray that the caller has started already is used as it is.
    """
    _sweep()
    scratch = Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-", dir="/tmp"))
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    own = not ray.is_initialized()
    try:
        if own:
            os.environ.update(ENVIRONMENT)
            ray.init(
                address="local",
                num_cpus=workers,
                num_gpus=None,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=200_000_000,
                runtime_env={"env_vars": WORKER_ENVIRONMENT},
                _temp_dir=str(scratch),
            )
        yield scratch
    finally:
        if own:
            ray.shutdown()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        shutil.rmtree(scratch, ignore_errors=True)


def _sweep() -> None:
    """Remove the scratch folders that killed tuners have left behind."""
    for folder in Path("/tmp").glob(f"{SCRATCH}*"):
        owner = folder.name.removeprefix(SCRATCH).partition("-")[0]
        try:
            old = time.time() - folder.stat().st_mtime > STALE_SECONDS
        except FileNotFoundError:
            continue  # another tuner was quicker
        if old and owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def fit(study: Study, trainer: Trainer, searcher: RaySearcher, *, run: str, scratch: Path) -> None:
    """Run trials until the searcher says that it is finished, or the user interrupts.

    Raises:
        Exception: what the searcher raised when it was asked for the next trial.
    """
    workers = study.budget.workers
    limits = Limits(memory=int(psutil.virtual_memory().total * 0.9 / workers), threads=threads(study))
    gpus = ray.cluster_resources().get("GPU", 0.0)  # type: ignore[no-untyped-call]
    trainable = tune.with_resources(
        tune.with_parameters(run_trial, trainer=trainer, study=study, limits=limits),
        {"cpu": 1, "gpu": min(1.0, gpus / workers)},
    )
    tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=WarmFIFO(workers),
            num_samples=-1,
            max_concurrent_trials=workers,
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(name=run, storage_path=str(scratch / "results"), verbose=0),
    ).fit()


def threads(study: Study) -> int:
    """Torch threads per worker: its share of the cores, or one where the matrices are too small to be shared."""
    return 1 if study.proxy.trainable == "head" else max(1, (os.cpu_count() or 1) // study.budget.workers)


def _name(trial: RayTrial) -> str:
    """Ray would put the whole config into the name of a trial and of its folder."""
    return str(trial.trial_id)
