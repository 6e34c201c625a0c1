"""A process that behaves like a tuner on a database; the tests kill, stop and race it.

write URL:        drive study `homes` for ever, saying `N STATE` on stdout once that is committed
race URL:         wait for a line on stdin, then try for the study; say `fence N` or `held`, keep it until stdin ends
open URL:         wait for a line on stdin, then open the database (which makes its tables) and say `open`
hold URL:         take the study, say `fence N`, wait for a line, then write; say `written` or `lost`
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "contracts"))

from store_contract import SCORES, finish, make_trial

from mixtune.errors import LeaseHeld, LeaseLost
from mixtune.store.base import Store
from mixtune.store.lease import process_owner
from mixtune.store.sql import open_store
from mixtune.study import StudyState


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def write(store: Store) -> None:
    lease = store.acquire("homes", process_owner())
    number = len(store.trials("homes"))
    while True:
        trial = make_trial(number)
        if number % 3:
            store.add_trial(lease, trial)
        else:
            store.update_study(lease, state=StudyState.RUNNING, reason=f"trial {number}", add=[trial])
        say(number, "running")
        store.update_trial(lease, replace(finish(trial), seen=number), SCORES)
        say(number, "complete")
        number += 1


def race(store: Store) -> None:
    say("ready")
    sys.stdin.readline()
    try:
        say("fence", store.acquire("homes", process_owner()).fence)
    except LeaseHeld:
        say("held")
    sys.stdin.read()


def hold(store: Store) -> None:
    lease = store.acquire("homes", process_owner())
    say("fence", lease.fence)
    sys.stdin.readline()
    try:
        store.add_trial(lease, make_trial(0))
        say("written")
    except LeaseLost:
        say("lost")


if __name__ == "__main__":
    _, what, url = sys.argv
    if what == "open":
        say("ready")
        sys.stdin.readline()
        open_store(url).close()
        say("open")
    else:
        {"write": write, "race": race, "hold": hold}[what](open_store(url))
