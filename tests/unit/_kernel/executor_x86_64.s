/*
 * Copyright (c) 2026, the nsfleet.linux authors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * plugins/module_utils/_kernel/executor.py has this program as bytes; test_executor_program.py assembles and compares.
 *
 * Its data lies at 0x800000: a head (bytes that follow, bytes of the reply, unused) and steps of eight words (number of
 * the system call, six arguments, flags). The result of each step takes the place of its number.
 */
.intel_syntax noprefix
.globl _start
_start:
    mov ebx, 0x800000
receive:                        # the next message, by the socket with the number 3
    mov edx, 24
    mov rsi, rbx
    call take
    mov rdx, [rbx]
    lea rsi, [rbx + 24]
    call take
    lea r12, [rbx + 24]
step:
    mov rax, [r12]
    test rax, rax
    js reply                    # the end of the steps
    mov rdi, [r12 + 8]
    mov rsi, [r12 + 16]
    mov rdx, [r12 + 24]
    mov r10, [r12 + 32]
    mov r8, [r12 + 40]
    mov r9, [r12 + 48]
    syscall
    mov [r12], rax
    mov rdx, [r12 + 56]
    cmp rax, -4095              # -4095 to -1 are errors
    jae failed
    test rax, rax
    jnz next
    test dl, 2                  # the child of a fork leaves out one step
    jz next
    add r12, 64
next:
    add r12, 64
    jmp step
failed:
    test dl, 1                  # go on after errors
    jnz next
reply:                          # write: a container's filters may know nothing of sockets
    mov edi, 3
    mov rsi, rbx
    mov rdx, [rbx + 8]
    mov eax, 1
    syscall
    cmp rax, [rbx + 8]
    je receive
quit:                           # nobody is there any more; by a signal, which no command's answer looks like
    ud2
take:
    mov r13, rdx
    mov edi, 3
    mov r10d, 0x100
    xor r8d, r8d
    xor r9d, r9d
    mov eax, 45                 # recvfrom, MSG_WAITALL
    syscall
    cmp rax, r13
    jne quit
    ret
