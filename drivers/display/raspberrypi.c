/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame buffer of a Raspberry Pi's firmware (raspberrypi/firmware wiki, "Mailbox property
 * interface", tags of the frame buffer). All that makes a mode goes into one message: the firmware
 * allocates by what it read before the allocate tag. It answers with what it really did.
 */
#include <busbar/arch.h>
#include <busbar/display.h>
#include <busbar/firmware.h>
#include <busbar/mailbox.h>

enum {
    GET_VC_MEMORY = 0x10006,
    ALLOCATE_BUFFER = 0x40001,
    BLANK_SCREEN = 0x40002,
    GET_PHYSICAL_SIZE = 0x40003,
    GET_PITCH = 0x40008,
    SET_PHYSICAL_SIZE = 0x48003,
    SET_VIRTUAL_SIZE = 0x48004,
    SET_DEPTH = 0x48005,
    SET_PIXEL_ORDER = 0x48006,
    SET_VIRTUAL_OFFSET = 0x48009,

    DEPTH = 32,
    RGB = 1, /* pixel order: red in the low byte; 0: blue */
    ALIGNMENT = 4096,
    STEP = 8, /* a row in memory is a multiple of so many pixels */
};
#define BUS_ADDRESS                                                                                \
    0x3fffffffu /* the rest of an address from the firmware is its cache's alias                   \
                 */

struct raspberrypi {
    struct bb_device device;
    struct bb_display display;
    struct bb_firmware *firmware;
    uint32_t memory, memory_end; /* of the firmware: the frame buffer is in there */
    uint32_t width, height;      /* of the mode that was set last */
};

/* The answers to the message that makes a mode. */
struct mode {
    uint32_t physical[2], virtual[2], offset[2], depth, order, buffer[2], pitch;
};

static int ask(struct raspberrypi *raspberrypi, struct mode *mode)
{
    struct bb_firmware_tag tags[] = {
        {SET_PHYSICAL_SIZE, mode->physical, 8, 8}, {SET_VIRTUAL_SIZE, mode->virtual, 8, 8},
        {SET_VIRTUAL_OFFSET, mode->offset, 8, 8},  {SET_DEPTH, &mode->depth, 4, 4},
        {SET_PIXEL_ORDER, &mode->order, 4, 4},     {ALLOCATE_BUFFER, mode->buffer, 4, 8},
        {GET_PITCH, &mode->pitch, 0, 4},
    };
    int error = bb_firmware_call_all(raspberrypi->firmware, tags, BB_ARRAY_SIZE(tags));
    for (size_t i = 0; i < BB_ARRAY_SIZE(tags) && !error; i++)
        if (tags[i].result != tags[i].capacity)
            error = tags[i].result < 0 ? tags[i].result : -EPROTO;
    return error;
}

/* What is wrong with the answers; NULL: nothing. Sizes that differ a little are the firmware's
 * right: they are taken over. */
static const char *find_fault(const struct raspberrypi *raspberrypi, const struct mode *mode)
{
    uint64_t start = mode->buffer[0] & BUS_ADDRESS;
    uint64_t needed = (uint64_t)mode->pitch * mode->physical[1];

    if (mode->physical[0] < BB_DISPLAY_MIN_WIDTH || mode->physical[0] > BB_DISPLAY_MAX ||
        mode->physical[1] < BB_DISPLAY_MIN_HEIGHT || mode->physical[1] > BB_DISPLAY_MAX)
        return "frame buffer: its size";
    if (mode->virtual[0] < mode -> physical[0] || mode -> virtual[1] < mode -> physical[1] || mode
        -> offset[0] || mode -> offset[1])
        return "frame buffer: its virtual size";
    if (mode->depth != DEPTH)
        return "frame buffer: its depth";
    if (mode->order > RGB)
        return "frame buffer: its pixel order";
    if (mode->pitch % 8 || mode->pitch / 4 < mode->physical[0])
        return "frame buffer: its pitch";
    if (mode->buffer[1] < needed)
        return "frame buffer: less memory than it shows";
    if (start % 8 || start < raspberrypi->memory || start + needed > raspberrypi->memory_end)
        return "frame buffer: outside of the firmware's memory";
    return NULL;
}

