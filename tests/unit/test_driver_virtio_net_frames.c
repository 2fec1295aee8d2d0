/* SPDX-License-Identifier: BSD-2-Clause */
/* net/virtio_net on the model of its device: frames out and in, and a device that lies. */
#include "virtio_net.h"

/* ---- Sending ---- */

static void test_sums_to_fill_in(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT | VIRTIO_BIT(NIC_CSUM));
    struct bb_buffer *frame = new_frame(100);
    frame->flags = BB_BUFFER_CHECKSUM_NEEDED;
    frame->checksum_start = 34;
    frame->checksum_offset = 16;
    assert_int_equal(bb_net_send(net, 0, &frame, 1), 1);
    assert_int_equal(nic.header.flags, 1);
    assert_int_equal(nic.header.checksum_start, 34);
    assert_int_equal(nic.header.checksum_offset, 16);
    assert_int_equal(bb_net_sent(net, 0, &frame, 1), 1);
    frame->checksum_start = 83;
    assert_int_equal(bb_net_send(net, 0, &frame, 1), -EINVAL);
    frame->checksum_start = frame->checksum_offset = 0xffff;
    assert_int_equal(bb_net_send(net, 0, &frame, 1), -EINVAL);
    bb_buffer_put(frame);
    send_one(60); /* nothing of it stays */
    assert_int_equal(nic.header.flags, 0);
    close_nic();
}

static unsigned foreign_puts;

static void count_put(struct bb_buffer *buffer)
{
    (void)buffer;
    foreign_puts++;
}

/* A header in a buffer of the pool, and memory of somebody else. */
static void foreign(bool legacy, uint64_t features)
{
    static uint8_t memory[4][300], whole[14 + 900];
    static struct bb_buffer parts[4];
    open_nic(legacy, features);
    for (unsigned i = 0; i < 4; i++) {
        memset(memory[i], (int)(i + 1), 300);
        memset(whole + 14 + 300 * i, (int)(i + 1), i < 3 ? 300 : 0);
        bb_buffer_foreign(&parts[i], memory[i], 300, count_put);
    }
    struct bb_buffer *frame = new_frame(14);
    memset(whole, 0x5a, 14);
    bb_buffer_chain(&parts[1], &parts[2]);
    bb_buffer_chain(&parts[0], &parts[1]);
    bb_buffer_chain(frame, &parts[0]);
    assert_int_equal(bb_net_send(net, 0, &frame, 1), 1);
    assert_int_equal(nic.length, sizeof whole);
    assert_memory_equal(nic.frame, whole, sizeof whole);
    put_sent(1);
    assert_int_equal(foreign_puts, 3);
    frame = &parts[3]; /* nothing but foreign */
    assert_int_equal(bb_net_send(net, 0, &frame, 1), 1);
    assert_memory_equal(nic.frame, memory[3], 300);
    assert_int_equal(memory[2][299], 3); /* the header is not before it */
    put_sent(1);
    close_nic();
}

static void test_foreign(void **state)
{
    (void)state;
    foreign(false, NIC_USUAL | VIRTIO_SPLIT);
}

static void test_foreign_packed(void **state)
{
    (void)state;
    foreign(false, NIC_USUAL | VIRTIO_PACKED);
}

static void test_foreign_legacy(void **state)
{
    (void)state;
    foreign(true, 0);
}

static void test_too_many_parts(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    struct bb_buffer *frames[3] = {new_frame(60), NULL, new_frame(60)}, **last = &frames[1];
    for (unsigned i = 0; i <= BB_BUFFER_MAX_PARTS; i++) {
        *last = new_frame(20);
        (*last)->parts = (uint16_t)(BB_BUFFER_MAX_PARTS + 1 - i);
        last = &(*last)->more;
    }
    assert_int_equal(bb_net_send(net, 0, frames, 3), 1); /* up to the wrong one */
    assert_int_equal(bb_net_send(net, 0, frames + 1, 2), -EINVAL);
    assert_int_equal(bb_net_send(net, 0, frames + 2, 1), 1);
    put_sent(2);
    frames[1]->more->length = 0; /* an empty part */
    assert_int_equal(bb_net_send(net, 0, frames + 1, 1), -EINVAL);
    bb_buffer_put(frames[1]);
    close_nic();
}

