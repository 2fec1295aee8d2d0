/* SPDX-License-Identifier: BSD-2-Clause */
#include <busbar/arch.h>

#include "command.h"

static int run(int argc, char **argv)
{
    uint64_t address, value;
    if (argc != 3 || !parse_number(argv[1], UINTPTR_MAX - 3, &address) || address % 4 ||
        !parse_number(argv[2], UINT32_MAX, &value))
        return -EINVAL;
    if (!bb_arch_probe_write32((uintptr_t)address, (uint32_t)value)) {
        say("0x%llx: nothing there can be written\n", (unsigned long long)address);
        return -EIO;
    }
    return 0;
}

const struct command command_write = {"write", "ADDRESS VALUE", "one 32-bit word of mapped memory",
                                      run, NULL};
