/*
 * Copyright (c) 2026, the nsfleet.linux authors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The same as init_x86_64.s.
 */
.globl _start
_start:
    mov x9, #-1
    stp xzr, x9, [sp, #-16]!
    mov x1, #18             // SIGCONT
forward:
    mov x0, #2
    mov x8, #129            // kill
    svc #0
reap:
    mov x0, #-1
    mov x1, sp
    mov x2, #1              // WNOHANG
    mov x3, xzr
    mov x8, #260            // wait4
    svc #0
    cmp w0, #2
    b.eq ended
    cmp w0, #0
    b.gt reap
wait:
    add x0, sp, #8
    mov x1, xzr
    mov x2, xzr
    mov x3, #8
    mov x8, #137            // rt_sigtimedwait
    svc #0
    mov x1, x0
    cmp w0, #17             // SIGCHLD
    b.eq reap
    cmp w0, #0
    b.gt forward
    cmn w0, #4              // EINTR
    b.eq wait
    cmn w0, #11             // EAGAIN
    b.eq wait
    udf #0
ended:
    ldr w9, [sp]
    ubfx w0, w9, #8, #8
    ands w9, w9, #0x7f      // the signal that killed it
    b.eq quit
    add w0, w9, #128
quit:
    mov x8, #94             // exit_group
    svc #0
