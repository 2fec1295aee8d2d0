/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio network card and a peer behind it, written from the specification. */
#include "virtio_nic.h"

#include <string.h>

enum { NEEDS_CSUM = 1, LINK_UP = 1 };
enum { ETHERNET = 14, ICMP = 34, ARP_SIZE = 42 };

static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 2}, peer_ip[4] = {10, 0, 2, 2};

static struct model_nic *nic_of(struct model_virtio *device)
{
    return device->context;
}

static void require(bool condition, const char *what, uint64_t value)
{
    if (!condition)
        world_fail("virtio nic", "%s (%#llx)", what, (unsigned long long)value);
}

static bool is_modern(const struct model_virtio *device)
{
    return model_virtio_has(device, VIRTIO_F_VERSION_1);
}

static uint32_t header_size(const struct model_virtio *device)
{
    return is_modern(device) || model_virtio_has(device, NIC_MRG_RXBUF) ? 12 : 10;
}

/* 5.1.6.6: a legacy driver without ANY_LAYOUT gives the header a descriptor of its own. */
static void check_layout(const struct model_virtio *device, const struct virtio_chain *chain)
{
    if (!is_modern(device) && !model_virtio_has(device, NIC_ANY_LAYOUT))
        require(chain->parts[0].length == header_size(device), "first part is not the header",
                chain->parts[0].length);
}

/* ---- Receiving ---- */

static unsigned buffers_for(const struct model_nic *nic, struct virtio_chain *chain, uint64_t size)
{
    unsigned count = 0;
    for (; chain && size > 0; chain = chain->next, count++) {
        uint64_t room = nic->piece && nic->piece < chain->in_bytes ? nic->piece : chain->in_bytes;
        size -= room < size ? room : size;
    }
    return size ? 0 : count;
}

bool model_nic_receive(struct model_nic *nic, unsigned pair, const void *frame, uint32_t length)
{
    struct model_virtio *device = &nic->device;
    bool merges = model_virtio_has(device, NIC_MRG_RXBUF);
    uint32_t size = header_size(device), total = size + length, done = 0;
    uint8_t bytes[12 + 10000];
    struct virtio_chain *chain = model_virtio_held(device, 2 * pair);
    unsigned count = buffers_for(nic, chain, total);
    if (!count || (count > 1 && !merges)) {
        nic->lost++;
        return false;
    }
    struct nic_header header = nic->special;
    if (!header.buffers && !nic->no_buffers)
        header.buffers = (uint16_t)count;
    memcpy(bytes, &header, size);
    memcpy(bytes + size, frame, length);
    for (unsigned i = 0; i < count; i++) {
        struct virtio_chain *next = chain->next;
        uint32_t room =
            nic->piece && nic->piece < chain->in_bytes ? nic->piece : (uint32_t)chain->in_bytes;
        uint32_t part = total - done < room ? total - done : room;
        require(virtio_chain_write(chain, 0, bytes + done, part) == part, "room", part);
        model_virtio_use(device, chain,
                         i == 0 && nic->length_of_first ? nic->length_of_first : part);
        done += part;
        chain = next;
    }
    return true;
}

/* ---- The peer ---- */

static void answer_arp(struct model_nic *nic, const uint8_t *frame)
{
    uint8_t reply[60] = {0};
    if (memcmp(frame + 38, peer_ip, 4))
        return;
    memcpy(reply, frame + 6, 6);
    memcpy(reply + 6, peer_mac, 6);
    memcpy(reply + 12, frame + 12, 8);
    reply[21] = 2;
    memcpy(reply + 22, peer_mac, 6);
    memcpy(reply + 28, peer_ip, 4);
    memcpy(reply + 32, frame + 22, 10);
    (void)model_nic_receive(nic, 0, reply, sizeof reply);
}

static void answer_echo(struct model_nic *nic, const uint8_t *frame, uint32_t length)
{
    uint8_t reply[9100];
    memcpy(reply, frame, length);
    memcpy(reply, frame + 6, 6);
    memcpy(reply + 6, peer_mac, 6);
    memcpy(reply + 26, frame + 30, 4);
    memcpy(reply + 30, frame + 26, 4);
    reply[ICMP] = 0;
    (void)model_nic_receive(nic, 0, reply, length);
}

static void answer(struct model_nic *nic, const uint8_t *frame, uint32_t length)
{
    if (length >= ARP_SIZE && frame[12] == 8 && frame[13] == 6 && frame[21] == 1)
        answer_arp(nic, frame);
    else if (length >= ICMP + 8 && frame[12] == 8 && frame[13] == 0 && frame[ICMP] == 8)
        answer_echo(nic, frame, length);
}