static void test_full(void **state)
{
    struct bb_buffer *frames[100];

    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.hold_sent = true;
    for (unsigned i = 0; i < 70; i++)
        frames[i] = new_frame(60 + i);
    assert_int_equal(bb_net_send(net, 0, frames, 70), 64);
    assert_int_equal(bb_net_send(net, 0, frames + 64, 6), 0);
    assert_int_equal(bb_net_sent(net, 0, frames, 64), 0);
    assert_false(bb_net_arm(net, 0));
    assert_int_equal(ready, 0);
    model_virtio_use(&nic.device, model_virtio_held(&nic.device, 1), 0);
    bb_poll();
    assert_int_equal(ready, 1); /* there is room again */
    assert_true(bb_net_arm(net, 0));
    assert_int_equal(bb_net_sent(net, 0, frames, 64), 1);
    bb_buffer_put(frames[0]);
    assert_int_equal(bb_net_send(net, 0, frames + 64, 6), 1);
    for (unsigned i = 65; i < 70; i++)
        bb_buffer_put(frames[i]);
    close_nic(); /* with 64 frames in the device */
}

/* The device is done with frames in its own order. */
static void disorder(uint64_t features)
{
    struct bb_buffer *frames[20], *back[20];
    open_nic(false, features);
    nic.hold_sent = true;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 20; i++)
            frames[i] = new_frame(60 + i);
        assert_int_equal(bb_net_send(net, 0, frames, 20), 20);
        unsigned order[20];
        for (unsigned i = 0; i < 20; i++) { /* the i-th of those still held */
            struct virtio_chain *chain = model_virtio_held(&nic.device, 1);
            for (unsigned skip = (i * 7 + round) % (20 - i); skip > 0; skip--)
                chain = chain->next;
            order[i] = (unsigned)chain->out_bytes - 12 - 60;
            model_virtio_use(&nic.device, chain, 0);
        }
        assert_int_equal(bb_net_sent(net, 0, back, 20), 20);
        for (unsigned i = 0; i < 20; i++) {
            assert_ptr_equal(back[i], frames[order[i]]);
            bb_buffer_put(back[i]);
        }
    }
    assert_false(net->failed);
    close_nic();
}

static void test_disorder(void **state)
{
    (void)state;
    disorder(NIC_USUAL | VIRTIO_SPLIT);
}

static void test_disorder_packed(void **state)
{
    (void)state;
    disorder(NIC_USUAL | VIRTIO_PACKED);
}

/* ---- Receiving ---- */

static void sizes(bool legacy, uint64_t features)
{
    prepare(legacy, features | VIRTIO_BIT(NIC_MTU));
    nic.config.mtu = 9000;
    start(NULL);
    assert_int_equal(bb_net_open(net, &client), 0);
    uint32_t most = net->mtu + BB_NET_HEADER;
    for (uint32_t size = BB_NET_HEADER; size <= most; size += 41)
        receive_one(size, (size + 1919) / 1920 -
                              (size > 1920 && (size + 12 + 1931) / 1932 < (size + 1919) / 1920));
    assert_int_equal(net->stats.errors, 0);
    close_nic();
}

static void test_sizes(void **state)
{
    (void)state;
    sizes(false, NIC_USUAL | VIRTIO_SPLIT);
}

static void test_sizes_packed(void **state)
{
    (void)state;
    sizes(false, NIC_USUAL | VIRTIO_PACKED);
}

static void test_sizes_apart(void **state)
{
    (void)state;
    sizes(true, 0);
}

/* A device may put as little into a buffer as it likes. */
static void test_pieces(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.piece = 200;
    receive_one(1200, 7);
    nic.piece = 12; /* the header alone in the first */
    receive_one(72, 7);
    close_nic();
}

static void test_received_sums(void **state)
{
    struct bb_buffer *frame;
    uint8_t bytes[100] = {1};

    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT | VIRTIO_BIT(NIC_GUEST_CSUM));
    nic.special.flags = 2;
    assert_true(model_nic_receive(&nic, 0, bytes, 100));
    nic.special = (struct nic_header){.flags = 1, .checksum_start = 34, .checksum_offset = 16};
    assert_true(model_nic_receive(&nic, 0, bytes, 100));
    assert_int_equal(bb_net_receive(net, 0, &frame, 1), 1);
    assert_int_equal(frame->flags, BB_BUFFER_CHECKSUM_GOOD);
    bb_buffer_put(frame);
    assert_int_equal(bb_net_receive(net, 0, &frame, 1), 1);
    assert_int_equal(frame->flags, BB_BUFFER_CHECKSUM_GOOD | BB_BUFFER_CHECKSUM_NEEDED);
    assert_int_equal(frame->checksum_start, 34);
    assert_int_equal(frame->checksum_offset, 16);
    bb_buffer_put(frame);
    nic.special.checksum_start = 99; /* a sum beyond the frame: nobody sees it */
    assert_true(model_nic_receive(&nic, 0, bytes, 100));
    assert_int_equal(bb_net_receive(net, 0, &frame, 1), 0);
    assert_int_equal(net->stats.errors, 1);
    close_nic();
}

