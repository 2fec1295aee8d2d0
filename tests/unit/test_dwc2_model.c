/* SPDX-License-Identifier: BSD-2-Clause */
/* DWC2's register model itself: a host by hand that keeps to the rules, and those that do not. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <busbar/arch.h>
#include <busbar/time.h>

#include <tests/models/dwc2.h>
#include <tests/models/usb_loop.h>

enum { BASE = 0x3f980000, BUS = 0xc0000000, MEMORY = 65536 };
enum {
    GAHBCFG = 0x8,
    GUSBCFG = 0xc,
    GRSTCTL = 0x10,
    GINTSTS = 0x14,
    GINTMSK = 0x18,
    GRXFSIZ = 0x24,
    GNPTXFSIZ = 0x28,
    HPTXFSIZ = 0x100,
    HCFG = 0x400,
    HFNUM = 0x408,
    HAINT = 0x414,
    HAINTMSK = 0x418,
    HPRT = 0x440,
    HCCHAR = 0x500,
    HCSPLT = 0x504,
    HCINT = 0x508,
    HCINTMSK = 0x50c,
    HCTSIZ = 0x510,
    HCDMA = 0x514,
};
enum { DATA0 = 0, DATA1 = 2, SETUP = 3 };
#define CHENA (1u << 31)
#define CHDIS (1u << 30)

static struct model_dwc2 dwc2;
static struct model_loop loop;
static bool line;
/* As the CPU has it, as it is, and as it was at the last cache operation. */
static _Alignas(64) uint8_t cpu[MEMORY], memory[MEMORY], synced[MEMORY];

static uint32_t get(unsigned offset)
{
    return bb_arch_read32(BASE + offset);
}

static void put(unsigned offset, uint32_t value)
{
    bb_arch_write32(BASE + offset, value);
}

static void interrupt(void *context, unsigned number, bool level)
{
    (void)context, (void)number;
    line = level;
}

/* What <busbar/dma.h> does to lend and to get back. */
static void lend(void)
{
    memcpy(memory, cpu, MEMORY);
    memcpy(synced, cpu, MEMORY);
}

static void get_back(void)
{
    memcpy(cpu, memory, MEMORY);
    memcpy(synced, memory, MEMORY);
}

static void begin(void)
{
    world_start(1000000);
    model_dwc2_map(&dwc2, BASE);
    model_dwc2_memory(&dwc2, BUS, cpu, memory, synced, MEMORY);
    dwc2.irq.set = interrupt;
    world_advance(BB_MSEC);
}

static void reset_core(void)
{
    assert_true(get(GRSTCTL) & 1u << 31);
    put(GRSTCTL, 1);
    world_advance(BB_MSEC);
    assert_int_equal(get(GRSTCTL) & 1, 0);
}

static void set_fifos(uint32_t rx, uint32_t tx, uint32_t ptx)
{
    put(GRXFSIZ, rx);
    put(GNPTXFSIZ, tx << 16 | rx);
    put(HPTXFSIZ, ptx << 16 | (rx + tx));
}

static void flush_fifos(void)
{
    put(GRSTCTL, 0x10 << 6 | 1 << 5);
    world_advance(BB_MSEC);
    put(GRSTCTL, 1 << 4);
    world_advance(BB_MSEC);
}

static void start_core(void)
{
    begin();
    reset_core();
    put(GAHBCFG, 1 << 5 | 1);
    set_fifos(774, 256, 512);
    flush_fifos();
    put(HCFG, 0);
    put(HPRT, 1 << 12);
}

static void start(enum bb_usb_speed speed)
{
    start_core();
    model_loop_init(&loop, "loop", speed);
    usb_plug(&dwc2.socket, &loop.usb);
    world_advance(150 * BB_MSEC);
    assert_true(get(HPRT) & 1);
    put(HPRT, 1 << 12 | 1 << 1);
    put(HPRT, 1 << 12 | 1 << 8);
    world_advance(55 * BB_MSEC);
    put(HPRT, 1 << 12);
    world_advance(20 * BB_MSEC);
    assert_int_equal(get(HPRT) & 0xf, 1 << 0 | 1 << 2 | 1 << 3);
    put(HPRT, 1 << 12 | 1 << 3);
}

