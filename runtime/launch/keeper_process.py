"""The keeper that `runtime.launch.start` starts: `keeper_process.py PROGRAM ARGV0 WORD…`.

Runs the program until it ends, or until the keeper's standard input or parent ends. It imports
nothing of this package, so that it starts at once and stays small.
"""

import os
import select
import signal
import sys
import time

_PATIENCE = 15.0  # seconds until a program that was asked to end is killed
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _become(program: str, argv: list[str], parent: int) -> None:
    """In the child: be the program, and end when the keeper does."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # it ended before
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execve(program, argv, os.environ)
    except OSError as error:
        print(f"ERROR {program}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)


def _status(child: int) -> int | None:
    """The program's exit status, None as long as it runs."""
    found, status = os.waitpid(child, os.WNOHANG)
    if not found:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def main() -> int:
    parent = os.getppid()
    program, *argv = sys.argv[1:]
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    keeper = os.getpid()
    child = os.fork()
    if not child:
        _become(program, argv, keeper)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # A group of its own: what asks this process to end means both.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM))
    while True:
        if (status := _status(child)) is not None:
            return status
        ready, _, _ = select.select([0, wake], [], [], 1)
        if (0 in ready and not os.read(0, 4096)) or os.getppid() != parent:
            break
        if wake in ready:
            os.read(wake, 4096)
    # Asked twice, the engine would not finish what it does.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.kill(child, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE
    while (status := _status(child)) is None:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return 137
        time.sleep(0.02)
    return status


if __name__ == "__main__":
    sys.exit(main())