static uint32_t send(struct model_nic *nic, const struct virtio_chain *chain)
{
    const struct model_virtio *device = &nic->device;
    uint32_t size = header_size(device);
    require(!chain->in, "a sent frame to write to", chain->in);
    check_layout(device, chain);
    nic->header = (struct nic_header){0};
    require(virtio_chain_read(chain, 0, &nic->header, size) == size, "no header", size);
    const struct nic_header *header = &nic->header;
    require(!(header->flags & ~NEEDS_CSUM), "flags", header->flags);
    require(!header->flags || model_virtio_has(device, NIC_CSUM), "checksum not negotiated", 0);
    require(!header->gso_type && !header->gso_size, "segmentation", header->gso_type);
    require(!header->buffers, "buffers of a sent frame", header->buffers);
    nic->length = virtio_chain_read(chain, size, nic->frame, sizeof nic->frame);
    require(nic->length >= ETHERNET && size + nic->length == chain->out_bytes, "length",
            chain->out_bytes);
    if (header->flags)
        require(header->checksum_start + header->checksum_offset + 2u <= nic->length,
                "checksum beyond the frame", header->checksum_start);
    nic->frames++;
    if (!nic->no_peer)
        answer(nic, nic->frame, nic->length);
    return nic->hold_sent ? VIRTIO_HOLD : 0;
}

/* ---- Commands ---- */

static void obey(struct model_nic *nic, const uint8_t *data, uint64_t size)
{
    unsigned what = (unsigned)(data[0] << 8 | data[1]);
    uint32_t counts[2] = {0};
    if (what == 0x000 || what == 0x001) {
        require(size == 3 && data[2] <= 1, "on or off", size);
        *(what ? &nic->all_multicast : &nic->promiscuous) = data[2];
    } else if (what == 0x100) {
        memcpy(counts, data + 2, 4);
        require(counts[0] == 0, "stations", counts[0]);
        memcpy(counts + 1, data + 6, 4);
        require(counts[1] <= 16 && size == 10 + 6ull * counts[1], "MAC table", counts[1]);
        nic->groups = counts[1];
        memcpy(nic->group, data + 10, 6 * counts[1]);
    } else if (what == 0x101) {
        require(size == 8 && model_virtio_has(&nic->device, NIC_CTRL_MAC_ADDR), "MAC", size);
        memcpy(nic->mac, data + 2, 6);
    } else if (what == 0x400) {
        require(size == 4 && model_virtio_has(&nic->device, NIC_MQ), "pairs", size);
        memcpy(&nic->pairs, data + 2, 2);
        require(nic->pairs && nic->pairs <= nic->config.pairs, "pairs", nic->pairs);
    } else {
        require(false, "command", what);
    }
}

static uint32_t control(struct model_nic *nic, const struct virtio_chain *chain)
{
    uint8_t data[128];
    require(chain->in_bytes == 1 && chain->out_bytes <= sizeof data, "a command", chain->out_bytes);
    (void)virtio_chain_read(chain, 0, data, sizeof data);
    nic->commands++;
    if (nic->silent)
        return VIRTIO_HOLD;
    if (!nic->ack)
        obey(nic, data, chain->out_bytes);
    return virtio_chain_write(chain, 0, &nic->ack, 1);
}

static uint32_t handle(struct model_virtio *device, struct virtio_chain *chain)
{
    struct model_nic *nic = nic_of(device);
    bool many = model_virtio_has(device, NIC_MQ);
    if (model_virtio_has(device, NIC_CTRL_VQ) &&
        chain->queue == (many ? 2u * nic->config.pairs : 2))
        return control(nic, chain);
    if (chain->queue % 2)
        return send(nic, chain);
    require(!chain->out, "a buffer to receive into, to read", chain->out);
    require(chain->in_bytes >= 1514 + header_size(device), "too small", chain->in_bytes);
    check_layout(device, chain);
    return VIRTIO_HOLD;
}

static void config_written(struct model_virtio *device, size_t offset, unsigned width)
{
    struct model_nic *nic = nic_of(device);
    require(device->legacy && offset + width <= 6, "configuration written", offset);
    memcpy(nic->mac, nic->config.mac, 6);
}

static void was_reset(struct model_virtio *device)
{
    struct model_nic *nic = nic_of(device);
    nic->promiscuous = true; /* as emulators have it, until they are told otherwise */
    nic->all_multicast = false;
    nic->groups = 0;
    nic->pairs = 1;
    memcpy(nic->mac, nic->config.mac, 6);
}

void model_nic_attach(struct model_nic *nic, unsigned slot)
{
    static const uint8_t own[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    struct model_virtio *device = &nic->device;
    if (!nic->config.mac[0])
        memcpy(nic->config.mac, own, 6);
    nic->config.status = LINK_UP;
    if (!nic->config.pairs)
        nic->config.pairs = 1;
    if (!nic->config.mtu)
        nic->config.mtu = 1500;
    device->type = 1;
    if (!device->queue_max[0]) {
        for (unsigned i = 0; i < VIRTIO_QUEUES; i++)
            device->queue_max[i] = 64;
    }
    device->config = &nic->config;
    device->config_size = sizeof nic->config;
    device->handle = handle;
    device->config_written = config_written;
    device->was_reset = was_reset;
    device->context = nic;
    model_virtio_attach(device, slot);
}

void model_nic_link(struct model_nic *nic, bool up)
{
    nic->config.status = up ? LINK_UP : 0;
    model_virtio_config_changed(&nic->device);
}
