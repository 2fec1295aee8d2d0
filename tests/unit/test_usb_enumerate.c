/* SPDX-License-Identifier: BSD-2-Clause */
/* Enumeration: every speed, and whatever a device may say of itself. */
#include "usb.h"

#include <busbar/hooks.h>

static struct model_loop loops[SOFT_HOST_PORTS];
static struct usb_model model;

#define VENDOR 0x1234
#define PRODUCT 0xabc
static const uint8_t plain_device[] = {USB_DEVICE(0, 0, 0, 64, VENDOR, PRODUCT, 1)};
static const uint8_t plain_configuration[] = {USB_CONFIGURATION(9 + 9 + 7, 1, 1, 50),
                                              USB_INTERFACE(0, 0, 1, 0xff, 0, 0),
                                              USB_ENDPOINT(0x81, BB_USB_INTERRUPT, 8, 10)};

/* ---- Sound devices ---- */

static void enumerates(enum bb_usb_speed speed)
{
    prepare(1);
    model_loop_init(&loops[0], "loop", speed);
    usb_plug(&soft_host.sockets[0], &loops[0].usb);
    boot(NULL);
    settle();
    assert_int_equal(count_devices(), 1);
    struct bb_usb_device *device = device_of(ROOT_DEVICE);
    assert_null(device->why);
    assert_int_equal(device->speed, speed);
    assert_int_equal(device->vendor, LOOP_VENDOR);
    assert_int_equal(device->product, LOOP_PRODUCT);
    assert_int_equal(device->release, 0x100);
    assert_int_equal(device->configuration, 1);
    assert_int_equal(device->power, 100);
    assert_int_equal(device->tier, 1);
    assert_int_equal(device->port, 1);
    assert_int_equal(device->split_address, 0);
    assert_true(device->address);
    assert_string_equal(device->manufacturer, "Busbar");
    assert_string_equal(device->model, "Loop");
    assert_string_equal(device->serial, "0001");
    assert_int_equal(prober.probes, 1);
    assert_ptr_equal(prober.last->interface->owner, &prober.last->device);
    assert_int_equal(slots_taken(), 1);
    assert_int_equal(soft_host.host->stats.plugged, 1);
    assert_int_equal(soft_host.host->stats.errors, 0);

    usb_unplug(&loops[0].usb);
    settle();
    must_be_empty();
    assert_int_equal(prober.removes, 1);
    assert_int_equal(soft_host.host->stats.unplugged, 1);
    must_remove(SOFT_HOST);
}

static void test_low_speed(void **state)
{
    (void)state;
    enumerates(BB_USB_LOW);
}

static void test_full_speed(void **state)
{
    (void)state;
    enumerates(BB_USB_FULL);
}

static void test_high_speed(void **state)
{
    (void)state;
    enumerates(BB_USB_HIGH);
}

static void test_four_at_once(void **state)
{
    char path[40];
    (void)state;
    prepare(4);
    for (unsigned i = 0; i < 4; i++) {
        model_loop_init(&loops[i], "loop", (enum bb_usb_speed)(i % 3));
        usb_plug(&soft_host.sockets[i], &loops[i].usb);
    }
    boot(NULL);
    settle();
    assert_int_equal(count_devices(), 4);
    assert_int_equal(prober.probes, 4);
    for (unsigned i = 0; i < 4; i++) {
        bb_format(path, sizeof(path), SOFT_HOST "/device@%u/interface@0", i + 1);
        assert_int_equal(bb_node_find(path)->state, BB_NODE_RUNNING);
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(loops[i].usb.address, loops[j].usb.address);
    }
    usb_unplug(&loops[1].usb); /* the others do not notice */
    settle();
    assert_int_equal(count_devices(), 3);
    assert_int_equal(prober.removes, 1);
    must_remove(SOFT_HOST);
    assert_int_equal(prober.removes, 4);
}

