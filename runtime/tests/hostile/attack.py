"""What hostile tasks share: raw system calls, and a word for what must not work."""

import ctypes
import errno
import platform

_libc = ctypes.CDLL(None, use_errno=True)
_ARM = platform.machine() == "aarch64"


def number(x86_64, aarch64):
    return aarch64 if _ARM else x86_64


def call(number, *arguments):
    """The name of the error that a system call gives; "ok" for none."""
    ctypes.set_errno(0)
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    if _libc.syscall(ctypes.c_long(number), *given) != -1:
        return "ok"
    return errno.errorcode.get(ctypes.get_errno(), "unknown")


def refused(what, function, *arguments):
    """Says that something worked that must not."""
    try:
        function(*arguments)
    except (OSError, ValueError, ctypes.ArgumentError):
        return
    print("ESCAPED:", what, flush=True)


def denied(what, expected, *arguments):
    """Says that a system call did not give the error that the filter gives."""
    said = call(*arguments)
    if said not in expected:
        print("ESCAPED:", what, said, flush=True)
