"""Made by one, kept for a while, within its room."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app import db
from app.once import Once

MOST = 8


class Oven:
    """What makes loaves one after the other, each when it is let; counts them."""

    def __init__(self) -> None:
        self.made = 0
        self.began = threading.Semaphore(0)
        self.may = threading.Semaphore(0)

    def bake(self) -> int:
        self.made += 1
        loaf = self.made
        self.began.release()
        assert self.may.acquire(timeout=10)
        return loaf


def test_of_many_who_ask_at_once_one_makes_it_and_the_others_wait() -> None:
    kept: Once[str, int] = Once("test", good_for_s=60, most=MOST)
    oven = Oven()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(kept.get, "bread", oven.bake) for _ in range(8)]
        assert oven.began.acquire(timeout=10)
        time.sleep(0.05)  # the others come while it is made
        oven.may.release()
        assert [one.result(10) for one in asked] == [1] * 8
    assert kept.get("bread", oven.bake) == 1
    assert oven.made == 1


def test_it_is_made_anew_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    at = 100.0
    monkeypatch.setattr("app.once.monotonic", lambda: at)
    kept: Once[str, float] = Once("test", good_for_s=1, most=MOST)
    assert kept.get("time", lambda: at) == 100
    at = 100.9
    assert kept.get("time", lambda: at) == 100
    at = 101.0
    assert kept.get("time", lambda: at) == 101


def test_age_counts_from_when_its_making_began(monkeypatch: pytest.MonkeyPatch) -> None:
    at = 100.0
    monkeypatch.setattr("app.once.monotonic", lambda: at)
    kept: Once[str, str] = Once("test", good_for_s=1, most=MOST)

    def slow() -> str:
        nonlocal at
        at += 2
        return "old"

    assert kept.get("it", slow) == "old"
    assert kept.get("it", lambda: "new") == "new"


def test_whoever_wants_it_newer_gets_one_that_began_after_she_asked() -> None:
    kept: Once[str, int] = Once("test", good_for_s=60, most=MOST)
    oven = Oven()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(kept.get, "bread", oven.bake)
        assert oven.began.acquire(timeout=10)
        wants = [pool.submit(kept.get, "bread", oven.bake, is_good=lambda loaf: loaf > 1) for _ in range(2)]
        time.sleep(0.05)
        oven.may.release(2)
        assert first.result(10) == 1
        assert [one.result(10) for one in wants] == [2, 2]
    assert oven.made == 2
    assert kept.get("bread", oven.bake) == 2


def test_what_fails_fails_for_those_who_wait_and_not_for_the_next() -> None:
    kept: Once[str, int] = Once("test", good_for_s=60, most=MOST)
    oven = Oven()

    def burn() -> int:
        oven.bake()
        raise ValueError("burnt")

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(kept.get, "bread", burn) for _ in range(2)]
        assert oven.began.acquire(timeout=10)
        time.sleep(0.05)
        oven.may.release(2)
        for one in asked:
            with pytest.raises(ValueError, match="burnt"):
                one.result(10)
    assert kept.get("bread", lambda: 7) == 7


def test_what_was_used_longest_ago_goes_where_there_is_no_room() -> None:
    made: list[str] = []
    kept: Once[str, str] = Once("test", good_for_s=60, most=6, weigh=len)

    def get(word: str) -> None:
        def make() -> str:
            made.append(word)
            return word

        assert kept.get(word, make) == word

    for word in ("aaa", "bbb", "aaa", "ccc", "aaa", "bbb"):
        get(word)
    assert made == ["aaa", "bbb", "ccc", "bbb"]
    get("much too long")  # stays nowhere, and pushes nothing out
    get("bbb")
    assert made[4:] == ["much too long"]
    for word in ("dd", "ee", "ff", "dd"):
        get(word)
    assert made[5:] == ["dd", "ee", "ff"]


def test_where_the_time_of_who_makes_it_is_over_another_makes_it() -> None:
    kept: Once[str, int] = Once("test", good_for_s=60, most=MOST)
    oven = Oven()
    tries = iter([True, False])

    def bake() -> int:
        is_over = next(tries)
        loaf = oven.bake()
        if is_over:
            raise db.TookTooLong
        return loaf

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.get, "bread", bake)
        assert oven.began.acquire(timeout=10)
        second = pool.submit(kept.get, "bread", bake)
        time.sleep(0.05)
        oven.may.release()
        with pytest.raises(db.TookTooLong):
            first.result(10)
        oven.may.release()
        assert second.result(10) == 2