/* The prompt does not wait for an empty port, and waits for a full one; then nothing runs. */
static void test_settles(void **state)
{
    (void)state;
    prepare(1);
    boot(NULL);
    uint64_t start = bb_time();
    while (bb_hooks.settling())
        assert_true(bb_poll());
    assert_true(bb_time() - start < 10 * BB_MSEC);
    uint64_t reads = soft_host.status_reads;
    bb_sleep(60 * BB_SEC);
    assert_int_equal(soft_host.status_reads, reads);
    assert_false(soft_host.host->ports_due.armed);
    assert_false(soft_host.host->deadlines.armed);
    model_loop_init(&loops[0], "loop", BB_USB_FULL);
    usb_plug(&soft_host.sockets[0], &loops[0].usb);
    bb_sleep(BB_MSEC);
    assert_true(bb_hooks.settling());
    settle();
    assert_false(bb_hooks.settling());
    assert_int_equal(prober.probes, 1);
}

/* ---- Bad devices ---- */

/* Plugs `model` in beside a sound device: it gets a node that says `why`, and the sound one runs.
 * Nothing stays when it is pulled out. */
static void is_refused(const char *why)
{
    char text[200];
    usb_plug(&soft_host.sockets[0], &model);
    model_loop_init(&loops[0], "loop", BB_USB_FULL);
    usb_plug(&soft_host.sockets[1], &loops[0].usb);
    boot(NULL);
    bb_sleep(20 * BB_SEC);
    const struct bb_node *node = bb_node_find(ROOT_DEVICE);
    assert_non_null(node);
    bb_node_reason(node, text, sizeof(text));
    if (!strstr(text, why))
        fail_msg("\"%s\" does not say \"%s\"", text, why);
    assert_non_null(strstr(device_of(ROOT_DEVICE)->why, why));
    assert_true(logged(why));
    assert_null(node->child);
    assert_true(loops[0].usb.configuration);
    assert_int_equal(prober.probes, 1);
    uint64_t reads = soft_host.status_reads;
    bb_sleep(60 * BB_SEC); /* it is left alone now */
    assert_int_equal(soft_host.status_reads, reads);
    assert_false(bb_hooks.settling());
    usb_unplug(&model);
    usb_unplug(&loops[0].usb);
    bb_sleep(5 * BB_SEC);
    must_be_empty();
    must_remove(SOFT_HOST);
}

/* Each in a process of its own. */
struct bad {
    const char *why;
    enum bb_usb_speed speed;
    size_t size;
    const uint8_t *bytes;
    const uint8_t *device;
};

static int run_bad(void *context)
{
    const struct bad *bad = context;
    static uint8_t slow[18];
    memcpy(slow, plain_device, sizeof(slow));
    slow[7] = bad->speed == BB_USB_LOW ? 8 : 64;
    prepare(2);
    make_device(&model, bad->speed,
                bad->device ? (struct usb_bytes){bad->device, 18} : USB_BYTES(slow),
                (struct usb_bytes){bad->bytes, bad->size});
    is_refused(bad->why);
    return 0;
}

