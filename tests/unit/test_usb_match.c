/* SPDX-License-Identifier: BSD-2-Clause */
/* Which nodes a configuration makes, under what names, and which configuration is chosen. */
#include "usb.h"

#include <bus/usb/internal.h>

#define CLASS_DESCRIPTOR(length, subtype, ...) length, BB_USB_CLASS_INTERFACE, subtype, __VA_ARGS__
#define UNION_OF(control, data) CLASS_DESCRIPTOR(5, 6, control, data)
#define TOGETHER(first, count) 8, BB_USB_ASSOCIATION_DESCRIPTOR, first, count, 2, 2, 1, 0

static struct bb_usb_layout layout;

static void check(const uint8_t *data, size_t size)
{
    const char *wrong = bb_usb_check(data, size, BB_USB_FULL, &layout);
    if (wrong)
        fail_msg("%s", wrong);
}

/* The owners' numbers, in order, as digits. */
static void owners_are(const char *expected)
{
    char text[20] = "";
    for (unsigned i = 0; i < layout.count; i++)
        text[i] = (char)('0' + layout.parts[layout.parts[i].owner].number);
    assert_string_equal(text, expected);
}

/* ---- Functions ---- */

static void test_each_by_itself(void **state)
{
    static const uint8_t data[] = {USB_CONFIGURATION(27, 2, 1, 0), USB_INTERFACE(0, 0, 0, 3, 1, 1),
                                   USB_INTERFACE(1, 0, 0, 3, 1, 2)};
    (void)state;
    check(data, sizeof(data));
    owners_are("01");
}

static void test_union(void **state)
{
    static const uint8_t data[] = {USB_CONFIGURATION(41, 3, 1, 0), USB_INTERFACE(0, 0, 0, 2, 6, 0),
                                   UNION_OF(0, 2), USB_INTERFACE(1, 0, 0, 3, 1, 1),
                                   USB_INTERFACE(2, 0, 0, 10, 0, 0)};
    (void)state;
    check(data, sizeof(data));
    owners_are("010");
}

static void test_association(void **state)
{
    static const uint8_t data[] = {USB_CONFIGURATION(44, 3, 1, 0), USB_INTERFACE(0, 0, 0, 3, 1, 1),
                                   TOGETHER(1, 2), USB_INTERFACE(1, 0, 0, 2, 2, 1),
                                   USB_INTERFACE(2, 0, 0, 10, 0, 0)};
    (void)state;
    check(data, sizeof(data));
    owners_are("011");
    assert_int_equal(layout.parts[0].length, 9); /* the association is no part of what precedes */
}

/* Itself, one that is not there, one that is somebody's, one that has somebody; no circles. */
static void test_unions_that_lie(void **state)
{
    static const uint8_t data[] = {
        USB_CONFIGURATION(9 + 9 + 8 + 9 + 5 + 9 + 5 + 9 + 5 + 4, 4, 1, 0),
        USB_INTERFACE(0, 0, 0, 2, 6, 0),
        CLASS_DESCRIPTOR(8, 6, 0, 0, 1, 9, 255),
        USB_INTERFACE(1, 0, 0, 2, 6, 0),
        UNION_OF(1, 0),
        USB_INTERFACE(2, 0, 0, 2, 6, 0),
        UNION_OF(2, 0),
        USB_INTERFACE(3, 0, 0, 0xff, 6, 0),
        UNION_OF(3, 2),             /* no communication device */
        CLASS_DESCRIPTOR(4, 6, 3)}; /* too short */
    (void)state;
    check(data, sizeof(data));
    owners_are("0023");
    static const uint8_t other[] = {USB_CONFIGURATION(32, 2, 1, 0), USB_INTERFACE(0, 0, 0, 2, 6, 0),
                                    UNION_OF(1, 0), /* of somebody else */
                                    USB_INTERFACE(1, 0, 0, 2, 6, 0)};
    check(other, sizeof(other));
    owners_are("01");
}

static void test_associations_that_lie(void **state)
{
    static const uint8_t data[] = {USB_CONFIGURATION(9 + 8 + 8 + 8 + 8 + 18 + 4, 2, 1, 0),
                                   TOGETHER(0, 255),
                                   TOGETHER(1, 2),
                                   TOGETHER(7, 3),
                                   TOGETHER(255, 255),
                                   4,
                                   BB_USB_ASSOCIATION_DESCRIPTOR,
                                   0,
                                   2,
                                   USB_INTERFACE(0, 0, 0, 2, 2, 1),
                                   USB_INTERFACE(1, 0, 0, 10, 0, 0)};
    (void)state;
    check(data, sizeof(data));
    owners_are("00");
}

