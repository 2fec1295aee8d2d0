/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings of all formats and sizes against the strict model of a device, which completes in any order
 * and, where a test says so, lies. */
#include "ring.h"

#define DATA 64 /* bytes of one part */

/* What a test knows of one chain. */
struct request {
    uint32_t out, in; /* parts */
    uint32_t wrote;   /* by the device */
    uint32_t mark;    /* what the first part to read says */
    bool posted, done;
    uint8_t *data;
};

static void post(struct request *request, unsigned parts)
{
    struct bb_ring_part list[16];
    unsigned count = 1 + any(parts);
    request->out = any(count + 1);
    request->in = count - request->out;
    request->mark = any(UINT32_MAX);
    request->data = realloc(request->data, (size_t)DATA * count);
    memset(request->data, 0, (size_t)DATA * count);
    for (unsigned i = 0; i < count; i++)
        list[i] = (struct bb_ring_part){request->data + DATA * i, 4 + any(DATA - 4)};
    if (request->out)
        memcpy(request->data, &request->mark, 4);
    assert_true(ring.room > 0);
    assert_true(bb_ring_post(&ring, list, request->out, request->in, request));
    request->posted = true;
    request->done = false;
}

/* The device completes one of its chains. */
static void complete(bool in_order)
{
    struct virtio_chain *chain = model_virtio_held(&device, 0);
    for (uint32_t skip = in_order ? 0 : any(8); skip && chain->next; skip--)
        chain = chain->next;
    uint32_t length = chain->in ? any((uint32_t)chain->in_bytes + 1) : 0;
    uint8_t bytes[16 * DATA];
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(length + i);
    assert_int_equal(virtio_chain_write(chain, 0, bytes, length), length);
    model_virtio_use(&device, chain, length);
}

static unsigned take_all(void)
{
    struct request *request;
    uint32_t length = 0;
    unsigned count = 0;
    while ((request = bb_ring_take(&ring, &length))) {
        assert_true(request->posted);
        request->posted = false;
        assert_true(request->in || length == 0);
        if (length)
            assert_int_equal(request->data[DATA * request->out], (uint8_t)length);
        count++;
    }
    assert_null(ring.broken);
    return count;
}

static struct request *unposted(struct request *requests, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!requests[i].posted)
            return &requests[i];
    return NULL;
}

/* Posts, completes and takes at random for `rounds`; completions in order for the first third. */
static void exercise(struct bb_ring_format format, unsigned rounds)
{
    begin(format);
    unsigned limit = ring.slots < 40 ? ring.slots : 40, posted = 0, taken = 0;
    struct request *requests = calloc(limit, sizeof *requests);
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned n = any(limit + 1); n > 0 && posted - taken < limit; n--, posted++)
            post(unposted(requests, limit), format.parts);
        bb_ring_kick(&ring);
        assert_int_equal(device.queues[0].chains, posted); /* it was told in time */
        bool armed = any(2) && !bb_ring_arm(&ring);
        unsigned before = device.queues[0].interrupts;
        unsigned held = posted - taken;
        for (unsigned n = any(held + 1); n > 0 && model_virtio_held(&device, 0); n--) {
            complete(round < rounds / 3);
            if (armed)
                assert_int_equal(device.queues[0].interrupts - before, 1);
            if (!format.event || format.packed)
                bb_ring_disarm(&ring); /* as the interrupt does */
        }
        if (!armed && format.event)
            assert_true(device.queues[0].interrupts - before <= 1); /* armed earlier */
        taken += take_all();
        bb_ring_disarm(&ring);
        assert_int_equal(ring.room, ring.slots - (posted - taken));
    }
    while (model_virtio_held(&device, 0))
        complete(false);
    taken += take_all();
    assert_int_equal(taken, posted);
    assert_int_equal(ring.room, ring.slots);
    for (unsigned i = 0; i < limit; i++)
        free(requests[i].data);
    free(requests);
    end();
}

static void test_all_formats(void **state)
{
    static const uint16_t split[] = {2, 4, 8, 16, 256, 1024, 4096, 32768};
    static const uint16_t packed[] = {1, 2, 3, 5, 7, 16, 100, 1023, 4096, 32767, 32768};
    (void)state;
    for (unsigned features = 0; features < 4; features++) {
        bool event = features & 1, indirect = features & 2;
        for (unsigned i = 0; i < BB_ARRAY_SIZE(split); i++)
            for (uint16_t parts = 1; parts <= 5 && parts <= split[i]; parts++)
                exercise((struct bb_ring_format){split[i], parts, false, any(2), event, indirect},
                         200);
        for (unsigned i = 0; i < BB_ARRAY_SIZE(packed); i++)
            for (uint16_t parts = 1; parts <= 5 && parts <= packed[i]; parts++)
                exercise((struct bb_ring_format){packed[i], parts, true, false, event, indirect},
                         200);
    }
}

