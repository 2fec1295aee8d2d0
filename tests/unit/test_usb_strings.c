/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings that a device may send, and slots that are too few or too small for it. */
#include "usb.h"

static struct model_loop loops[SOFT_HOST_PORTS];
static struct usb_model model;

#define VENDOR 0x1234
#define PRODUCT 0xabc
static const uint8_t plain_device[] = {USB_DEVICE(0, 0, 0, 64, VENDOR, PRODUCT, 1)};
static const uint8_t plain_configuration[] = {USB_CONFIGURATION(9 + 9 + 7, 1, 1, 50),
                                              USB_INTERFACE(0, 0, 1, 0xff, 0, 0),
                                              USB_ENDPOINT(0x81, BB_USB_INTERRUPT, 8, 10)};

/* ---- Strings ---- */

static const uint8_t *string_bytes;
static int string_size;

static int bad_string(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    (void)usb;
    if (setup->request != BB_USB_GET_DESCRIPTOR || setup->value >> 8 != BB_USB_STRING_DESCRIPTOR ||
        (setup->value & 0xff) != 2)
        return USB_OTHER;
    if (string_size > 0)
        memcpy(data, string_bytes, (size_t)string_size);
    return string_size;
}

static void string_is(const uint8_t *bytes, int size, const char *expected)
{
    string_bytes = bytes;
    string_size = size;
    prepare(1);
    make_device(&model, BB_USB_FULL, USB_BYTES(plain_device), USB_BYTES(plain_configuration));
    model.control = bad_string;
    usb_plug(&soft_host.sockets[0], &model);
    boot(NULL);
    bb_sleep(10 * BB_SEC);
    struct bb_usb_device *device = device_of(ROOT_DEVICE);
    assert_int_equal(device->configuration, 1);
    assert_string_equal(device->model, expected);
    assert_string_equal(device->manufacturer, "Maker");
    assert_string_equal(device->serial, size == USB_WAIT ? "" : "42");
}

struct string {
    const uint8_t *bytes;
    int size;
    const char *expected;
};

static int run_string(void *context)
{
    const struct string *string = context;
    string_is(string->bytes, string->size, string->expected);
    return 0;
}

#define STRING(expected, ...)                                                                      \
    {                                                                                              \
        (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), expected           \
    }

