"""Whether the workers of a study fit into memory, told before they start, and what to say when they did not."""

from mixtune.errors import ConfigError

WORKER = 1_000_000_000
"""Bytes that a worker takes at least, with its libraries and a small model loaded (1.0 to 1.5 GB were measured)."""

SIGNS = ("MemoryError", "allocate memory", "out of memory")
"""What the end of a run for want of memory says of itself."""


def require_memory(workers: int, available: int) -> None:
    """Refuse more workers than can start.

    Raises:
        ConfigError: there are fewer than WORKER bytes available for each.
    """
    if workers * WORKER > available:
        fit = available // WORKER
        lower = f"lower budget.workers to {fit}" if fit else "use another machine"
        raise ConfigError(
            f"budget.workers is {workers}, and each worker takes at least {WORKER / 1e9:g} GB of memory, but "
            f"{available / 1e9:.1f} GB are free: {lower}, or end other programs"
        )


def memory_advice(reason: str) -> str:
    """What to change about a study that ended for this reason, "" if memory had no part in it."""
    if not any(sign in reason for sign in SIGNS):
        return ""
    return (
        " Its workers had too little memory: end other programs, or lower budget.workers or proxy.batch_size in the "
        "study file and give the study another `name`."
    )