/* ---- Names ---- */

static void test_names(void **state)
{
    static const char *const names[] = {"usbif403,6001.config1.0", "usbif403,6001.classff.1.20",
                                        "usbif403,6001.classff",   "usbif,classff.1.20",
                                        "usbif,classff.1",         "usbif,classff"};
    static const struct bb_usb_device device = {.vendor = 0x403, .product = 0x6001};
    const struct bb_usb_part part = {.class = 0xff, .subclass = 1, .protocol = 0x20};
    char text[BB_USB_COMPATIBLE];
    (void)state;
    size_t length = bb_usb_compatible(&device, 1, &part, text, sizeof(text)), at = 0;
    for (size_t i = 0; i < BB_ARRAY_SIZE(names); i++) {
        assert_string_equal(text + at, names[i]);
        at += strlen(names[i]) + 1;
    }
    assert_int_equal(at, length);
    /* The longest fit; what does not is left out whole. */
    static const struct bb_usb_device longest = {.vendor = 0xffff, .product = 0xffff};
    const struct bb_usb_part all = {
        .number = 0xff, .class = 0xff, .subclass = 0xff, .protocol = 0xff};
    length = bb_usb_compatible(&longest, 255, &all, text, sizeof(text));
    assert_int_equal(text[length - 1], 0);
    assert_string_equal(text + length - sizeof("usbif,classff"), "usbif,classff");
    length = bb_usb_compatible(&longest, 255, &all, text, 40);
    assert_true(length <= 40 && !text[length - 1]);
    for (size_t size = 0; size < sizeof("usbif,classff"); size++)
        assert_int_equal(bb_usb_compatible(&longest, 255, &all, text, size), 0);
}

static void test_nodes(void **state)
{
    static struct usb_model model;
    static const uint8_t device[] = {USB_DEVICE(0, 0, 0, 64, 0x1234, 0xab, 1)};
    static const uint8_t data[] = {USB_CONFIGURATION(50, 4, 3, 0),
                                   USB_INTERFACE(0, 0, 0, 2, 0x7f, 0),
                                   UNION_OF(0, 12),
                                   USB_INTERFACE(5, 0, 0, 0xff, 1, 1),
                                   USB_INTERFACE(12, 0, 0, 10, 0, 0),
                                   USB_INTERFACE(255, 0, 0, 0xff, 0, 0)};
    (void)state;
    prepare(1);
    make_device(&model, BB_USB_FULL, USB_BYTES(device), USB_BYTES(data));
    usb_plug(&soft_host.sockets[0], &model);
    boot(NULL);
    settle();
    const struct bb_node *node = bb_node_find(ROOT_DEVICE);
    assert_true(bb_node_compatible(node, "usb1234,ab"));
    assert_true(bb_node_compatible(node, "usb,device"));
    assert_non_null(bb_node_find(ROOT_DEVICE "/interface@0"));
    assert_null(bb_node_find(ROOT_DEVICE "/interface@c")); /* it belongs to the first */
    node = bb_node_find(ROOT_DEVICE "/interface@ff");
    assert_true(bb_node_compatible(node, "usbif1234,ab.config3.ff"));
    assert_int_equal(prober.probes, 2); /* 5 and ff */
    assert_ptr_equal(bb_usb_device_of(node), bb_usb_next(NULL));
    assert_null(bb_usb_device_of(bb_node_find(SOFT_HOST)));
    must_remove(SOFT_HOST);
}

/* ---- Configurations ---- */

static struct usb_model model;

static unsigned chosen(const uint8_t *first, size_t first_size, const uint8_t *second,
                       size_t second_size)
{
    static const uint8_t device[] = {USB_DEVICE(0, 0, 0, 64, 0x1234, 0xab, 2)};
    prepare(1);
    make_device(&model, BB_USB_FULL, USB_BYTES(device), (struct usb_bytes){first, first_size});
    model.configurations[1] = (struct usb_bytes){second, second_size};
    usb_plug(&soft_host.sockets[0], &model);
    boot("log=error");
    settle();
    return model.configuration;
}

#define HUB_INTERFACE(number) USB_INTERFACE(number, 0, 0, 9, 0, 0)
#define UNKNOWN_INTERFACE(number) USB_INTERFACE(number, 0, 0, 0xfe, 0x77, 0)

