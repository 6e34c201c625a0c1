import os
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from mixtune.store.lease import Owner, held, is_gone, process_owner


def mine() -> Owner:
    owner = Owner.parse(process_owner())
    assert owner is not None
    return owner


def test_a_process_names_itself_the_same_each_time_and_reads_back() -> None:
    assert process_owner() == process_owner() == str(mine())
    assert mine().pid == os.getpid()


def test_a_living_process_is_not_gone() -> None:
    assert not is_gone(process_owner())


def test_another_living_process_of_this_host_is_not_gone_until_it_ends() -> None:
    code = "import sys; from mixtune.store.lease import process_owner; print(process_owner(), flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    owner = process.stdout.readline().strip()
    assert not is_gone(owner)
    process.kill()
    deadline = time.monotonic() + 10
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert is_gone(owner)  # a zombie: killed, and its parent has not asked yet
    process.communicate()
    assert is_gone(owner)


def test_a_process_number_with_another_start_is_another_process() -> None:
    assert is_gone(str(replace(mine(), started="1")))


@pytest.mark.parametrize("owner", ["a colleague", "", "host 12 x y", "host twelve 3", "host -1 3"])
def test_an_owner_that_is_no_process_is_never_gone(owner: str) -> None:
    assert Owner.parse(owner) is None
    assert not is_gone(owner)


def test_a_process_of_another_host_is_never_gone() -> None:
    assert not is_gone(str(replace(mine(), host="elsewhere/boot/ns/me", pid=2**22 + 1)))


def test_the_answer_names_the_holder_and_how_long_it_may_last() -> None:
    message = str(held("homes", "gpu1/boot/ns/me 42 7", 12.0))
    assert "'homes' is driven by process 42 on gpu1, heard of 12 s ago" in message
    assert "ends in 18 s" in message