#define BAD(why_, speed_, ...)                                                                     \
    {                                                                                              \
        why_, BB_USB_##speed_, sizeof((const uint8_t[]){__VA_ARGS__}), (const uint8_t[])           \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const struct bad bad_configurations[] = {
    BAD("is malformed", FULL, 9, 2, 8, 0, 1, 1, 0, 0x80, 50),  /* wTotalLength below its own */
    BAD("is malformed", FULL, 8, 2, 25, 0, 1, 1, 0, 0x80, 50), /* bLength too */
    BAD("is malformed", FULL, 9, 4, 25, 0, 1, 1, 0, 0x80, 50), /* another type */
    BAD("has the number 0", FULL, USB_CONFIGURATION(9, 0, 0, 50)),
    BAD("not as many interfaces", FULL, USB_CONFIGURATION(9, 1, 1, 50)),
    BAD("not as many interfaces", FULL, USB_CONFIGURATION(18, 2, 1, 50),
        USB_INTERFACE(0, 0, 0, 0xff, 0, 0)),
    BAD("not as many interfaces", FULL, USB_CONFIGURATION(27, 1, 1, 50),
        USB_INTERFACE(0, 0, 0, 0xff, 0, 0), USB_INTERFACE(1, 0, 0, 0xff, 0, 0)),
    BAD("not as many interfaces", FULL, USB_CONFIGURATION(18, 255, 1, 50),
        USB_INTERFACE(0, 0, 0, 0xff, 0, 0)),
    BAD("shorter than it says", FULL, USB_CONFIGURATION(4000, 1, 1, 50),
        USB_INTERFACE(0, 0, 0, 0xff, 0, 0)),
    BAD("longer than", FULL, USB_CONFIGURATION(65535, 1, 1, 50),
        USB_INTERFACE(0, 0, 0, 0xff, 0, 0)),
    BAD("does not end", FULL, USB_CONFIGURATION(18, 1, 1, 50), 0, 4, 0, 0, 0, 0xff, 0, 0, 0),
    BAD("does not end", FULL, USB_CONFIGURATION(18, 1, 1, 50), 1, 4, 0, 0, 0, 0xff, 0, 0, 0),
    BAD("does not end", FULL, USB_CONFIGURATION(18, 1, 1, 50), 10, 4, 0, 0, 0, 0xff, 0, 0, 0),
    BAD("does not end", FULL, USB_CONFIGURATION(19, 1, 1, 50), USB_INTERFACE(0, 0, 0, 0xff, 0, 0),
        2),
    BAD("interface descriptor is too short", FULL, USB_CONFIGURATION(13, 1, 1, 50), 4, 4, 0, 0),
    BAD("endpoint descriptor is too short", FULL, USB_CONFIGURATION(22, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), 4, 5, 0x81, 3),
    BAD("inside a configuration", FULL, USB_CONFIGURATION(27, 1, 1, 50),
        USB_CONFIGURATION(27, 1, 1, 50), USB_INTERFACE(0, 0, 0, 0xff, 0, 0)),
    BAD("inside a configuration", FULL, USB_CONFIGURATION(27, 1, 1, 50),
        USB_DEVICE(0, 0, 0, 64, VENDOR, PRODUCT, 1)),
    BAD("fewer endpoints", FULL, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 2, 0xff, 0, 0), USB_ENDPOINT(0x81, BB_USB_INTERRUPT, 8, 10)),
    BAD("fewer endpoints", FULL, USB_CONFIGURATION(27, 2, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_INTERFACE(1, 0, 0, 0xff, 0, 0)),
    BAD("belongs to no interface", FULL, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 0, 0xff, 0, 0), USB_ENDPOINT(0x81, BB_USB_INTERRUPT, 8, 10)),
    BAD("belongs to no interface", FULL, USB_CONFIGURATION(16, 0, 1, 50),
        USB_ENDPOINT(0x81, BB_USB_INTERRUPT, 8, 10)),
    BAD("same endpoint twice", FULL, USB_CONFIGURATION(32, 1, 1, 50),
        USB_INTERFACE(0, 0, 2, 0xff, 0, 0), USB_ENDPOINT(0x81, BB_USB_INTERRUPT, 8, 10),
        USB_ENDPOINT(0x81, BB_USB_BULK, 64, 0)),
    BAD("two interfaces have the same endpoint", FULL, USB_CONFIGURATION(41, 2, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x02, BB_USB_BULK, 64, 0),
        USB_INTERFACE(1, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x02, BB_USB_BULK, 64, 0)),
    BAD("alternate setting stands there twice", FULL, USB_CONFIGURATION(27, 1, 1, 50),
        USB_INTERFACE(0, 0, 0, 0xff, 0, 0), USB_INTERFACE(0, 0, 0, 0xff, 0, 0)),
    BAD("settings of an interface stand apart", FULL, USB_CONFIGURATION(36, 2, 1, 50),
        USB_INTERFACE(0, 0, 0, 0xff, 0, 0), USB_INTERFACE(1, 0, 0, 0xff, 0, 0),
        USB_INTERFACE(0, 1, 0, 0xff, 0, 0)),
    BAD("no alternate setting 0", FULL, USB_CONFIGURATION(18, 1, 1, 50),
        USB_INTERFACE(0, 1, 0, 0xff, 0, 0)),
    BAD("impossible address", FULL, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x80, BB_USB_BULK, 64, 0)),
    BAD("impossible address", FULL, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x91, BB_USB_BULK, 64, 0)),
    BAD("second control endpoint", FULL, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x01, BB_USB_CONTROL, 64, 0)),
    BAD("impossible packet size", FULL, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x81, BB_USB_BULK, 0, 0)),
    BAD("impossible packet size", FULL, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x81, BB_USB_BULK, 512, 0)),
    BAD("impossible packet size", HIGH, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x81, BB_USB_BULK, 64, 0)),
    BAD("impossible packet size", FULL, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x81, BB_USB_INTERRUPT, 65, 1)),
    BAD("impossible packet size", HIGH, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x81, BB_USB_INTERRUPT, 0x1c00, 1)),
    BAD("impossible packet size", LOW, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x81, BB_USB_INTERRUPT, 16, 10)),
    BAD("bulk endpoint at low speed", LOW, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x81, BB_USB_BULK, 8, 0)),
    BAD("isochronous endpoint at low speed", LOW, USB_CONFIGURATION(25, 1, 1, 50),
        USB_INTERFACE(0, 0, 1, 0xff, 0, 0), USB_ENDPOINT(0x81, BB_USB_ISOCHRONOUS, 8, 1)),
    BAD("more endpoints than", FULL, USB_CONFIGURATION(81, 1, 1, 50),
        USB_INTERFACE(0, 0, 9, 0xff, 0, 0), USB_ENDPOINT(0x81, BB_USB_BULK, 64, 0),
        USB_ENDPOINT(0x82, BB_USB_BULK, 64, 0), USB_ENDPOINT(0x83, BB_USB_BULK, 64, 0),
        USB_ENDPOINT(0x84, BB_USB_BULK, 64, 0), USB_ENDPOINT(0x85, BB_USB_BULK, 64, 0),
        USB_ENDPOINT(0x86, BB_USB_BULK, 64, 0), USB_ENDPOINT(0x87, BB_USB_BULK, 64, 0),
        USB_ENDPOINT(0x88, BB_USB_BULK, 64, 0), USB_ENDPOINT(0x89, BB_USB_BULK, 64, 0)),
    BAD("more power than", FULL, USB_CONFIGURATION(18, 1, 1, 251),
        USB_INTERFACE(0, 0, 0, 0xff, 0, 0)),
};

