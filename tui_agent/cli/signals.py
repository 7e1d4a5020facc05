"""The signals that ask the program to end."""

import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ignore_signals() -> None:
    """From now on nothing hurries us: a thread may still be killing what a command started, which takes 2 s at most.

    Without this an impatient second ctrl+c would end the program first and leave those processes running.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
