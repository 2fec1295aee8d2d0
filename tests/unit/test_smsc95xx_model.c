/* SPDX-License-Identifier: BSD-2-Clause */
/* The model of the LAN9514 itself: what it does for a driver that keeps to the data sheet, and
 * which drivers it refuses. */
#include "usb_wire.h"

#include <tests/models/smsc95xx.h>

enum { HW_CFG = 0x14, MII_ADDR = 0x114, MII_DATA = 0x118, INT_EP_CTL = 0x68 };
enum { MEF_BCE_BIR = 1 << 5 | 1 << 1 | 1 << 12 };

static struct model_smsc chip;
static unsigned in_toggle, out_toggle, interrupt_toggle;
static uint8_t taken[2048];
static unsigned taken_length;

static const uint8_t own[6] = {2, 0, 0, 0, 0, 1};

static uint32_t read_register(unsigned offset)
{
    uint32_t value;

    assert_int_equal(request(&chip.usb, 0xc0, 0xa1, 0, offset, 4), 4);
    memcpy(&value, packet, 4);
    return value;
}

static void write_register(unsigned offset, uint32_t value)
{
    assert_int_equal(send_request(&chip.usb, 0x40, 0xa0, 0, offset, &value, 4), USB_DATA);
}

static void take_frame(struct model_smsc *smsc, const uint8_t *frame, unsigned length)
{
    (void)smsc;
    memcpy(taken, frame, length);
    taken_length = length;
}

static void plug(void)
{
    start_wire();
    model_smsc_init(&chip);
    chip.transmitted = take_frame;
    usb_plug(&root, &chip.usb);
    reset_root();
    configure(&chip.usb, 3);
    in_toggle = out_toggle = interrupt_toggle = 0;
}

static void start_paths(uint32_t checksums)
{
    plug();
    write_register(HW_CFG, MEF_BCE_BIR);
    write_register(SMSC_BURST_CAP, 37);
    write_register(SMSC_ADDRL, 2);
    write_register(SMSC_ADDRH, 0x0100);
    write_register(SMSC_COE_CR, checksums);
    write_register(SMSC_MAC_CR, SMSC_TXEN | SMSC_RXEN | 1 << 20 | 1 << 13);
    write_register(SMSC_TX_CFG, SMSC_TX_ON);
    model_smsc_cable(&chip, true);
    world_advance(2 * BB_SEC);
    assert_true(chip.link);
}

static uint16_t mii(unsigned number, bool write, uint16_t value)
{
    if (write)
        write_register(MII_DATA, value);
    write_register(MII_ADDR, 1u << 11 | number << 6 | (write ? 2 : 0) | 1);
    world_advance(BB_MSEC);
    assert_false(read_register(MII_ADDR) & 1);
    return (uint16_t)read_register(MII_DATA);
}

static enum usb_answer bulk_in(void)
{
    enum usb_answer answer = token(&chip.usb, USB_IN, 1, 0, NULL, 0);

    if (answer == USB_DATA)
        assert_int_equal(last.toggle, in_toggle++ & 1);
    return answer;
}

static enum usb_answer bulk_out(const void *data, unsigned length)
{
    return token(&chip.usb, USB_OUT, 2, out_toggle++ & 1, data, length);
}

/* ---- What it does ---- */

static void test_registers(void **state)
{
    (void)state;
    plug();
    assert_int_equal(read_register(0) >> 16, 0xec00);
    assert_int_equal(read_register(SMSC_ADDRL), 0xffffffff); /* no EEPROM */
    write_register(HW_CFG, 1 << 3);
    assert_true(read_register(HW_CFG) & 1 << 3);
    world_advance(BB_MSEC);
    assert_false(read_register(HW_CFG) & 1 << 3);
    write_register(0x30, 1u << 31); /* a look for an EEPROM */
    assert_true(read_register(0x30) & 1u << 31);
    world_advance(40 * BB_MSEC);
    assert_int_equal(read_register(0x30), 1 << 10);
}