/* One run of channel 0; what HCINT says at its end. */
static uint32_t run(unsigned address, unsigned endpoint, unsigned type, unsigned packet,
                    unsigned pid, uint32_t at, uint32_t size)
{
    uint32_t packets = size ? (size + packet - 1) / packet : 1;
    bool in = endpoint & 0x80;

    lend();
    put(HCSPLT, 0);
    put(HCTSIZ, pid << 29 | packets << 19 | (in ? packets * packet : size));
    put(HCDMA, BUS + at);
    put(HCCHAR, CHENA | address << 22 | 1 << 20 | type << 18 | (in ? 1 << 15 : 0) |
                    (endpoint & 15) << 11 | packet);
    for (unsigned i = 0; i < 1000 && !(get(HCINT) & DWC2_CHHLTD); i++)
        world_advance(10 * BB_USEC);
    uint32_t why = get(HCINT);
    put(HCINT, why);
    get_back();
    return why;
}

enum { DONE = DWC2_XFERCOMPL | DWC2_CHHLTD | DWC2_ACK };

static void send_setup(unsigned address, uint8_t type, uint8_t request, uint16_t value,
                       uint16_t length)
{
    struct bb_usb_setup setup = {type, request, value, 0, length};

    memcpy(cpu, &setup, 8);
    assert_int_equal(run(address, 0, 0, 64, SETUP, 0, 8), DONE);
}

static void configure(void)
{
    send_setup(0, 0, BB_USB_SET_ADDRESS, 4, 0);
    assert_int_equal(run(0, 0x80, 0, 64, DATA1, 64, 0), DONE);
    world_advance(5 * BB_MSEC);
    send_setup(4, 0, BB_USB_SET_CONFIGURATION, 1, 0);
    assert_int_equal(run(4, 0x80, 0, 64, DATA1, 64, 0), DONE);
    assert_true(usb_is_configured(&loop.usb));
}

/* ---- What it does ---- */

static void test_transfers(void **state)
{
    (void)state;
    start(BB_USB_HIGH);
    configure();
    for (unsigned i = 0; i < 1500; i++)
        cpu[1024 + i] = (uint8_t)(i * 3);
    assert_int_equal(run(4, 0x01, 2, 512, DATA0, 1024, 1500), DONE);
    assert_int_equal(get(HCTSIZ) >> 19 & 0x3ff, 0);
    assert_int_equal(get(HCTSIZ) >> 29, DATA1); /* after three packets */
    assert_int_equal(loop.received, 1500);
    assert_int_equal(run(4, 0x81, 2, 512, DATA0, 4096, 2048), DONE);
    assert_int_equal(get(HCTSIZ) & 0x7ffff, 2048 - 1500);
    assert_int_equal(get(HCTSIZ) >> 19 & 0x3ff, 1);
    assert_int_equal(get(HCTSIZ) >> 29, DATA1);
    assert_memory_equal(cpu + 1024, cpu + 4096, 1500);
}

static void test_interrupts(void **state)
{
    (void)state;
    start(BB_USB_HIGH);
    configure();
    assert_false(line);
    put(GINTMSK, 1 << 25);
    put(HAINTMSK, 1);
    put(HCINTMSK, DWC2_CHHLTD);
    lend();
    put(HCTSIZ, DATA0 << 29 | 1 << 19 | 512);
    put(HCDMA, BUS + 4096);
    put(HCCHAR, CHENA | 4 << 22 | 1 << 20 | 2 << 18 | 1 << 15 | 1 << 11 | 512);
    world_advance(10 * BB_MSEC);
    assert_false(line);
    assert_int_equal(get(HCINT), DWC2_NAK); /* and tries on */
    assert_true(get(HCCHAR) & CHENA);
    put(HCCHAR, get(HCCHAR) | CHENA | CHDIS);
    assert_false(line);
    world_advance(BB_MSEC);
    assert_true(line);
    assert_int_equal(get(HAINT), 1);
    assert_true(get(GINTSTS) & 1 << 25);
    assert_false(get(HCCHAR) & CHENA);
    put(HCINT, ~0u & 0x3fff);
    assert_false(line);
}

