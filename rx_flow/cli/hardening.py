"""
What keeps a running service's memory from getting out: no core dumps, and in production no reading by its own user.
"""

from __future__ import annotations

import ctypes
import resource

from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble
from rx_flow.config import Mode

PR_SET_DUMPABLE = 4  # prctl(2)


def keep_memory_in(mode: Mode) -> None:
    """
    Leave no core dump whatever happens; in production let no other process of this user read the memory either.

    The second is Linux's: it refuses ptrace and /proc/PID/mem to everybody but root. It hides from nobody who is root,
    and swapped-out memory is the machine's affair (encrypt it). `Trouble` where production runs and it cannot be had.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if mode == "production":
        try:
            failed = ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        except AttributeError:
            failed = True
        if failed:
            title = tr("无法保护进程内存：生产模式需要 Linux", "memory cannot be protected: production needs Linux")
            raise Trouble("unfit", title)
