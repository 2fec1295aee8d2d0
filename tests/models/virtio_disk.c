/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio disk's side of its requests (Virtual I/O Device version 1.2, section 5.2.6). */
#include "virtio_disk.h"

#include <string.h>

#include "boards.h"

enum { IN = 0, OUT = 1, FLUSH = 4, DISCARD = 11, WRITE_ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2 };
enum { SECTOR = 512, HEADER = 16 };

static struct virtio_disk *disk_of(struct model_virtio *device)
{
    return bb_container_of(device, struct virtio_disk, virtio);
}

static void require(bool condition, const char *what)
{
    if (!condition)
        world_fail("virtio disk", "%s", what);
}

static bool reaches(const struct virtio_disk *disk, uint64_t sector, uint64_t count)
{
    return sector <= disk->config.capacity && count <= disk->config.capacity - sector;
}

static uint8_t transfer(struct virtio_disk *disk, const struct virtio_chain *chain, bool write,
                        uint64_t sector)
{
    uint64_t bytes = write ? chain->out_bytes - HEADER : chain->in_bytes - 1;
    require(bytes && bytes % SECTOR == 0, "data that is no whole number of sectors");
    require(write ? chain->in_bytes == 1 : chain->out_bytes == HEADER, "data both ways");
    if (!reaches(disk, sector, bytes / SECTOR) || disk->status >= 0)
        return IOERR;
    if (disk->bad_sector >= sector && disk->bad_sector < sector + bytes / SECTOR)
        return IOERR;
    uint8_t *at = disk->memory + sector * SECTOR;
    if (write) {
        disk->writes++;
        require(virtio_chain_read(chain, HEADER, at, (uint32_t)bytes) == bytes, "data to write");
    } else {
        disk->reads++;
        require(virtio_chain_write(chain, 0, at, (uint32_t)bytes) == bytes, "room to read");
    }
    return OK;
}

static uint8_t erase(struct virtio_disk *disk, const struct virtio_chain *chain, bool zeroes)
{
    struct {
        uint64_t sector;
        uint32_t count, flags;
    } range;
    require(chain->out_bytes == HEADER + sizeof range && chain->in_bytes == 1, "one range");
    (void)virtio_chain_read(chain, HEADER, &range, sizeof range);
    require(!(range.flags & ~1u) && (zeroes || !range.flags), "flags of a range");
    require(range.count <=
                (zeroes ? disk->config.max_write_zeroes_sectors : disk->config.max_discard_sectors),
            "a range longer than the device takes");
    if (!reaches(disk, range.sector, range.count))
        return IOERR;
    memset(disk->memory + range.sector * SECTOR, zeroes ? 0 : 0xee, (size_t)range.count * SECTOR);
    disk->erases++;
    return OK;
}

static uint8_t execute(struct virtio_disk *disk, const struct virtio_chain *chain)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    require(chain->out_bytes >= HEADER && chain->in_bytes >= 1, "header and status");
    (void)virtio_chain_read(chain, 0, &header, sizeof header);
    require(header.reserved == 0, "reserved bits of the header");
    switch (header.type) {
    case IN:
        return transfer(disk, chain, false, header.sector);
    case OUT:
        require(!model_virtio_has(&disk->virtio, VIRTIO_DISK_RO), "a write to a read-only disk");
        return transfer(disk, chain, true, header.sector);
    case FLUSH:
        require(model_virtio_has(&disk->virtio, VIRTIO_DISK_FLUSH), "a flush it does not know");
        require(chain->out_bytes == HEADER && chain->in_bytes == 1, "a flush with data");
        require(header.sector == 0, "a flush of a sector");
        disk->flushes++;
        return OK;
    case DISCARD:
        require(model_virtio_has(&disk->virtio, VIRTIO_DISK_DISCARD), "an unknown discard");
        return erase(disk, chain, false);
    case WRITE_ZEROES:
        require(model_virtio_has(&disk->virtio, VIRTIO_DISK_WRITE_ZEROES), "unknown zeroes");
        return erase(disk, chain, true);
    }
    require(false, "a type of request that does not exist");
    return UNSUPP;
}

static uint32_t carry_out(struct virtio_disk *disk, struct virtio_chain *chain)
{
    unsigned parts = chain->out + chain->in;
    uint8_t status = execute(disk, chain);
    if (disk->status >= 0)
        status = (uint8_t)disk->status;
    disk->longest = parts > disk->longest ? parts : disk->longest;
    if (disk->mute)
        return disk->claims;
    (void)virtio_chain_write(chain, chain->in_bytes - 1, &status, 1);
    return (uint32_t)chain->in_bytes - disk->missing;
}

static uint32_t handle(struct model_virtio *device, struct virtio_chain *chain)
{
    struct virtio_disk *disk = disk_of(device);
    uint64_t header[2] = {0};
    (void)virtio_chain_read(chain, 0, header, sizeof header);
    bool lost = (uint32_t)header[0] == IN && header[1] == disk->lost_sector;
    return disk->hold || lost ? VIRTIO_HOLD : carry_out(disk, chain);
}

void virtio_disk_finish(struct virtio_disk *disk, struct virtio_chain *chain)
{
    model_virtio_use(&disk->virtio, chain, carry_out(disk, chain));
}

void virtio_disk_begin(struct virtio_disk *disk, bool legacy, uint64_t rings)
{
    _Static_assert(sizeof(struct virtio_disk_config) == 64, "no holes but the last");
    memset(disk, 0, sizeof(*disk));
    disk->virtio = (struct model_virtio){.type = 2,
                                         .legacy = legacy,
                                         .features = rings | VIRTIO_DISK_ALL,
                                         .queue_max = {64, 64, 64, 64},
                                         .handle = handle};
    disk->config = (struct virtio_disk_config){
        .capacity = VIRTIO_DISK_SECTORS,
        .seg_max = 20,
        .blk_size = 512,
        .physical_block_exp = 3,
        .num_queues = 1,
        .max_discard_sectors = 1000,
        .max_discard_seg = 1,
        .max_write_zeroes_sectors = 300,
        .max_write_zeroes_seg = 1,
    };
    disk->bad_sector = disk->lost_sector = UINT64_MAX;
    disk->status = -1;
}

void virtio_disk_attach(struct virtio_disk *disk, unsigned slot)
{
    disk->virtio.config = &disk->config;
    disk->virtio.config_size = 60;
    model_virtio_attach(&disk->virtio, slot);
}
