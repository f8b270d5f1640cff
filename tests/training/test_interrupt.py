"""Signals that ask to stop."""

import os
import signal

import pytest

from mtlrun.training.interrupt import STOPS, Interrupt, exit_code, pass_on, signal_name, unwind_on_signals


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
def test_a_launcher_gets_the_signal_by_which_it_requeues_once_the_run_is_saved(number):
    taken = []
    signal.signal(number, lambda *arguments: taken.append(arguments[0]))
    unwind_on_signals()
    with Interrupt() as interrupt:
        os.kill(os.getpid(), number)
    assert (interrupt.received, taken) == (number, [])
    pass_on(exit_code(number))
    assert taken == [number]


@pytest.mark.parametrize(
    "code", [exit_code(signal.SIGTERM), exit_code(signal.SIGINT), exit_code(signal.SIGUSR2), 1, None, "x"]
)
def test_nothing_is_passed_on_where_nobody_waits_for_it(code):
    unwind_on_signals()
    pass_on(code)


@pytest.mark.parametrize(
    ("code", "name"), [(143, "SIGTERM"), (140, "SIGUSR2"), (1, "exit code 1"), (None, "exit code None")]
)
def test_the_name_of_a_signal(code, name):
    assert signal_name(code) == name
