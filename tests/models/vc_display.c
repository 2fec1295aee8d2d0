/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame buffer of the firmware's property interface, as its wiki describes it. The memory of
 * the GPU is real here, and only what was allocated can be touched: a write beside it ends the
 * test.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "vc_mailbox.h"

enum { UNKNOWN = -1, PAGE = 4096, MOST = 4096 };
#define ALIAS 0xc0000000u

static void *memory(uint32_t address)
{
    return (void *)(uintptr_t)address;
}

/* Once for a process: what the tests of a board have in common. */
void vc_display_prepare(struct vc_display *display)
{
    static bool mapped;
    *display = (struct vc_display){.native = {640, 480}};
    if (!mapped && mmap(memory(VC_DISPLAY_MEMORY), VC_DISPLAY_SIZE, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
                        0) != memory(VC_DISPLAY_MEMORY))
        world_fail("display", "the address of its memory is taken");
    mapped = true;
}

/* Where a buffer goes: apart from the one before, so that stale pointers are found. */
static void allocate(struct vc_display *display, uint32_t *value)
{
    uint32_t size = display->pitch * display->virtual[1];
    uint32_t span = (size + PAGE - 1) / PAGE * PAGE;
    (void)mprotect(memory(VC_DISPLAY_MEMORY), VC_DISPLAY_SIZE, PROT_NONE);
    display->address = VC_DISPLAY_MEMORY + (display->allocations++ % 2 ? 0x01800000u : 0x100000u);
    if (mprotect(memory(display->address), span, PROT_READ | PROT_WRITE))
        world_fail("display", "no memory");
    memset(memory(display->address), 0x5a, span);
    value[0] = display->address | ALIAS;
    value[1] = size;
}

/* Answers that no honest firmware gives. */
static int lie(struct vc_display *display, uint32_t tag, uint32_t *value, int length)
{
    switch (display->lie) {
    case VC_DISPLAY_HONEST:
        return length;
    case VC_DISPLAY_UNKNOWN:
        return UNKNOWN;
    case VC_DISPLAY_PARTIAL:
        return length == 8 ? 4 : length;
    case VC_DISPLAY_REFUSED:
    case VC_DISPLAY_SMALL:
    case VC_DISPLAY_BELOW:
    case VC_DISPLAY_BEYOND:
    case VC_DISPLAY_WRAPS:
    case VC_DISPLAY_ODD:
        if (tag != 0x40001)
            return length;
        break;
    default:
        break;
    }
    switch (display->lie) {
    case VC_DISPLAY_REFUSED:
        value[0] = value[1] = 0;
        break;
    case VC_DISPLAY_SMALL:
        value[1] -= 1;
        break;
    case VC_DISPLAY_BELOW:
        value[0] = 0x00200000; /* the program's own memory */
        break;
    case VC_DISPLAY_BEYOND:
        value[0] = 0x3fffe000;
        value[1] = 0x10000000;
        break;
    case VC_DISPLAY_WRAPS:
        value[0] = 0xfffff000;
        value[1] = UINT32_MAX;
        break;
    case VC_DISPLAY_ODD:
        value[0] += 4;
        break;
    case VC_DISPLAY_NO_SIZE:
    case VC_DISPLAY_HUGE:
        if (tag == 0x48003)
            value[0] = value[1] = display->lie == VC_DISPLAY_HUGE ? 0x40000000 : 0;
        break;
    case VC_DISPLAY_NARROW:
        if (tag == 0x48004)
            value[0] -= 8;
        break;
    case VC_DISPLAY_MOVED:
        if (tag == 0x48009)
            value[1] = 16;
        break;
    case VC_DISPLAY_SHALLOW:
        if (tag == 0x48005)
            value[0] = 16;
        break;
    case VC_DISPLAY_ORDER:
        if (tag == 0x48006)
            value[0] = 2;
        break;
    case VC_DISPLAY_PITCH_SHORT:
    case VC_DISPLAY_PITCH_ODD:
    case VC_DISPLAY_PITCH_HUGE:
        if (tag == 0x40008)
            value[0] = display->lie == VC_DISPLAY_PITCH_SHORT ? value[0] - 8
                       : display->lie == VC_DISPLAY_PITCH_ODD ? value[0] + 4
                                                              : 0xfffffff8;
        break;
    default:
        break;
    }
    return length;
}

/* What belongs to a mode must be set before the tag that allocates, in the same message. */
static int work(struct model *model, struct vc_display *display, uint32_t tag, uint32_t *value)
{
    switch (tag) {
    case 0x40001: /* allocate */
        model_require(model, display->set == VC_DISPLAY_ALL,
                      "a buffer is allocated, and only %#x of its mode is set in this message",
                      display->set);
        model_require(model, value[0] && !(value[0] & (value[0] - 1)), "alignment %u", value[0]);
        display->pitch = display->virtual[0] * (display->depth / 8);
        allocate(display, value);
        return 8;
    case 0x48001: /* release */
        display->address = 0;
        return 0;
    case 0x40002: /* blank */
        model_require(model, value[0] <= 1, "blank state %#x sets reserved bits", value[0]);
        display->blank = value[0];
        return 4;
    case 0x40003: /* the panel's size, before anything is set */
        memcpy(value, display->native, 8);
        return 8;
    case 0x48003:
        display->set |= 1;
        model_require(model, value[0] && value[0] <= MOST && value[1] && value[1] <= MOST,
                      "a size of %ux%u", value[0], value[1]);
        memcpy(display->physical, value, 8);
        return 8;
    case 0x48004:
        display->set |= 2;
        model_require(model, value[0] >= display->physical[0] && value[1] >= display->physical[1],
                      "a virtual size of %ux%u, smaller than the physical one", value[0], value[1]);
        memcpy(display->virtual, value, 8);
        return 8;
    case 0x48005:
        display->set |= 4;
        model_require(model, value[0] == 8 || value[0] == 16 || value[0] == 24 || value[0] == 32,
                      "a depth of %u", value[0]);
        display->depth = value[0];
        return 4;
    case 0x48006:
        display->set |= 8;
        model_require(model, value[0] <= 1, "pixel order %u", value[0]);
        if (display->blue_low)
            value[0] = 0;
        display->order = value[0];
        return 4;
    case 0x48009:
        model_require(model,
                      value[0] + display->physical[0] <= display->virtual[0] &&
                          value[1] + display->physical[1] <= display->virtual[1],
                      "an offset of %u, %u leaves the virtual screen", value[0], value[1]);
        return 8;
    case 0x40008:
        value[0] = display->pitch;
        return 4;
    default:
        return UNKNOWN;
    }
}

int vc_display_answer(struct model_vc_mailbox *mailbox, uint32_t tag, uint32_t *value)
{
    struct vc_display *display = &mailbox->display;
    int length = work(&mailbox->model, display, tag, value);
    return length == UNKNOWN ? UNKNOWN : lie(display, tag, value, length);
}