static int set_mode(struct raspberrypi *raspberrypi, uint32_t width, uint32_t height)
{
    struct bb_device *device = &raspberrypi->device;
    struct bb_display *display = &raspberrypi->display;
    struct mode mode = {
        .physical = {width, height},
        .virtual = {(width + STEP - 1) / STEP * STEP, height},
        .depth = DEPTH,
        .order = RGB,
        .buffer = {ALIGNMENT},
    };
    /* The firmware frees what is shown, and a handler of an interrupt may print meanwhile. */
    display->width = display->height = 0;
    int error = ask(raspberrypi, &mode);
    if (error)
        return bb_fail(device, "frame buffer", error);
    const char *fault = find_fault(raspberrypi, &mode);
    if (fault)
        return bb_fail(device, fault, -EPROTO);
    uint32_t start = mode.buffer[0] & BUS_ADDRESS;
    uintptr_t memory = bb_arch_map_combining(start, (uint64_t)mode.pitch * mode.physical[1]);
    if (!memory)
        return bb_fail(device, "frame buffer: mapping it", -ENXIO);
    display->memory = (uint8_t *)memory;
    display->stride = mode.pitch;
    display->format = mode.order == RGB ? BB_DISPLAY_XBGR8888 : BB_DISPLAY_XRGB8888;
    display->height = raspberrypi->height = mode.physical[1];
    __atomic_signal_fence(__ATOMIC_RELEASE); /* for that handler: with a width all is there */
    display->width = raspberrypi->width = mode.physical[0];
    return 0;
}

static int raspberrypi_set_mode(struct bb_display *display, uint32_t width, uint32_t height)
{
    struct raspberrypi *raspberrypi = bb_container_of(display, struct raspberrypi, display);
    uint32_t old_width = raspberrypi->width, old_height = raspberrypi->height;

    int error = set_mode(raspberrypi, width, height);
    if (error) /* where the old one fails too, nothing is shown: 0 by 0 */
        (void)set_mode(raspberrypi, old_width, old_height);
    return error;
}

static int raspberrypi_blank(struct bb_display *display, bool dark)
{
    struct raspberrypi *raspberrypi = bb_container_of(display, struct raspberrypi, display);
    uint32_t state = dark;
    int got = bb_firmware_call(raspberrypi->firmware, BLANK_SCREEN, &state, 4, 4);

    if (got < 0)
        return got;
    return got == 4 && (state & 1) == dark ? 0 : -EPROTO;
}

static int raspberrypi_probe(struct bb_device *device)
{
    struct raspberrypi *raspberrypi = bb_container_of(device, struct raspberrypi, device);
    uint32_t words[2];
    int error = bb_firmware_get(device, &raspberrypi->firmware);

    if (error)
        return error;
    int got = bb_firmware_call(raspberrypi->firmware, GET_VC_MEMORY, words, 0, 8);
    if (got != 8)
        return bb_fail(device, "the firmware's memory", got < 0 ? got : -EPROTO);
    raspberrypi->memory = words[0] & BUS_ADDRESS;
    if (words[1] > BUS_ADDRESS + 1 - raspberrypi->memory)
        return bb_fail(device, "the firmware's memory", -EPROTO);
    raspberrypi->memory_end = raspberrypi->memory + words[1];
    got = bb_firmware_call(raspberrypi->firmware, GET_PHYSICAL_SIZE, words, 0, 8);
    if (got != 8)
        words[0] = words[1] = 0; /* it does not know what is plugged in */
    bb_display_default_mode(&words[0], &words[1]);
    return set_mode(raspberrypi, words[0], words[1]);
}

static void raspberrypi_remove(struct bb_device *device)
{
    struct raspberrypi *raspberrypi = bb_container_of(device, struct raspberrypi, device);

    (void)raspberrypi_blank(&raspberrypi->display, true);
}

const struct bb_display_ops bb_ops_display_raspberrypi = {
    .set_mode = raspberrypi_set_mode,
    .blank = raspberrypi_blank,
};

BB_DRIVER(display, raspberrypi, .bus = &bb_mailbox_bus,
          .match = BB_MATCH({"raspberrypi,firmware-display"}),
          .needs = BB_CLASSES(&bb_class_firmware), .probe = raspberrypi_probe,
          .remove = raspberrypi_remove);