/* Every chain of the largest ring, in flight at once, several times round. */
static void test_full_ring(void **state)
{
    static uint8_t byte;
    const struct bb_ring_part part = {&byte, 1};
    (void)state;
    for (unsigned packed = 0; packed < 2; packed++) {
        begin((struct bb_ring_format){32768, 1, packed, false, true, true});
        for (unsigned round = 0; round < 5; round++) {
            for (uintptr_t i = 1; i <= 32768; i++)
                assert_true(bb_ring_post(&ring, &part, 0, 1, (void *)i));
            assert_false(bb_ring_post(&ring, &part, 0, 1, &byte));
            bb_ring_kick(&ring);
            assert_int_equal(device.queues[0].chains, 32768 * (round + 1));
            assert_int_equal(device.queues[0].notified, round + 1);
            while (model_virtio_held(&device, 0))
                model_virtio_use(&device, model_virtio_held(&device, 0), 1);
            for (uintptr_t i = 1; i <= 32768; i++)
                assert_ptr_equal(bb_ring_take(&ring, NULL), (void *)i);
            assert_null(bb_ring_take(&ring, NULL));
            assert_null(ring.broken);
        }
        end();
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        struct bb_ring_format format;
        int error;
    } cases[] = {
        {{.size = 0}, -EINVAL},
        {{.size = 3}, -EINVAL},
        {{.size = 40000}, -EINVAL},
        {{.size = 0, .packed = true}, -EINVAL},
        {{.size = 3, .packed = true}, 0},
        {{.size = 32769, .packed = true}, -EINVAL},
        {{.size = 32768}, 0},
        {{.size = 4, .parts = 5, .indirect = true}, -EINVAL},
        {{.size = 4, .parts = 4}, 0},
    };
    for (unsigned i = 0; i < BB_ARRAY_SIZE(cases); i++)
        assert_int_equal(bb_ring_check(&cases[i].format), cases[i].error);
}

static void test_too_many_parts(void **state)
{
    (void)state;
    uint8_t bytes[4];
    const struct bb_ring_part parts[3] = {{bytes, 1}, {bytes, 1}, {bytes, 1}};
    begin((struct bb_ring_format){8, 2, false, false, true, false});
    assert_false(bb_ring_post(&ring, parts, 3, 0, bytes));
    for (unsigned i = 0; i < 4; i++)
        assert_true(bb_ring_post(&ring, parts, 1, 1, bytes));
    assert_false(bb_ring_post(&ring, parts, 1, 0, bytes));
    end();
}

/* ---- Notifications and interrupts ---- */

static void test_notified_only_when_wanted(void **state)
{
    static uint8_t byte;
    const struct bb_ring_part part = {&byte, 1};
    (void)state;
    for (unsigned format = 0; format < 4; format++) {
        begin((struct bb_ring_format){16, 1, format & 1, false, format & 2, true});
        struct model_virtio_queue *queue = &device.queues[0];
        bb_ring_kick(&ring); /* nothing posted */
        assert_int_equal(queue->notified, 0);
        device.no_notify = true;
        assert_true(bb_ring_post(&ring, &part, 0, 1, &byte));
        bb_ring_kick(&ring);
        assert_int_equal(queue->notified, 1);
        for (unsigned i = 0; i < 5; i++) { /* from now on it looks by itself */
            assert_true(bb_ring_post(&ring, &part, 0, 1, &byte));
            bb_ring_kick(&ring);
        }
        assert_int_equal(queue->notified, 1);
        device.no_notify = false;
        model_virtio_run(&device, 0);
        assert_int_equal(queue->chains, 6);
        assert_true(bb_ring_post(&ring, &part, 0, 1, &byte));
        assert_true(bb_ring_post(&ring, &part, 0, 1, &byte));
        assert_int_equal(queue->notified, 1); /* not before the kick */
        bb_ring_kick(&ring);
        assert_int_equal(queue->notified, 2);
        assert_int_equal(queue->chains, 8);
        end();
    }
}