/* Frames that no network should carry are dropped, and their buffers posted again. */
static void test_dropped(void **state)
{
    static uint8_t bytes[9100];
    struct bb_buffer *frame;

    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    static const uint32_t lengths[] = {1, 13, 1515, 1900, 4000, 9100};
    for (unsigned i = 0; i < 300; i++)
        assert_true(model_nic_receive(&nic, 0, bytes, lengths[i % 6]) ||
                    bb_net_receive(net, 0, &frame, 1) == 0);
    assert_int_equal(bb_net_receive(net, 0, &frame, 1), 0);
    assert_int_equal(net->stats.errors + nic.lost, 300);
    assert_int_equal(net->stats.received, 0);
    nic.special.flags = 1; /* not negotiated */
    assert_true(model_nic_receive(&nic, 0, bytes, 100));
    nic.special.flags = 0;
    receive_one(60, 1);
    for (unsigned i = 0; i < 64; i++)
        assert_true(model_nic_receive(&nic, 0, bytes, 60)); /* the queue is full again */
    assert_false(net->failed);
    close_nic();
}

static void test_ready(void **state)
{
    uint8_t bytes[60] = {1};
    struct bb_buffer *frame;

    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    assert_true(model_nic_receive(&nic, 0, bytes, 60)); /* nobody asked */
    bb_poll();
    assert_int_equal(ready, 0);
    assert_true(bb_net_arm(net, 0));
    assert_int_equal(bb_net_receive(net, 0, &frame, 1), 1);
    bb_buffer_put(frame);
    assert_false(bb_net_arm(net, 0));
    for (unsigned i = 0; i < 5; i++)
        assert_true(model_nic_receive(&nic, 0, bytes, 60));
    assert_int_equal(ready, 0);
    bb_poll();
    bb_poll();
    assert_int_equal(ready, 1);
    close_nic();
}

/* ---- A device that lies ---- */

static void receive_bad(const char *why)
{
    uint8_t bytes[60] = {1};
    struct bb_buffer *frame;
    (void)model_nic_receive(&nic, 0, bytes, sizeof bytes);
    int got = bb_net_receive(net, 0, &frame, 1);
    assert_int_equal(got, -EIO);
    must_have_failed(why);
}

static void test_shorter_than_header(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.length_of_first = 11;
    receive_bad("length");
}

static void test_longer_than_buffer(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_PACKED);
    nic.length_of_first = 12 + BB_BUFFER_SIZE + 1;
    receive_bad("length");
}

static void test_length_without_end(void **state)
{
    (void)state;
    open_nic(true, 0);
    nic.length_of_first = UINT32_MAX;
    receive_bad("");
}

static void test_of_no_buffers(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.no_buffers = true;
    receive_bad("no buffers");
}

static void test_of_too_many_buffers(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_PACKED);
    nic.special.buffers = 2;
    receive_bad("more buffers");
}

static void test_of_all_buffers(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.special.buffers = 0xffff;
    receive_bad("more buffers");
}

static void test_segmented(void **state)
{
    (void)state;
    open_nic(false, NIC_USUAL | VIRTIO_SPLIT);
    nic.special.gso_type = 1;
    receive_bad("segmented");
}

static enum virtio_fault fault;
static bool packed, sends;

static int lie(void *context)
{
    struct bb_buffer *frames[12];
    uint8_t bytes[60] = {1};
    (void)context;
    open_nic(false, NIC_USUAL | (packed ? VIRTIO_PACKED : VIRTIO_SPLIT));
    nic.device.fault = fault;
    nic.device.fault_after = 5;
    unsigned got = 0;
    int count = 0;
    for (unsigned i = 0; i < 12 && count >= 0; i++) {
        struct bb_buffer *frame = sends ? new_frame(60) : NULL;
        if (sends)
            assert_int_equal(bb_net_send(net, 0, &frame, 1), 1);
        else
            (void)model_nic_receive(&nic, 0, bytes, 60);
        count = sends ? bb_net_sent(net, 0, frames, 12) : bb_net_receive(net, 0, frames, 12);
        for (int at = 0; at < count; at++, got++)
            bb_buffer_put(frames[at]);
    }
    bool harmless = sends && fault >= VIRTIO_LENGTH; /* nothing is to be written there */
    if (harmless || count >= 0) {
        assert_false(net->failed);
        assert_true(harmless);
        assert_int_equal(got, 12);
        close_nic();
        return 0;
    }
    assert_true(got <= 6);
    must_have_failed("");
    return 0;
}