static void test_link(void **state)
{
    (void)state;
    plug();
    assert_int_equal(mii(2, false, 0), 7);
    assert_false(mii(1, false, 0) & 4);
    mii(30, true, 0x50);
    write_register(INT_EP_CTL, 1 << 15);
    assert_int_equal(token(&chip.usb, USB_IN, 3, 0, NULL, 0), USB_NAK);
    model_smsc_cable(&chip, true);
    world_advance(2 * BB_SEC);
    assert_int_equal(token(&chip.usb, USB_IN, 3, 0, NULL, 0), USB_DATA);
    assert_int_equal(last.length, 4);
    assert_int_equal(packet[1], 0x80);
    write_register(SMSC_INT_STS, 1 << 15);
    assert_true(mii(29, false, 0) & 0x40);
    assert_true(mii(1, false, 0) & 4);
    assert_int_equal(mii(31, false, 0) & 0x1c, 0x18); /* 100 Mb/s, full duplex */
    model_smsc_cable(&chip, false);
    model_smsc_cable(&chip, true);
    world_advance(2 * BB_SEC);
    assert_false(mii(1, false, 0) & 4); /* it fell meanwhile */
    assert_true(mii(1, false, 0) & 4);
    chip.partner = 0x0021; /* 10 Mb/s, half duplex */
    mii(0, true, 0x1200);
    world_advance(2 * BB_SEC);
    assert_int_equal(mii(31, false, 0) & 0x1c, 0x04);
}

static void test_receive(void **state)
{
    uint8_t frame[100];
    uint32_t status;

    (void)state;
    start_paths(0);
    for (unsigned i = 0; i < sizeof frame; i++)
        frame[i] = (uint8_t)i;
    memcpy(frame, own, 6);
    assert_int_equal(bulk_in(), USB_NAK);
    assert_true(model_smsc_receive(&chip, frame, 61, 0));
    assert_true(model_smsc_receive(&chip, frame, 100, 0));
    frame[5] = 9;
    assert_false(model_smsc_receive(&chip, frame, 100, 0)); /* somebody else's */
    assert_int_equal(bulk_in(), USB_DATA);
    memcpy(&status, packet, 4);
    assert_int_equal(status, (61 + 4) << 16);
    assert_memory_equal(packet + 4, own, 6);
    memcpy(&status, packet + 72, 4); /* 4 + 65, up to a DWORD */
    assert_int_equal(status, (100 + 4) << 16);
    assert_int_equal(last.length, 72 + 4 + 104);
    assert_int_equal(bulk_in(), USB_NAK);
}

static void test_filters(void **state)
{
    static const uint8_t group[6] = {0x01, 0, 0x5e, 0, 0, 1};
    uint8_t frame[60] = {0};

    (void)state;
    start_paths(0);
    memcpy(frame, group, 6);
    assert_false(model_smsc_receive(&chip, frame, 60, 0));
    write_register(SMSC_HASHH, 0); /* the upper six bits of its CRC: 31 */
    write_register(SMSC_HASHL, 1u << 31);
    assert_true(model_smsc_receive(&chip, frame, 60, 0));
    memset(frame, 255, 6);
    assert_true(model_smsc_receive(&chip, frame, 60, 0));
    assert_false(model_smsc_receive(&chip, frame, 60, SMSC_RX_CRC));
    assert_int_equal(chip.dropped, 1);
}

static void put_command(uint8_t *at, uint32_t a, uint32_t b)
{
    memcpy(at, &a, 4);
    memcpy(at + 4, &b, 4);
}

static void test_send(void **state)
{
    uint8_t buffer[600];

    (void)state;
    start_paths(0);
    memset(buffer, 0x33, sizeof buffer);
    put_command(buffer, 1 << 13 | 1 << 12 | 42, 42);
    assert_int_equal(bulk_out(buffer, 50), USB_ACK);
    assert_int_equal(taken_length, 60); /* padded */
    put_command(buffer, 1 << 13 | 1 << 12 | 590, 590);
    assert_int_equal(bulk_out(buffer, 512), USB_ACK);
    assert_int_equal(taken_length, 60);
    assert_int_equal(bulk_out(buffer, 8 + 590 - 512), USB_ACK);
    assert_int_equal(taken_length, 590);
    assert_int_equal(chip.sent, 2);
}

