"""Calls on threads give their results in order, and few are in work at a time."""

from __future__ import annotations

import threading

import pytest

from telecine.support.in_order import InOrder


def test_results_come_in_the_order_of_the_calls_though_the_first_ends_last() -> None:
    others_done, done = threading.Event(), []

    def work(index: int) -> int:
        if index == 0:
            others_done.wait(30)
        done.append(index)
        if len(done) == 3:
            others_done.set()
        return index

    calls = InOrder(work, 2, "test")
    found = [result for index in range(4) for result in calls.call(index)] + list(calls.rest())
    calls.close()
    assert found == [0, 1, 2, 3]
    assert done[-1] == 0


def test_twice_as_many_calls_as_threads_are_in_work() -> None:
    calls = InOrder(lambda index: index, 3, "test")
    given = [calls.call(index) for index in range(9)]
    assert given == [[], [], [], [], [], [], [0], [1], [2]]
    assert list(calls.rest()) == [3, 4, 5, 6, 7, 8]
    calls.close()


def test_what_has_ended_is_given_without_waiting_for_the_rest() -> None:
    first, second = threading.Event(), threading.Event()
    calls = InOrder(threading.Event.wait, 2, "test", most=3)
    try:
        for event in (first, second):
            calls.call(event, 60)
        second.set()
        assert list(calls.ended()) == []  # for the first has not
        assert len(calls) == 2
        first.set()
        assert list(calls.rest()) == [True, True]
        assert list(calls.ended()) == []
        assert len(calls) == 0
    finally:
        first.set()
        calls.close()


def test_an_error_is_raised_where_its_result_would_be() -> None:
    calls = InOrder(lambda number: 1 / number, 1, "test")
    assert calls.call(1) == calls.call(0) == []
    assert calls.call(2) == [1]
    with pytest.raises(ZeroDivisionError):
        calls.call(4)
    assert list(calls.rest()) == [0.5, 0.25]
    calls.close()


def test_what_has_not_begun_is_dropped() -> None:
    begun, may_end, done = threading.Event(), threading.Event(), []

    def work(index: int) -> None:
        begun.set()
        may_end.wait(30)
        done.append(index)

    calls = InOrder(work, 1, "test")
    for index in range(2):
        calls.call(index)
    begun.wait(30)
    closing = threading.Thread(target=calls.close)
    closing.start()
    while not calls._closed:  # until the second is dropped, while the first is in work
        pass
    may_end.set()
    closing.join()
    assert done == [0]
