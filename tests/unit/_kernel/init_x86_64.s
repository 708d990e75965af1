/*
 * Copyright (c) 2026, the nsfleet.linux authors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * plugins/module_utils/_kernel/init_program.py has this program as bytes; test_init_program.py assembles and compares.
 *
 * It has no data, and two words of its stack: the status of a process that has ended, and the set of all signals.
 */
.intel_syntax noprefix
.globl _start
_start:
    push -1
    push 0
    mov esi, 18                 # SIGCONT: the command waits for it, so as not to begin before this program has
forward:
    mov edi, 2
    mov eax, 62                 # kill; an error is no matter of ours
    syscall
reap:
    mov edi, -1
    mov rsi, rsp
    mov edx, 1                  # WNOHANG
    xor r10d, r10d
    mov eax, 61                 # wait4
    syscall
    cmp eax, 2
    je ended
    test eax, eax
    jg reap
wait:
    lea rdi, [rsp + 8]
    xor esi, esi
    xor edx, edx
    mov r10d, 8
    mov eax, 128                # rt_sigtimedwait
    syscall
    mov esi, eax
    cmp eax, 17                 # SIGCHLD
    je reap
    test eax, eax
    jg forward
    cmp eax, -4                 # EINTR: it was stopped or frozen
    je wait
    cmp eax, -11                # EAGAIN
    je wait
    ud2                         # forbidden by a filter, say: rather no command than one that nobody waits for
ended:
    mov edi, [rsp]
    mov eax, edi
    shr edi, 8
    and eax, 0x7f               # the signal that killed it
    jz quit
    lea edi, [rax + 128]
quit:
    mov eax, 231                # exit_group: the kernel ends everybody else
    syscall