static void test_bad_configurations(void **state)
{
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(bad_configurations); i++)
        if (run_child(run_bad, (void *)(uintptr_t)&bad_configurations[i]) != 0)
            fail_msg("bad configuration %zu: %s", i, bad_configurations[i].why);
}

static void test_too_many_interfaces(void **state)
{
    static uint8_t bytes[9 + 9 * 17] = {USB_CONFIGURATION(9 + 9 * 17, 17, 1, 50)};
    (void)state;
    for (uint8_t i = 0; i < 17; i++)
        memcpy(bytes + 9 + 9 * i, (const uint8_t[]){USB_INTERFACE(i, 0, 0, 0xff, 0, 0)}, 9);
    prepare(2);
    make_device(&model, BB_USB_FULL, USB_BYTES(plain_device), USB_BYTES(bytes));
    is_refused("more interfaces than");
}

static const uint8_t *other_device(size_t at, uint8_t value)
{
    static uint8_t bytes[18];
    memcpy(bytes, plain_device, 18);
    bytes[at] = value;
    return bytes;
}

static void test_bad_devices(void **state)
{
    static const struct {
        const char *why;
        enum bb_usb_speed speed;
        uint8_t at, value;
    } all[] = {
        {"malformed", BB_USB_FULL, 0, 17},          {"malformed", BB_USB_FULL, 0, 0},
        {"malformed", BB_USB_FULL, 1, 2},           {"has no configuration", BB_USB_FULL, 17, 0},
        {"too short an answer", BB_USB_FULL, 7, 0}, {"packet size", BB_USB_FULL, 7, 9},
        {"packet size", BB_USB_FULL, 7, 255},       {"packet size", BB_USB_LOW, 7, 64},
        {"packet size", BB_USB_HIGH, 7, 8},
    };
    (void)state;
    for (size_t i = 0; i < BB_ARRAY_SIZE(all); i++) {
        struct bad bad = {all[i].why, all[i].speed, sizeof(plain_configuration),
                          plain_configuration, other_device(all[i].at, all[i].value)};
        if (run_child(run_bad, &bad) != 0)
            fail_msg("bad device %zu: %s", i, bad.why);
    }
}

