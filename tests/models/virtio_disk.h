/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio disk (Virtual I/O Device version 1.2, section 5.2) in memory, strict with the requests
 * it gets. A test changes `config` or `virtio` before virtio_disk_attach() sees them.
 */
#ifndef TESTS_MODELS_VIRTIO_DISK_H
#define TESTS_MODELS_VIRTIO_DISK_H

#include "virtio_device.h"

enum { VIRTIO_DISK_SECTORS = 4096 };
enum { /* features */
       VIRTIO_DISK_SIZE_MAX = 1,
       VIRTIO_DISK_SEG_MAX = 2,
       VIRTIO_DISK_RO = 5,
       VIRTIO_DISK_BLK_SIZE = 6,
       VIRTIO_DISK_FLUSH = 9,
       VIRTIO_DISK_TOPOLOGY = 10,
       VIRTIO_DISK_MQ = 12,
       VIRTIO_DISK_DISCARD = 13,
       VIRTIO_DISK_WRITE_ZEROES = 14,
};
#define VIRTIO_DISK_ALL                                                                            \
    (VIRTIO_BIT(VIRTIO_DISK_SEG_MAX) | VIRTIO_BIT(VIRTIO_DISK_BLK_SIZE) |                          \
     VIRTIO_BIT(VIRTIO_DISK_FLUSH) | VIRTIO_BIT(VIRTIO_DISK_TOPOLOGY) |                            \
     VIRTIO_BIT(VIRTIO_DISK_DISCARD) | VIRTIO_BIT(VIRTIO_DISK_WRITE_ZEROES))

struct virtio_disk_config { /* 5.2.4, as it lies in the registers */
    uint64_t capacity;
    uint32_t size_max, seg_max;
    uint16_t cylinders;
    uint8_t heads, sectors;
    uint32_t blk_size;
    uint8_t physical_block_exp, alignment_offset;
    uint16_t min_io_size;
    uint32_t opt_io_size;
    uint8_t writeback, unused;
    uint16_t num_queues;
    uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
    uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap, unused1[3];
};

struct virtio_disk {
    struct model_virtio virtio;
    struct virtio_disk_config config;
    uint8_t memory[VIRTIO_DISK_SECTORS * 512];
    uint64_t bad_sector;  /* a request that touches it fails; UINT64_MAX: none */
    uint64_t lost_sector; /* a read that begins there is held; UINT64_MAX: none */
    int status;           /* what a request gets instead of its own; -1: nothing instead */
    bool mute;            /* it writes no status at all, */
    uint32_t claims;      /* and says that it wrote so much */
    uint32_t missing;     /* bytes by which its used lengths are too short */
    bool hold;            /* requests wait for virtio_disk_finish() */
    unsigned reads, writes, flushes, erases, longest; /* the most parts of a chain */
};

/* Everything that a disk can have, 4096 sectors. `rings`: VIRTIO_SPLIT, VIRTIO_PACKED or less. */
void virtio_disk_begin(struct virtio_disk *disk, bool legacy, uint64_t rings);
void virtio_disk_attach(struct virtio_disk *disk, unsigned slot);
/* Carries out a request that was held. */
void virtio_disk_finish(struct virtio_disk *disk, struct virtio_chain *chain);

#endif
