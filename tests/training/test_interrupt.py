"""Signals that ask to stop."""

import os
import signal

import pytest

from mtlrun.training.interrupt import STOPS, Interrupt, exit_code, unwind_on_signals


@pytest.fixture(autouse=True)
def _signals_as_they_were():
    before = {number: signal.getsignal(number) for number in STOPS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_all_of_them_are_there():
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2} == {*STOPS}


@pytest.mark.parametrize("number", STOPS)
def test_within_a_training_a_signal_is_noted(number):
    unwind_on_signals()
    with Interrupt() as interrupt:
        os.kill(os.getpid(), number)
    assert interrupt.received == number


@pytest.mark.parametrize("number", sorted({*STOPS} - {signal.SIGINT}))
def test_outside_it_unwinds(number):
    unwind_on_signals()
    with pytest.raises(SystemExit) as end:
        os.kill(os.getpid(), number)
    assert end.value.code == exit_code(number) == 128 + number


def test_what_nohup_ignores_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    unwind_on_signals()
    with Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGHUP)
    assert interrupt.received is None


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_launcher_keeps_the_signal_by_which_it_requeues(number):
    taken = []
    signal.signal(number, lambda *arguments: taken.append(arguments[0]))
    unwind_on_signals()
    with Interrupt() as interrupt:
        os.kill(os.getpid(), number)
    assert (interrupt.received, taken) == (None, [number])
