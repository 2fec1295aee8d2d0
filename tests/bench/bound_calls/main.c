/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pairs of functions that tests/bench/bound_calls.py disassembles: call_<class> goes through the
 * public API, hand_<class> calls a function of this file directly, and inline_<class> does by hand
 * what the driver does, should the compiler inline that. In a release build with one driver of the
 * class the first must come out as the second or as the third.
 */
#include <busbar/app.h>
#include <busbar/console.h>
#include <busbar/mailbox.h>
#include <busbar/mmio.h>
#include <busbar/rtc.h>

#define KEEP __attribute__((noinline, used, retain))

KEEP int direct_rtc(struct bb_rtc *rtc, int64_t *seconds);
KEEP int direct_rtc(struct bb_rtc *rtc, int64_t *seconds)
{
    *seconds = *(volatile uint32_t *)rtc->alarm_context;
    return 0;
}

KEEP int direct_console(struct bb_console *console, const char *data, size_t size);
KEEP int direct_console(struct bb_console *console, const char *data, size_t size)
{
    console->sent += size + (unsigned char)data[0];
    return (int)size;
}

KEEP int direct_mailbox(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value,
                        uint64_t timeout, uint32_t *reply);
KEEP int direct_mailbox(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value,
                        uint64_t timeout, uint32_t *reply)
{
    mailbox->channels = channel + value + (uint32_t)timeout;
    *reply = value;
    return (int)(value & 1);
}

KEEP int call_rtc(struct bb_rtc *rtc, int64_t *seconds);
KEEP int call_rtc(struct bb_rtc *rtc, int64_t *seconds)
{
    return bb_rtc_get_time(rtc, seconds);
}

KEEP int hand_rtc(struct bb_rtc *rtc, int64_t *seconds);
KEEP int hand_rtc(struct bb_rtc *rtc, int64_t *seconds)
{
    return direct_rtc(rtc, seconds);
}

/* A PL031 and a PL011 as their drivers know them. */
struct clock {
    struct bb_rtc rtc;
    struct bb_regs regs;
};

struct uart {
    struct bb_console console;
    struct bb_regs regs;
};

KEEP int inline_rtc(struct bb_rtc *rtc, int64_t *seconds);
KEEP int inline_rtc(struct bb_rtc *rtc, int64_t *seconds)
{
    *seconds = bb_read32(&bb_container_of(rtc, struct clock, rtc)->regs, 0);
    return 0;
}

KEEP int inline_console(struct bb_console *console, const char *data, size_t size);
KEEP int inline_console(struct bb_console *console, const char *data, size_t size)
{
    struct uart *uart = bb_container_of(console, struct uart, console);
    size_t sent = 0;
    while (sent < size && sent < INT32_MAX && !(bb_read32(&uart->regs, 0x18) & 1 << 5))
        bb_write32(&uart->regs, 0, (uint8_t)data[sent++]);
    return (int)sent;
}

KEEP int call_console(struct bb_console *console, const char *data, size_t size);
KEEP int call_console(struct bb_console *console, const char *data, size_t size)
{
    return bb_console_write(console, data, size);
}

KEEP int hand_console(struct bb_console *console, const char *data, size_t size);
KEEP int hand_console(struct bb_console *console, const char *data, size_t size)
{
    return direct_console(console, data, size);
}

KEEP int call_mailbox(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value,
                      uint64_t timeout, uint32_t *reply);
KEEP int call_mailbox(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value,
                      uint64_t timeout, uint32_t *reply)
{
    return bb_mailbox_call(mailbox, channel, value, timeout, reply);
}

KEEP int hand_mailbox(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value,
                      uint64_t timeout, uint32_t *reply);
KEEP int hand_mailbox(struct bb_mailbox *mailbox, uint32_t channel, uint32_t value,
                      uint64_t timeout, uint32_t *reply)
{
    return direct_mailbox(mailbox, channel, value, timeout, reply);
}

int bb_main(void)
{
    return 0;
}