/* ---- Devices that change ---- */

static unsigned asked;

static int changing_device(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    (void)usb;
    if (setup->request != BB_USB_GET_DESCRIPTOR || setup->value >> 8 != BB_USB_DEVICE_DESCRIPTOR)
        return USB_OTHER;
    memcpy(data, plain_device, sizeof(plain_device));
    data[4] = setup->length > 8 ? 0xff : 0;
    return sizeof(plain_device);
}

static int changing_configuration(struct usb_model *usb, const struct bb_usb_setup *setup,
                                  uint8_t *data)
{
    (void)usb;
    if (setup->request != BB_USB_GET_DESCRIPTOR ||
        setup->value >> 8 != BB_USB_CONFIGURATION_DESCRIPTOR)
        return USB_OTHER;
    memcpy(data, plain_configuration, sizeof(plain_configuration));
    data[4] = (uint8_t)(1 + asked++ % 2);
    return sizeof(plain_configuration);
}

/* The second time it is longer than it said the first time. */
static int growing_configuration(struct usb_model *usb, const struct bb_usb_setup *setup,
                                 uint8_t *data)
{
    (void)usb;
    if (setup->request != BB_USB_GET_DESCRIPTOR ||
        setup->value >> 8 != BB_USB_CONFIGURATION_DESCRIPTOR)
        return USB_OTHER;
    memset(data, 0xff, USB_MODEL_CONTROL);
    memcpy(data, plain_configuration, sizeof(plain_configuration));
    data[2] = (uint8_t)(asked++ % 2 ? 255 : sizeof(plain_configuration));
    return USB_MODEL_CONTROL;
}

static void refuses_control(int (*control)(struct usb_model *, const struct bb_usb_setup *,
                                           uint8_t *),
                            const char *why)
{
    prepare(2);
    make_device(&model, BB_USB_FULL, USB_BYTES(plain_device), USB_BYTES(plain_configuration));
    model.control = control;
    is_refused(why);
}

static int short_device;

static int cuts_device_descriptor(struct usb_model *usb, const struct bb_usb_setup *setup,
                                  uint8_t *data)
{
    (void)usb;
    if (setup->request != BB_USB_GET_DESCRIPTOR || setup->value >> 8 != BB_USB_DEVICE_DESCRIPTOR)
        return USB_OTHER;
    memcpy(data, plain_device, sizeof(plain_device));
    return short_device;
}

static void test_short_device_descriptor(void **state)
{
    (void)state;
    short_device = 7;
    refuses_control(cuts_device_descriptor, "device descriptor: too short");
}

static void test_empty_device_descriptor(void **state)
{
    (void)state;
    short_device = 0;
    refuses_control(cuts_device_descriptor, "device descriptor: too short");
}

static void test_device_descriptor_cut_later(void **state)
{
    (void)state;
    short_device = 12;
    refuses_control(cuts_device_descriptor, "device descriptor: too short");
}

static void test_stalls_all(void **state)
{
    (void)state;
    short_device = USB_HALT;
    refuses_control(cuts_device_descriptor, "device descriptor: it refused");
}

static void test_device_descriptor_changes(void **state)
{
    (void)state;
    refuses_control(changing_device, "device descriptor changes");
}

static void test_configuration_changes(void **state)
{
    (void)state;
    refuses_control(changing_configuration, "configuration changes");
}