static void test_most_functions(void **state)
{
    static const uint8_t one[] = {USB_CONFIGURATION(27, 2, 1, 0), HUB_INTERFACE(0),
                                  UNKNOWN_INTERFACE(1)};
    static const uint8_t two[] = {USB_CONFIGURATION(27, 2, 2, 0), HUB_INTERFACE(0),
                                  HUB_INTERFACE(1)};
    (void)state;
    assert_int_equal(chosen(one, sizeof(one), two, sizeof(two)), 2);
}

static void test_first_of_equals(void **state)
{
    static const uint8_t one[] = {USB_CONFIGURATION(18, 1, 4, 0), UNKNOWN_INTERFACE(0)};
    static const uint8_t two[] = {USB_CONFIGURATION(18, 1, 2, 0), UNKNOWN_INTERFACE(0)};
    (void)state;
    assert_int_equal(chosen(one, sizeof(one), two, sizeof(two)), 4);
}

static void test_what_has_a_driver(void **state)
{
    static const uint8_t one[] = {USB_CONFIGURATION(27, 2, 1, 0), UNKNOWN_INTERFACE(0),
                                  UNKNOWN_INTERFACE(1)};
    static const uint8_t two[] = {USB_CONFIGURATION(18, 1, 2, 0), HUB_INTERFACE(0)};
    (void)state;
    assert_int_equal(chosen(one, sizeof(one), two, sizeof(two)), 2);
}

static void test_the_sound_one(void **state)
{
    static const uint8_t one[] = {USB_CONFIGURATION(18, 2, 1, 0), HUB_INTERFACE(0)};
    static const uint8_t two[] = {USB_CONFIGURATION(18, 1, 2, 0), UNKNOWN_INTERFACE(0)};
    (void)state;
    assert_int_equal(chosen(one, sizeof(one), two, sizeof(two)), 2);
}

static void test_the_modest_one(void **state)
{
    static const uint8_t one[] = {USB_CONFIGURATION(18, 1, 1, 251), HUB_INTERFACE(0)};
    static const uint8_t two[] = {USB_CONFIGURATION(18, 1, 2, 250), UNKNOWN_INTERFACE(0)};
    (void)state;
    assert_int_equal(chosen(one, sizeof(one), two, sizeof(two)), 2);
}

/* QEMU's usb-net offers RNDIS first: with both drivers linked, the manifest's order decides. */
static void test_order_of_the_manifest(void **state)
{
    static const uint8_t rndis[] = {USB_CONFIGURATION(18, 1, 2, 0),
                                    USB_INTERFACE(0, 0, 0, 2, 2, 0xff)};
    static const uint8_t ecm[] = {USB_CONFIGURATION(18, 1, 1, 0), USB_INTERFACE(0, 0, 0, 2, 6, 0)};
    size_t places[2] = {0, 0};
    (void)state;
    for (size_t i = 0; i < bb_driver_count; i++) {
        if (strcmp(bb_drivers[i]->name, "net/usb_cdc_ecm") == 0)
            places[0] = i + 1;
        if (strcmp(bb_drivers[i]->name, "net/usb_rndis") == 0)
            places[1] = i + 1;
    }
    assert_true(places[0] && places[1]);
    unsigned expected = places[0] < places[1] ? 1 : 2;
    assert_int_equal(chosen(rndis, sizeof(rndis), ecm, sizeof(ecm)), expected);
}

static void test_slot_holds_the_largest_driver(void **state)
{
    (void)state;
    for (size_t i = 0; i < bb_driver_count; i++)
        if (bb_drivers[i]->bus == &bb_usb_bus)
            assert_true(bb_usb_largest_state() >= bb_drivers[i]->state_size);
    assert_true(bb_usb_largest_state() > 100);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_by_itself),
        cmocka_unit_test(test_union),
        cmocka_unit_test(test_association),
        cmocka_unit_test(test_unions_that_lie),
        cmocka_unit_test(test_associations_that_lie),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_most_functions),
        cmocka_unit_test(test_first_of_equals),
        cmocka_unit_test(test_what_has_a_driver),
        cmocka_unit_test(test_the_sound_one),
        cmocka_unit_test(test_the_modest_one),
        cmocka_unit_test(test_order_of_the_manifest),
        cmocka_unit_test(test_slot_holds_the_largest_driver),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
