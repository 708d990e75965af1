"""Numbers of system calls that we do not make ourselves but refuse to others, by machine."""

from __future__ import annotations

# name x86_64 aarch64 (- where there is none). Sources as for CALLS in libc.py.
_NUMBERS = """
ioctl 16 29 shmget 29 194 shmat 30 196 shmctl 31 195 socket 41 198 socketpair 53 199 clone 56 220 semget 64 190
semop 65 193 semctl 66 191 msgget 68 186 msgsnd 69 189 msgrcv 70 188 msgctl 71 187 fcntl 72 25 ptrace 101 117
syslog 103 116 mknod 133 - setpriority 141 140 sched_setparam 142 118 sched_setscheduler 144 119 pivot_root 155 41
prctl 157 167 setrlimit 160 164 chroot 161 51 mount 165 40 umount2 166 39 sched_setaffinity 203 122
semtimedop 220 192 mq_open 240 180 mq_unlink 241 181 mq_timedsend 242 182 mq_timedreceive 243 183 mq_notify 244 184
add_key 248 217 request_key 249 218 keyctl 250 219 ioprio_set 251 30 migrate_pages 256 238 mknodat 259 33
unshare 272 97 move_pages 279 239 perf_event_open 298 241 prlimit64 302 261 open_by_handle_at 304 265 setns 308 268
process_vm_writev 311 271 sched_setattr 314 274 bpf 321 280 userfaultfd 323 282 io_uring_setup 425 425
io_uring_enter 426 426 io_uring_register 427 427 open_tree 428 428 move_mount 429 429 fsopen 430 430 fsconfig 431 431
fsmount 432 432 fspick 433 433 clone3 435 435 pidfd_getfd 438 438 process_madvise 440 440 mount_setattr 442 442
process_mrelease 448 448 open_tree_attr 467 467
"""


def numbers(machine: str) -> dict[str, int]:
    """The calls that a machine (as uname names it) has, by name. KeyError: a machine that is not recorded here."""
    column = {"x86_64": 1, "aarch64": 2}[machine]
    words = _NUMBERS.split()
    return {words[at]: int(words[at + column]) for at in range(0, len(words), 3) if words[at + column] != "-"}
