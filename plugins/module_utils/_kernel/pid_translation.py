"""The number of one task in different pid namespaces: ioctl_nsfs(2), Linux 6.11."""

from __future__ import annotations

from .nsfs import number

NS_GET_PID_FROM_PIDNS = 0x8004B706
NS_GET_TGID_FROM_PIDNS = 0x8004B707
NS_GET_PID_IN_PIDNS = 0x8004B708
NS_GET_TGID_IN_PIDNS = 0x8004B709


def pid_from(fd: int, pid: int) -> int:
    """Our number of thread ``pid`` of pid namespace ``fd``; NS_GET_PID_FROM_PIDNS, 6.11. ESRCH: no such thread."""
    return number(fd, NS_GET_PID_FROM_PIDNS, "NS_GET_PID_FROM_PIDNS", "6.11", pid)


def tgid_from(fd: int, pid: int) -> int:
    """Our number of the process of thread ``pid`` of pid namespace ``fd``; NS_GET_TGID_FROM_PIDNS, 6.11."""
    return number(fd, NS_GET_TGID_FROM_PIDNS, "NS_GET_TGID_FROM_PIDNS", "6.11", pid)


def pid_in(fd: int, pid: int) -> int:
    """The number in pid namespace ``fd`` of our thread ``pid``; NS_GET_PID_IN_PIDNS, 6.11. ESRCH: not in there."""
    return number(fd, NS_GET_PID_IN_PIDNS, "NS_GET_PID_IN_PIDNS", "6.11", pid)


def tgid_in(fd: int, pid: int) -> int:
    """The number in pid namespace ``fd`` of the process of our thread ``pid``; NS_GET_TGID_IN_PIDNS, 6.11."""
    return number(fd, NS_GET_TGID_IN_PIDNS, "NS_GET_TGID_IN_PIDNS", "6.11", pid)