static void test_checksums(void **state)
{
    uint8_t buffer[8 + 4 + 64], frame[60] = {0};
    uint32_t preamble = 16u << 16 | 14;
    uint16_t sum;

    (void)state;
    start_paths(SMSC_TX_COE | SMSC_RX_COE);
    memset(buffer, 0, sizeof buffer);
    put_command(buffer, 1 << 13 | 1 << 12 | 68, 1 << 14 | 68);
    memcpy(buffer + 8, &preamble, 4);
    buffer[12 + 14] = 0x12;
    buffer[12 + 15] = 0x34;
    assert_int_equal(bulk_out(buffer, sizeof buffer), USB_ACK);
    assert_int_equal(taken_length, 64);
    assert_int_equal(taken[16], 0xed); /* ~0x1234, as the network has it */
    assert_int_equal(taken[17], 0xcb);
    memcpy(frame, own, 6);
    frame[14] = 0xff;
    frame[15] = 0xff;
    frame[17] = 1;
    assert_true(model_smsc_receive(&chip, frame, 60, 0));
    assert_int_equal(bulk_in(), USB_DATA);
    assert_int_equal(last.length, 4 + 60 + 4 + 2);
    memcpy(&sum, packet + 68, 2);
    assert_int_equal(sum, 0x0100);
}

/* ---- Drivers that are refused ---- */

static void unknown_register(void)
{
    plug();
    read_register(4);
}

static void reserved_bits(void)
{
    plug();
    write_register(SMSC_TX_CFG, 8);
}

static void wrong_length(void)
{
    plug();
    request(&chip.usb, 0xc0, 0xa1, 0, 0, 2);
}

static void while_it_resets(void)
{
    plug();
    write_register(HW_CFG, 1 << 3);
    read_register(0);
}

static void mii_while_busy(void)
{
    plug();
    write_register(MII_ADDR, 1u << 11 | 1);
    read_register(MII_DATA);
}

static void receiver_without_address(void)
{
    plug();
    write_register(SMSC_MAC_CR, SMSC_RXEN);
}

static void checksums_while_it_runs(void)
{
    start_paths(0);
    write_register(SMSC_COE_CR, SMSC_RX_COE);
}

static void sent_while_off(void)
{
    uint8_t buffer[50] = {0};

    start_paths(0);
    write_register(SMSC_TX_CFG, 2);
    put_command(buffer, 1 << 13 | 1 << 12 | 42, 42);
    bulk_out(buffer, 50);
}

static void wrong_frame_length(void)
{
    uint8_t buffer[50] = {0};

    start_paths(0);
    put_command(buffer, 1 << 13 | 1 << 12 | 42, 43);
    bulk_out(buffer, 50);
}

static void ends_too_soon(void)
{
    uint8_t buffer[50] = {0};

    start_paths(0);
    put_command(buffer, 1 << 13 | 1 << 12 | 43, 43);
    bulk_out(buffer, 50);
}

static void checksum_in_the_header(void)
{
    uint8_t buffer[8 + 68] = {0};

    start_paths(SMSC_TX_COE);
    put_command(buffer, 1 << 13 | 1 << 12 | 68, 1 << 14 | 68);
    bulk_out(buffer, sizeof buffer); /* a preamble of 0 */
}

static int refused(void *context)
{
    void (*body)(void) = *(void (**)(void))context;

    body();
    return 0;
}

static void test_drivers_that_are_refused(void **state)
{
    static void (*const bodies[])(void) = {
        unknown_register,        reserved_bits,          wrong_length,
        while_it_resets,         mii_while_busy,         receiver_without_address,
        checksums_while_it_runs, sent_while_off,         wrong_frame_length,
        ends_too_soon,           checksum_in_the_header,
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
        cmocka_unit_test(test_registers),
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_receive),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_send),
        cmocka_unit_test(test_checksums),
        cmocka_unit_test(test_drivers_that_are_refused),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