static void test_flaws(void **state)
{
    (void)state;
    start(BB_USB_HIGH);
    configure();
    assert_int_equal(run(4, 0x01, 2, 512, DATA1, 0, 10), DONE); /* acknowledged, and dropped */
    assert_int_equal(loop.received, 0);
    usb_fault(&loop.usb, 0x01, 1, 1, USB_FAULT_SILENT);
    assert_int_equal(run(4, 0x01, 2, 512, DATA0, 0, 10), DWC2_XACTERR | DWC2_CHHLTD);
    assert_int_equal(get(HCTSIZ) >> 19 & 0x3ff, 1); /* not sent */
    assert_int_equal(get(HCTSIZ) & 0x7ffff, 0);     /* but fetched */
    usb_fault(&loop.usb, 0x01, 1, 1, USB_FAULT_STALL);
    assert_int_equal(run(4, 0x01, 2, 512, DATA0, 0, 10), DWC2_STALL | DWC2_CHHLTD);
    usb_fault(&loop.usb, 0x81, 1, 1, USB_FAULT_BABBLE);
    assert_int_equal(run(4, 0x81, 2, 512, DATA0, 0, 512), DWC2_BBLERR | DWC2_CHHLTD);
    usb_unplug(&loop.usb);
    assert_int_equal(get(HPRT) & 5, 0);
    assert_true(get(GINTSTS) & 1 << 29);
    assert_int_equal(run(4, 0x81, 2, 512, DATA0, 0, 512), 0); /* nothing, ever */
}

static void test_frames(void **state)
{
    (void)state;
    start(BB_USB_HIGH);
    uint32_t before = get(HFNUM) & 0x3fff;
    world_advance(10 * BB_MSEC);
    assert_in_range((get(HFNUM) - before) & 0x3fff, 80, 81);
}

/* ---- Hosts that are refused ---- */

static void reset_without_a_look(void)
{
    begin();
    put(GRSTCTL, 1);
}

static void access_while_it_resets(void)
{
    begin();
    get(GRSTCTL);
    put(GRSTCTL, 1);
    get(GAHBCFG);
}

static void another_phy(void)
{
    begin();
    put(GUSBCFG, 1 << 4);
}

static void device_register(void)
{
    begin();
    get(0x800);
}

static void fifo_register(void)
{
    start_core();
    get(0x1000);
}

static void as_a_device(void)
{
    begin();
    dwc2.b_device = true;
    put(GUSBCFG, 0x1400 | 1 << 29);
    world_advance(20 * BB_MSEC);
    get(HPRT);
}

static void reset_without_power(void)
{
    begin();
    reset_core();
    put(HPRT, 1 << 8);
}

static void reset_too_short(void)
{
    start_core();
    model_loop_init(&loop, "loop", BB_USB_HIGH);
    usb_plug(&dwc2.socket, &loop.usb);
    world_advance(150 * BB_MSEC);
    put(HPRT, 1 << 12 | 1 << 8);
    world_advance(10 * BB_MSEC);
    put(HPRT, 1 << 12);
}

static void fifos_too_large(void)
{
    start(BB_USB_HIGH);
    set_fifos(2000, 1000, 2000);
    flush_fifos();
    configure();
}

static void fifo_too_small(void)
{
    start(BB_USB_HIGH);
    set_fifos(128, 256, 512);
    flush_fifos();
    configure();
}

static void fifos_not_flushed(void)
{
    start(BB_USB_HIGH);
    set_fifos(775, 256, 512);
    configure();
}

static void no_dma(void)
{
    start(BB_USB_HIGH);
    put(GAHBCFG, 1);
    configure();
}

static void not_whole_packets(void)
{
    start(BB_USB_HIGH);
    configure();
    lend();
    put(HCTSIZ, 1 << 19 | 100);
    put(HCDMA, BUS);
    put(HCCHAR, CHENA | 4 << 22 | 1 << 20 | 2 << 18 | 1 << 15 | 1 << 11 | 512);
}

