@ The thread pointer, by the name that compiled code asks for it (Run-time ABI for the Arm Architecture, 5.3.5): may change
@ nothing but r0. zig has it in one object with its own exp, log and sin, so that who takes it from there takes these for
@ the gateway's.
	.syntax unified
	.arch armv7-a
	.text
	.arm
	.globl __aeabi_read_tp
	.hidden __aeabi_read_tp
	.type __aeabi_read_tp, %function
__aeabi_read_tp:
	.fnstart
	mrc p15, 0, r0, c13, c0, 3
	bx lr
	.cantunwind
	.fnend
	.size __aeabi_read_tp, . - __aeabi_read_tp
	.section .note.GNU-stack, "", %progbits
