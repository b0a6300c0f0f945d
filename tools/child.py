"""Becomes the program named on its command line, tied to the life of the process that started it.

`python -I -S child.py SIGNAL PARENT_PID UID PROGRAM [ARGUMENT ...]`

When the parent dies, even by kill -9, the kernel sends SIGNAL (0: nothing is sent). UID -1 stays who we are;
another one gives up root first, with no group kept. A program of its own rather than subprocess's
`preexec_fn`, which is unsafe as soon as the parent has threads, as every test runner has.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tie_to_parent(death_signal: int, parent_pid: int) -> None:
    """Ask the kernel for `death_signal` when the parent dies; does nothing where there is no such call."""
    if death_signal and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent_pid:  # it died before we could ask
            os.kill(os.getpid(), death_signal)


def main() -> None:
    """Drop rights, then tie (a change of user undoes the tie), then become the program."""
    death_signal, parent_pid, uid = (int(argument) for argument in sys.argv[1:4])
    if uid >= 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    tie_to_parent(death_signal, parent_pid)
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_DFL)  # what a shell's `&` or nohup ignored would be inherited
    os.execv(sys.argv[4], sys.argv[4:])  # noqa: S606 - the point of this file


if __name__ == "__main__":
    main()