static void wrong_packet_count(void)
{
    start(BB_USB_HIGH);
    configure();
    lend();
    put(HCTSIZ, 1 << 19 | 1000);
    put(HCDMA, BUS);
    put(HCCHAR, CHENA | 4 << 22 | 1 << 20 | 2 << 18 | 1 << 11 | 512);
}

static void misaligned(void)
{
    start(BB_USB_HIGH);
    configure();
    run(4, 0x01, 2, 512, DATA0, 2, 10);
}

static void not_our_memory(void)
{
    start(BB_USB_HIGH);
    configure();
    run(4, 0x01, 2, 512, DATA0, MEMORY, 10);
}

static void not_cleaned(void)
{
    start(BB_USB_HIGH);
    configure();
    lend();
    cpu[0] ^= 1;
    put(HCTSIZ, 1 << 19 | 10);
    put(HCDMA, BUS);
    put(HCCHAR, CHENA | 4 << 22 | 1 << 20 | 2 << 18 | 1 << 11 | 512);
}

static void touched(void)
{
    start(BB_USB_HIGH);
    configure();
    lend();
    put(HCTSIZ, 1 << 19 | 512);
    put(HCDMA, BUS);
    put(HCCHAR, CHENA | 4 << 22 | 1 << 20 | 2 << 18 | 1 << 15 | 1 << 11 | 512);
    cpu[100] ^= 1;
    put(HCCHAR, get(HCCHAR) | CHENA | CHDIS);
    world_advance(10 * BB_MSEC);
}

static void enabled_twice(void)
{
    start(BB_USB_HIGH);
    configure();
    lend();
    put(HCTSIZ, 1 << 19 | 512);
    put(HCDMA, BUS);
    put(HCCHAR, CHENA | 4 << 22 | 1 << 20 | 2 << 18 | 1 << 15 | 1 << 11 | 512);
    put(HCTSIZ, 1 << 19 | 512);
}

static void old_interrupts(void)
{
    start(BB_USB_HIGH);
    configure();
    dwc2.channels[0].hcint = DWC2_CHHLTD;
    run(4, 0x01, 2, 512, DATA0, 0, 10);
}

static void low_speed_bit(void)
{
    start(BB_USB_LOW);
    send_setup(0, 0, BB_USB_SET_ADDRESS, 4, 0);
}

static void ping_for_in(void)
{
    start(BB_USB_HIGH);
    configure();
    lend();
    put(HCTSIZ, 1u << 31 | 1 << 19 | 512);
    put(HCDMA, BUS);
    put(HCCHAR, CHENA | 4 << 22 | 1 << 20 | 2 << 18 | 1 << 15 | 1 << 11 | 512);
}

static void disable_alone(void)
{
    start(BB_USB_HIGH);
    configure();
    lend();
    put(HCTSIZ, 1 << 19 | 512);
    put(HCDMA, BUS);
    put(HCCHAR, CHENA | 4 << 22 | 1 << 20 | 2 << 18 | 1 << 15 | 1 << 11 | 512);
    put(HCCHAR, (get(HCCHAR) & ~CHENA) | CHDIS);
}

static int refused(void *context)
{
    void (*body)(void) = *(void (**)(void))context;

    body();
    return 0;
}

static void test_hosts_that_are_refused(void **state)
{
    static void (*const bodies[])(void) = {
        reset_without_a_look, access_while_it_resets,
        another_phy,          device_register,
        fifo_register,        as_a_device,
        reset_without_power,  reset_too_short,
        fifos_too_large,      fifo_too_small,
        fifos_not_flushed,    no_dma,
        not_whole_packets,    wrong_packet_count,
        misaligned,           not_our_memory,
        not_cleaned,          touched,
        enabled_twice,        old_interrupts,
        low_speed_bit,        ping_for_in,
        disable_alone,
    };
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(bodies); i++) {
        void (*body)(void) = bodies[i];
        assert_int_equal(run_child(refused, &body), 255);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfers),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_flaws),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_hosts_that_are_refused),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