static void test_configuration_grows(void **state)
{
    (void)state;
    refuses_control(growing_configuration, "configuration changes");
}

static int refuses_to_be_configured(struct usb_model *usb, const struct bb_usb_setup *setup,
                                    uint8_t *data)
{
    (void)usb, (void)data;
    return setup->request == BB_USB_SET_CONFIGURATION ? USB_HALT : USB_OTHER;
}

static void test_set_configuration_is_refused(void **state)
{
    (void)state;
    refuses_control(refuses_to_be_configured, "SET_CONFIGURATION: it refused");
}

/* NAKs for ever: it is there, and never answers. */
static int never_answers(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    (void)usb, (void)setup, (void)data;
    return USB_WAIT;
}

static void test_never_answers(void **state)
{
    (void)state;
    refuses_control(never_answers, "device descriptor: timed out");
}

static int never_configured(struct usb_model *usb, const struct bb_usb_setup *setup, uint8_t *data)
{
    (void)usb, (void)data;
    return setup->request == BB_USB_SET_CONFIGURATION ? USB_WAIT : USB_OTHER;
}

static void test_never_answers_at_the_end(void **state)
{
    (void)state;
    refuses_control(never_configured, "SET_CONFIGURATION: timed out");
}

static void test_is_silent(void **state)
{
    (void)state;
    prepare(2);
    make_device(&model, BB_USB_FULL, USB_BYTES(plain_device), USB_BYTES(plain_configuration));
    model.faults[0] = (struct usb_fault){USB_FAULT_SILENT, USB_EVERY_PIPE, 1, USB_FOR_EVER};
    is_refused("device descriptor: no answer");
}

static void test_babbles(void **state)
{
    (void)state;
    prepare(2);
    make_device(&model, BB_USB_FULL, USB_BYTES(plain_device), USB_BYTES(plain_configuration));
    model.faults[0] = (struct usb_fault){USB_FAULT_BABBLE, USB_EVERY_PIPE, 2, USB_FOR_EVER};
    is_refused("its device descriptor: ");
}

/* A controller may still write to what a probe that failed had submitted. */
static char *left;

static int take_and_fail(struct probe *probe)
{
    left = bb_usb_alloc(&probe->device, 64);
    return -EIO;
}

static void test_memory_of_a_failed_probe_is_left_alone(void **state)
{
    (void)state;
    static struct model_loop loop;
    boot_with_loop(&loop, BB_USB_FULL, take_and_fail);
    assert_int_equal(prober.probes, 1);
    const struct bb_node *node = bb_node_find(ROOT_DEVICE "/interface@0");
    assert_int_equal(node->state, BB_NODE_FAILED);
    assert_non_null(left);
    assert_true(left + 64 <= (char *)node->arena->memory + node->arena->used);
    usb_unplug(&loop.usb);
    settle();
    must_be_empty(); /* it goes with the device */
    must_remove(SOFT_HOST);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_low_speed),
        cmocka_unit_test(test_full_speed),
        cmocka_unit_test(test_high_speed),
        cmocka_unit_test(test_four_at_once),
        cmocka_unit_test(test_settles),
        cmocka_unit_test(test_bad_configurations),
        cmocka_unit_test(test_too_many_interfaces),
        cmocka_unit_test(test_bad_devices),
        cmocka_unit_test(test_short_device_descriptor),
        cmocka_unit_test(test_empty_device_descriptor),
        cmocka_unit_test(test_device_descriptor_cut_later),
        cmocka_unit_test(test_stalls_all),
        cmocka_unit_test(test_device_descriptor_changes),
        cmocka_unit_test(test_configuration_changes),
        cmocka_unit_test(test_configuration_grows),
        cmocka_unit_test(test_set_configuration_is_refused),
        cmocka_unit_test(test_never_answers),
        cmocka_unit_test(test_never_answers_at_the_end),
        cmocka_unit_test(test_is_silent),
        cmocka_unit_test(test_babbles),
        cmocka_unit_test(test_memory_of_a_failed_probe_is_left_alone),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