static uint8_t endless[255];
static const struct string strings[] = {
    STRING("A", 4, 3, 'A', 0),
    STRING("A", 5, 3, 'A', 0, 'B'), /* half a character more */
    STRING("", 3, 3, 'A'),
    STRING("", 2, 3),
    STRING("", 1, 3),
    STRING("", 0, 3, 'A', 0),
    STRING("", 4),
    STRING("", 4, 1, 'A', 0),          /* another type */
    STRING("A", 255, 3, 'A', 0),       /* says more than it sends */
    STRING("A", 4, 3, 'A', 0, 'B', 0), /* sends more than it says */
    STRING("A", 6, 3, 'A', 0, 0, 0, 'B', 0),
    STRING("?[2J", 10, 3, 0x1b, 0, '[', 0, '2', 0, 'J', 0),
    STRING("\xc3\xa9\xe2\x82\xac", 6, 3, 0xe9, 0, 0xac, 0x20),
    STRING("\xf0\x9f\x98\x80", 6, 3, 0x3d, 0xd8, 0, 0xde),
    STRING("\xef\xbf\xbd"
           "A",
           6, 3, 0x3d, 0xd8, 'A', 0), /* half a pair */
    STRING("\xef\xbf\xbd", 4, 3, 0, 0xde),
    STRING("\xef\xbf\xbd", 4, 3, 0x3d, 0xd8),
    STRING("?", 4, 3, 0x85, 0),
    STRING("A", 8, 3, 'A', 0, ' ', 0, ' ', 0),
    {endless, sizeof(endless), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    {NULL, USB_HALT, ""},
    {NULL, USB_WAIT, ""}, /* says nothing: it is not asked for the next one */
};

static void test_strings(void **state)
{
    (void)state;
    endless[0] = 255, endless[1] = 3;
    for (unsigned i = 2; i < 254; i += 2)
        endless[i] = 'x';
    for (size_t i = 0; i < BB_ARRAY_SIZE(strings); i++)
        if (run_child(run_string, (void *)(uintptr_t)&strings[i]) != 0)
            fail_msg("string %zu", i);
}

static int no_languages(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    (void)usb, (void)data;
    bool string = setup->request == BB_USB_GET_DESCRIPTOR && setup->value >> 8 == 3;
    return string ? USB_HALT : USB_OTHER;
}

static void test_no_strings(void **state)
{
    (void)state;
    prepare(1);
    make_device(&model, BB_USB_FULL, USB_BYTES(plain_device), USB_BYTES(plain_configuration));
    model.control = no_languages;
    usb_plug(&soft_host.sockets[0], &model);
    boot(NULL);
    settle();
    assert_int_equal(device_of(ROOT_DEVICE)->configuration, 1);
    assert_string_equal(device_of(ROOT_DEVICE)->model, "");
    assert_int_equal(prober.probes, 1);
}

/* ---- Slots ---- */

static void test_no_slot_left(void **state)
{
    char text[200];
    (void)state;
    prepare(3);
    for (unsigned i = 0; i < 3; i++) {
        model_loop_init(&loops[i], "loop", BB_USB_FULL);
        usb_plug(&soft_host.sockets[i], &loops[i].usb);
    }
    boot("usb.slots=2");
    bb_sleep(5 * BB_SEC);
    assert_int_equal(slots_taken(), 2);
    assert_int_equal(prober.probes, 2);
    unsigned refused = 3;
    for (unsigned i = 0; i < 3; i++)
        if (!loops[i].usb.configuration)
            refused = i;
    assert_int_not_equal(refused, 3);
    bb_format(text, sizeof(text), SOFT_HOST "/device@%u", refused + 1);
    const struct bb_node *node = bb_node_find(text);
    assert_non_null(node);
    bb_node_reason(node, text, sizeof(text));
    assert_non_null(strstr(text, "no slot left"));
    /* Somebody else leaves: it gets the slot. */
    usb_unplug(&loops[(refused + 1) % 3].usb);
    bb_sleep(5 * BB_SEC);
    assert_int_equal(prober.probes, 3);
    assert_true(loops[refused].usb.configuration);
    assert_int_equal(count_devices(), 2);
    assert_int_equal(soft_host.host->refused.taken, 0);
    for (unsigned i = 0; i < 3; i++)
        usb_unplug(&loops[i].usb);
    bb_sleep(5 * BB_SEC);
    must_be_empty();
    must_remove(SOFT_HOST);
}

static void test_slot_too_small(void **state)
{
    char text[200];
    (void)state;
    prepare(1);
    model_loop_init(&loops[0], "loop", BB_USB_FULL);
    usb_plug(&soft_host.sockets[0], &loops[0].usb);
    boot("usb.slot=3000");
    bb_sleep(5 * BB_SEC);
    assert_non_null(bb_node_find(ROOT_DEVICE));
    bb_node_reason(bb_node_find(ROOT_DEVICE), text, sizeof(text));
    assert_true(logged("raise `usb.slot`"));
    assert_int_equal(prober.probes, 0);
    usb_unplug(&loops[0].usb);
    settle();
    must_be_empty();
    must_remove(SOFT_HOST);
}

static void test_bad_parameters(void **state)
{
    (void)state;
    prepare(1);
    boot("usb.slots=many usb.slot=0");
    assert_int_equal(logged("is no number from 1"), 2);
    assert_int_equal(soft_host.host->slots.count, 24);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),        cmocka_unit_test(test_no_strings),
        cmocka_unit_test(test_no_slot_left),   cmocka_unit_test(test_slot_too_small),
        cmocka_unit_test(test_bad_parameters),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
