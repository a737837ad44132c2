/* SPDX-License-Identifier: MIT */
/* Prints the rows that this machine can run, one name a line, best first: scripts/sanitize forces each of them. */
#include <stdio.h>

#include <fastws/cpu.h>

int main(void) {
    const char *names[64];
    int count = fastws_cpu_isas(names, 64);
    for (int i = 0; i < count && i < 64; i++) puts(names[i]);
    return 0;
}
