/* SPDX-License-Identifier: BSD-2-Clause */
#include <busbar/arch.h>

#include "command.h"

#define MAX_READ 256 /* words */

static int run(int argc, char **argv)
{
    uint64_t address, count = 1;
    if (argc < 2 || argc > 3 || !parse_number(argv[1], UINTPTR_MAX - 4 * MAX_READ, &address) ||
        address % 4 || (argc == 3 && !parse_number(argv[2], MAX_READ, &count)))
        return -EINVAL;
    for (uint64_t i = 0; i < count; i++, address += 4) {
        uint32_t value;
        if (!bb_arch_probe_read32((uintptr_t)address, &value)) {
            say("0x%llx: nothing is mapped there\n", (unsigned long long)address);
            return -EIO;
        }
        say("0x%llx: 0x%08x\n", (unsigned long long)address, value);
    }
    return 0;
}

const struct command command_read = {"read", "ADDRESS [COUNT]", "32-bit words of mapped memory",
                                     run, NULL};
