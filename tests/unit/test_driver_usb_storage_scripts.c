/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block/usb_storage with a fault or an unplug at every transaction: after each, a new stick in the
 * same port is as good as any.
 */
#include "usb_storage.h"

#include <stdio.h>

/* ---- Every transaction ---- */

struct script {
    enum usb_fault_kind kind;
    uint32_t at, count;
    unsigned pipe;
};

enum { SCRIPT_HIT, SCRIPT_PAST, SCRIPT_SPARED /* it came, and could not go wrong so */ };

static bool unplugs(enum usb_fault_kind kind)
{
    return kind == USB_FAULT_UNPLUG || kind == USB_FAULT_UNPLUG_AFTER;
}

/* One fault while the stick is found and used. */
static int run_script(void *context)
{
    const struct script *script = context;
    soft_host_prepare(1);
    make_stick(BB_USB_HIGH, 512);
    boot(NULL);
    usb_plug(&soft_host.sockets[0], &stick.usb);
    usb_fault(&stick.usb, script->pipe, script->at, script->count, script->kind);
    (void)bb_wait(is_settled, NULL, 60 * BB_SEC);
    struct bb_block *disk = bb_block_by_name("disk0");
    if (disk) {
        bb_face_get(&disk->face);
        int error = use(disk);
        bool survives = script->kind == USB_FAULT_NAK || script->kind == USB_FAULT_LOST_ACK ||
                        script->kind == USB_FAULT_TOGGLE;
        if (error && survives)
            return 99;
        bb_face_put(&disk->face);
    }
    uint32_t seen = script->pipe ? usb_pipe_of(&stick.usb, script->pipe)
                                       ? usb_pipe_of(&stick.usb, script->pipe)->count
                                       : UINT32_MAX
                                 : stick.usb.transactions;
    bool past = stick.usb.socket && seen < script->at;
    bool spared = !stick.usb.applied;
    if (!past && unplugs(script->kind) && stick.usb.socket)
        return 96;
    /* A new stick in the same port is as good as any. */
    usb_unplug(&stick.usb);
    bb_sleep(2 * BB_SEC);
    if (!is_away(NULL) || soft_host.in_flight)
        return 98;
    make_stick(BB_USB_HIGH, 512);
    disk = plug();
    if (!disk || use(disk))
        return 97;
    return past ? SCRIPT_PAST : spared ? SCRIPT_SPARED : SCRIPT_HIT;
}

/* Each transaction in turn, or every third where a host mends what goes wrong by itself. */
static void run_scripts(enum usb_fault_kind kind, uint32_t count, uint32_t step)
{
    /* Only data and statuses to the host are ever short; the handshake of a STALL is not lost. */
    bool may_spare = kind == USB_FAULT_SHORT || kind == USB_FAULT_LOST_ACK;
    unsigned hits = 0;
    for (uint32_t at = 1; at < 2000; at += step) {
        struct script script = {kind, at, count, USB_EVERY_PIPE};
        int result = run_child(run_script, &script);
        if (result == SCRIPT_PAST) {
            assert_true(at > 60 && hits > 2);
            return;
        }
        hits += result == SCRIPT_HIT;
        if (result != SCRIPT_HIT && !(result == SCRIPT_SPARED && may_spare))
            fail_msg("fault %u at transaction %u: %d", kind, at, result);
    }
    fail_msg("there is no end");
}

static void test_unplug_at_each(void **state)
{
    (void)state;
    run_scripts(USB_FAULT_UNPLUG, 1, 1);
}

static void test_unplug_after_each(void **state)
{
    (void)state;
    run_scripts(USB_FAULT_UNPLUG_AFTER, 1, 1);
}

static void test_stall_at_each(void **state)
{
    (void)state;
    run_scripts(USB_FAULT_STALL, 1, 1);
}

/* Three in a row end a transfer. */
static void test_silent_at_each(void **state)
{
    (void)state;
    run_scripts(USB_FAULT_SILENT, 3, 1);
}

static void test_babble_at_each(void **state)
{
    (void)state;
    run_scripts(USB_FAULT_BABBLE, 1, 3);
}

static void test_short_at_each(void **state)
{
    (void)state;
    run_scripts(USB_FAULT_SHORT, 1, 3);
}

static void test_lost_at_each(void **state)
{
    (void)state;
    run_scripts(USB_FAULT_LOST_ACK, 1, 3);
    run_scripts(USB_FAULT_TOGGLE, 1, 3);
    run_scripts(USB_FAULT_NAK, 5, 3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unplug_at_each), cmocka_unit_test(test_unplug_after_each),
        cmocka_unit_test(test_stall_at_each),  cmocka_unit_test(test_silent_at_each),
        cmocka_unit_test(test_babble_at_each), cmocka_unit_test(test_short_at_each),
        cmocka_unit_test(test_lost_at_each),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
