/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include <busbar/board.h>
#include <busbar/firmware.h>
#include <busbar/thermal.h>

#include "command.h"

#define MAX_TAG_WORDS 12
#define GET_CLOCK_RATE 0x30002

static int board(void)
{
    struct bb_board_identity identity;
    struct bb_board_memory memory;
    struct bb_board *device = bb_board_first();
    int error = device ? bb_board_identity(device, &identity) : -ENODEV;
    if (error < 0)
        return error;
    const uint8_t *mac = identity.mac;
    say("firmware    0x%08x\n", identity.firmware);
    say("board       model %u, revision %x, serial %016llx\n", identity.model, identity.revision,
        (unsigned long long)identity.serial);
    say("mac         %02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4],
        mac[5]);
    error = bb_board_memory(device, &memory);
    if (error < 0)
        return error;
    say("memory      %llu KiB at 0x%llx for the CPU, %llu KiB at 0x%llx for the GPU\n",
        (unsigned long long)memory.cpu_size / 1024, (unsigned long long)memory.cpu_start,
        (unsigned long long)memory.gpu_size / 1024, (unsigned long long)memory.gpu_start);
    return 0;
}

/* The firmware's ids from 1; a rate of 0 is its way to say that the board has no such clock. */
static int clocks(void)
{
    static const char *const names[] = {"emmc", "uart",  "arm",   "core",     "v3d",
                                        "h264", "isp",   "sdram", "pixel",    "pwm",
                                        "hevc", "emmc2", "m2mc",  "pixel_bvb"};
    for (uint32_t i = 0; i < BB_ARRAY_SIZE(names); i++) {
        uint32_t words[2] = {i + 1};
        int got = bb_firmware_call(bb_firmware_first(), GET_CLOCK_RATE, words, 4, sizeof(words));
        if (got < 0)
            return got;
        if (got < 8 || words[0] != i + 1)
            return -EPROTO;
        if (words[1])
            say("%-12s %u Hz\n", names[i], words[1]);
    }
    return 0;
}

static int temperature(void)
{
    int32_t now, limit;
    struct bb_thermal *thermal = bb_thermal_first();
    int error = thermal ? bb_thermal_temperature(thermal, &now) : -ENODEV;
    if (error < 0)
        return error;
    say("temperature %d.%03d C", (int)(now / 1000), (int)((now < 0 ? -now : now) % 1000));
    if (bb_thermal_limit(thermal, &limit) == 0)
        say(", throttles at %d C", (int)(limit / 1000));
    say("\n");
    return 0;
}

static int tag(int argc, char **argv)
{
    uint32_t words[MAX_TAG_WORDS] = {0};
    uint64_t number, word;
    if (argc < 1 || argc - 1 > MAX_TAG_WORDS || !parse_number(argv[0], UINT32_MAX, &number))
        return -EINVAL;
    for (int i = 1; i < argc; i++) {
        if (!parse_number(argv[i], UINT32_MAX, &word))
            return -EINVAL;
        words[i - 1] = (uint32_t)word;
    }
    int got = bb_firmware_call(bb_firmware_first(), (uint32_t)number, words, 4 * (size_t)(argc - 1),
                               sizeof(words));
    if (got < 0)
        return got;
    say("%d bytes:", got);
    for (int i = 0; i < (got + 3) / 4; i++)
        say(" 0x%08x", words[i]);
    say("\n");
    return 0;
}

static int run(int argc, char **argv)
{
    if (!bb_firmware_first())
        return -ENODEV;
    if (argc == 1) {
        int error = board();
        return error < 0 ? error : temperature();
    }
    if (strcmp(argv[1], "tag") == 0)
        return tag(argc - 2, argv + 2);
    if (argc != 2)
        return -EINVAL;
    if (strcmp(argv[1], "board") == 0)
        return board();
    if (strcmp(argv[1], "clocks") == 0)
        return clocks();
    return strcmp(argv[1], "temperature") == 0 ? temperature() : -EINVAL;
}

static bool complete(size_t index, char *word, size_t size)
{
    static const char *const words[] = {"board", "clocks", "temperature", "tag"};
    if (index < BB_ARRAY_SIZE(words))
        bb_format(word, size, "%s", words[index]);
    return index < BB_ARRAY_SIZE(words);
}

const struct command command_mailbox = {"mailbox", "[board|clocks|temperature|tag ID [WORD...]]",
                                        "ask the firmware", run, complete};
