/*
 * Copyright (c) 2026, the nsfleet.linux authors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The same as executor_x86_64.s.
 */
.globl _start
_start:
    mov x19, #0x800000
receive:
    mov x1, x19
    mov x2, #24
    bl take
    ldr x2, [x19]
    add x1, x19, #24
    bl take
    add x20, x19, #24
step:
    ldr x8, [x20]
    tbnz x8, #63, reply
    ldp x0, x1, [x20, #8]
    ldp x2, x3, [x20, #24]
    ldp x4, x5, [x20, #40]
    svc #0
    str x0, [x20]
    ldr x9, [x20, #56]
    cmn x0, #4095           // -4095 to -1 are errors
    b.cs failed
    cbnz x0, next
    tbz x9, #1, next        // the child of a fork leaves out one step
    add x20, x20, #64
next:
    add x20, x20, #64
    b step
failed:
    tbnz x9, #0, next
reply:
    mov x0, #3
    mov x1, x19
    ldr x2, [x19, #8]
    mov x8, #64             // write
    svc #0
    ldr x2, [x19, #8]
    cmp x0, x2
    b.eq receive
quit:
    udf #0
take:
    mov x21, x2
    mov x0, #3
    mov x3, #0x100
    mov x4, xzr
    mov x5, xzr
    mov x8, #207            // recvfrom, MSG_WAITALL
    svc #0
    cmp x0, x21
    b.ne quit
    ret