static void test_lies(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        packed = i & 1;
        sends = i & 2;
        for (fault = packed ? VIRTIO_ID_RANGE : VIRTIO_USED_JUMPS; fault <= VIRTIO_LENGTH_HUGE;
             fault++)
            if (run_child(lie, NULL))
                fail_msg("fault %u, %s, %s", fault, packed ? "packed" : "split",
                         sends ? "sending" : "receiving");
    }
}

static uint32_t seed;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

/* Headers, lengths and frames at random: whatever is received is in bounds, nothing is lost. */
static int garbage(void *context)
{
    static uint8_t bytes[9100];
    struct bb_buffer *frames[8], *part;
    (void)context;
    uint64_t features = NIC_USUAL | VIRTIO_BIT(NIC_GUEST_CSUM) | VIRTIO_BIT(NIC_MTU);
    prepare(seed % 3 == 0, (seed & 8 ? features : 0) | (seed & 1 ? VIRTIO_PACKED : VIRTIO_SPLIT));
    nic.config.mtu = (uint16_t)(68 + chance(9000));
    start(NULL);
    assert_int_equal(bb_net_open(net, &client), 0);
    for (unsigned i = 0; i < 2000 && !net->failed; i++) {
        uint32_t most = chance(8) ? net->mtu + BB_NET_HEADER : 9100;
        nic.special = (struct nic_header){0};
        nic.special.flags = (uint8_t)(chance(3) ? 0 : chance(256));
        nic.special.checksum_start = (uint16_t)chance(chance(2) ? 100 : 65536);
        nic.special.checksum_offset = (uint16_t)chance(chance(2) ? 100 : 65536);
        nic.special.gso_type = (uint8_t)(chance(300) ? 0 : chance(256));
        nic.special.buffers = (uint16_t)(chance(300) ? 0 : chance(4));
        nic.piece = chance(4) ? 0 : 12 + chance(2000);
        nic.length_of_first = chance(300) ? 0 : chance(4000);
        (void)model_nic_receive(&nic, 0, bytes, 1 + chance(most));
        if (chance(3) == 0)
            continue;
        int count = bb_net_receive(net, 0, frames, 1 + chance(8));
        for (int at = 0; at < count; at++) {
            uint32_t length = bb_buffer_length(frames[at]);
            assert_in_range(length, BB_NET_HEADER, net->mtu + BB_NET_HEADER);
            assert_in_range(frames[at]->parts, 1, BB_BUFFER_MAX_PARTS);
            if (frames[at]->flags & BB_BUFFER_CHECKSUM_NEEDED)
                assert_true(frames[at]->checksum_start + frames[at]->checksum_offset + 2u <=
                            length);
            for (struct bb_buffer *more; (part = frames[at]); frames[at] = more) {
                more = part->more;
                assert_true(part->data >= bb_buffer_memory(part) &&
                            part->data + part->length <=
                                bb_buffer_memory(part) + BB_BUFFER_HEADROOM + BB_BUFFER_SIZE);
                memset(part->data, 0xff, part->length);
                part->more = NULL;
                if (bb_net_refill(net, 0, &part, 1) != 1)
                    bb_buffer_put(part);
            }
        }
    }
    close_nic();
    return 0;
}

static void test_garbage(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 48; i++) {
        seed = i;
        if (run_child(garbage, NULL))
            fail_msg("seed %u", i);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_to_fill_in),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_foreign_packed),
        cmocka_unit_test(test_foreign_legacy),
        cmocka_unit_test(test_too_many_parts),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_disorder),
        cmocka_unit_test(test_disorder_packed),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_sizes_packed),
        cmocka_unit_test(test_sizes_apart),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_received_sums),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_ready),
        cmocka_unit_test(test_shorter_than_header),
        cmocka_unit_test(test_longer_than_buffer),
        cmocka_unit_test(test_length_without_end),
        cmocka_unit_test(test_of_no_buffers),
        cmocka_unit_test(test_of_too_many_buffers),
        cmocka_unit_test(test_of_all_buffers),
        cmocka_unit_test(test_segmented),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_garbage),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
