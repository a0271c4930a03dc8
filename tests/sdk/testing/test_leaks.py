"""What is left behind is found, what just ends is waited for."""

from __future__ import annotations

import socket
import sys
import threading
import time

import pytest

from plugin_sdk.testing import Leaked, leak_check


def test_nothing_left() -> None:
    with leak_check():
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        with socket.socket():
            pass


def test_a_thread_that_stays() -> None:
    there, held = threading.Event(), threading.Lock()
    held.acquire()

    def stay() -> None:
        there.set()
        held.acquire()

    check = leak_check(patience=0.1)
    check.__enter__()
    thread = threading.Thread(target=stay, name="stays", daemon=True)
    thread.start()
    there.wait()
    while sys._current_frames()[thread.ident or 0].f_code.co_name != "stay":
        time.sleep(0.01)
    try:
        with pytest.raises(Leaked, match=r'the thread "stays" in stay \(test_leaks\.py:\d+\)'):
            check.__exit__(None, None, None)
    finally:
        held.release()
        thread.join()


def test_a_thread_that_just_ends() -> None:
    stop = threading.Event()
    with leak_check(patience=30):
        thread = threading.Thread(target=stop.wait)
        thread.start()
        threading.Timer(0.05, stop.set).start()
    assert not thread.is_alive()


def test_a_socket_that_stays() -> None:
    check = leak_check(patience=0.1)
    check.__enter__()
    left = socket.socket()
    try:
        with pytest.raises(Leaked, match=f"the socket with file number {left.fileno()}"):
            check.__exit__(None, None, None)
    finally:
        left.close()


def test_what_was_there_before_may_stay() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    with socket.socket(), leak_check():
        pass
    stop.set()
    thread.join()


def test_what_the_block_raises_comes_through() -> None:
    with pytest.raises(ZeroDivisionError), leak_check():
        raise ZeroDivisionError