static void test_arm_then_look(void **state)
{
    static uint8_t byte;
    const struct bb_ring_part part = {&byte, 1};
    (void)state;
    for (unsigned format = 0; format < 4; format++) {
        begin((struct bb_ring_format){4, 1, format & 1, false, format & 2, true});
        struct model_virtio_queue *queue = &device.queues[0];
        for (unsigned round = 0; round < 20; round++) {
            unsigned before = queue->interrupts;
            assert_true(bb_ring_post(&ring, &part, 0, 1, &byte));
            assert_true(bb_ring_post(&ring, &part, 0, 1, &byte));
            bb_ring_kick(&ring);
            assert_false(bb_ring_arm(&ring));
            assert_false(bb_ring_pending(&ring));
            model_virtio_use(&device, queue->held, 1);
            assert_int_equal(queue->interrupts, before + 1);
            assert_true(bb_ring_pending(&ring));
            bb_ring_disarm(&ring);
            model_virtio_use(&device, queue->held, 1);
            assert_int_equal(queue->interrupts, before + 1);
            assert_ptr_equal(bb_ring_take(&ring, NULL), &byte);
            assert_true(bb_ring_arm(&ring)); /* one is there already */
            bb_ring_disarm(&ring);
            assert_ptr_equal(bb_ring_take(&ring, NULL), &byte);
        }
        end();
    }
}

/* ---- Devices that lie ---- */

static void lie(bool packed, enum virtio_fault fault, unsigned after, const char *why)
{
    uint8_t bytes[8];
    const struct bb_ring_part part = {bytes, sizeof bytes};
    unsigned tokens = 0;

    begin((struct bb_ring_format){8, 1, packed, false, true, true});
    for (uintptr_t i = 1; i <= 6; i++)
        assert_true(bb_ring_post(&ring, &part, 0, 1, (void *)i));
    bb_ring_kick(&ring);
    device.fault = fault;
    device.fault_after = after;
    for (unsigned i = 0; i <= after; i++)
        model_virtio_use(&device, model_virtio_held(&device, 0), 4);
    while (bb_ring_take(&ring, NULL))
        tokens++;
    assert_true(tokens <= after);
    assert_non_null(ring.broken);
    assert_string_equal(ring.broken, why);
    assert_null(bb_ring_take(&ring, NULL)); /* and it stays so */
    assert_false(bb_ring_post(&ring, &part, 0, 1, bytes));
    unsigned left = 0; /* each of the others comes back once */
    bool seen[7] = {false};
    for (void *token; (token = bb_ring_abandon(&ring)); left++) {
        assert_true((uintptr_t)token <= 6 && !seen[(uintptr_t)token]);
        seen[(uintptr_t)token] = true;
    }
    assert_int_equal(left, 6 - tokens);
    end();
}

static void test_lies(void **state)
{
    (void)state;
    for (unsigned packed = 0; packed < 2; packed++)
        for (unsigned after = 0; after < 3; after++) {
            lie(packed, VIRTIO_ID_RANGE, after, "used id out of range");
            lie(packed, VIRTIO_ID_FREE, after, "used id that was not posted");
            lie(packed, VIRTIO_LENGTH, after, "used length beyond what may be written");
            lie(packed, VIRTIO_LENGTH_HUGE, after, "used length beyond what may be written");
            if (after)
                lie(packed, VIRTIO_ID_TWICE, after, "used id that was not posted");
        }
    lie(false, VIRTIO_USED_JUMPS, 0, "used index beyond what was posted");
    lie(false, VIRTIO_USED_BACK, 0, "used index beyond what was posted");
}

/* An id inside of a chain's descriptors, where one chain takes several. */
static void test_id_between(void **state)
{
    uint8_t bytes[4];
    const struct bb_ring_part part = {bytes, 4};
    (void)state;
    begin((struct bb_ring_format){8, 2, false, false, true, false});
    assert_true(bb_ring_post(&ring, &part, 0, 1, bytes));
    bb_ring_kick(&ring);
    device.fault = VIRTIO_ID_FREE; /* 1 */
    model_virtio_use(&device, device.queues[0].held, 4);
    assert_null(bb_ring_take(&ring, NULL));
    assert_string_equal(ring.broken, "used id out of range");
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_formats),
        cmocka_unit_test(test_full_ring),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_too_many_parts),
        cmocka_unit_test(test_notified_only_when_wanted),
        cmocka_unit_test(test_arm_then_look),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_id_between),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
