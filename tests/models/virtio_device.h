/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device behind the registers of virtio-mmio (Virtual I/O Device version 1.2,
 * sections 2.7, 2.8, 3.1 and 4.2; legacy too), strict with its driver: a test ends where the driver
 * writes what the specification forbids. What the device does with a chain is the test's own:
 *
 *     static uint32_t answer(struct model_virtio *device, struct virtio_chain *chain)
 *     {
 *         return virtio_chain_write(chain, 0, "hello", 5);     // bytes written
 *     }
 *     ...
 *     static struct model_virtio rng = {.type = 4, .queue_max = {8}, .handle = answer};
 *     model_virtio_map(&rng, 0xa000000);
 *
 * handle() is called for every chain in the order of posting, at once when the driver notifies. It
 * may return VIRTIO_HOLD to keep the chain: model_virtio_use() completes it later, in any order.
 */
#ifndef TESTS_MODELS_VIRTIO_DEVICE_H
#define TESTS_MODELS_VIRTIO_DEVICE_H

#include "world.h"

enum { VIRTIO_QUEUES = 8, VIRTIO_PARTS = 1024, VIRTIO_REGISTERS = 0x200 };
enum { /* feature bits by number */
       VIRTIO_F_INDIRECT_DESC = 28,
       VIRTIO_F_EVENT_IDX = 29,
       VIRTIO_F_VERSION_1 = 32,
       VIRTIO_F_RING_PACKED = 34,
};
#define VIRTIO_BIT(number) (1ull << (number))
/* What a device usually offers of the rings. */
#define VIRTIO_SPLIT (VIRTIO_BIT(VIRTIO_F_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_F_EVENT_IDX))
#define VIRTIO_PACKED (VIRTIO_SPLIT | VIRTIO_BIT(VIRTIO_F_RING_PACKED))

#define VIRTIO_HOLD UINT32_MAX

/* A chain that the driver posted and the device has. */
struct virtio_chain {
    unsigned queue;
    unsigned out, in; /* parts to read, then to write */
    uint64_t out_bytes, in_bytes;
    struct {
        uint8_t *data;
        uint32_t length;
    } * parts; /* out + in of them */
    uint32_t id;
    unsigned entries;          /* of the ring that it takes */
    uint16_t *indices;         /* split: which */
    struct virtio_chain *next; /* held ones of the queue, in the order of posting */
};

/* Copies from the parts to read, or to the parts to write, from byte `offset` of them; returns how
 * much there was. */
uint32_t virtio_chain_read(const struct virtio_chain *chain, uint64_t offset, void *data,
                           uint32_t size);
uint32_t virtio_chain_write(const struct virtio_chain *chain, uint64_t offset, const void *data,
                            uint32_t size);

/* What a bad device does, once, with the used entry after `fault_after` good ones. */
enum virtio_fault {
    VIRTIO_GOOD,
    VIRTIO_USED_JUMPS,  /* split: the used index goes beyond what was posted */
    VIRTIO_USED_BACK,   /* split: it goes back by one */
    VIRTIO_ID_RANGE,    /* an id of no descriptor */
    VIRTIO_ID_FREE,     /* an id that is not posted */
    VIRTIO_ID_TWICE,    /* the id used just before */
    VIRTIO_LENGTH,      /* one byte more than the chain has to write */
    VIRTIO_LENGTH_HUGE, /* 0xffffffff */
};

struct model_virtio_queue {
    uint16_t max, size;
    bool ready;
    uint64_t pages, align; /* legacy */
    uint64_t desc, driver, device;
    uint16_t seen, used;       /* split: indices; packed: positions */
    bool seen_wrap, used_wrap; /* packed */
    uint16_t used_total;       /* split: as the driver should see the used index */
    uint32_t last_id;
    unsigned in_flight; /* entries that the device has */
    uint8_t *busy;      /* split: by descriptor; packed: by id */
    struct virtio_chain *held, *last_held;
    unsigned notified, chains; /* counted */
    unsigned interrupts;       /* wanted by the driver, of used chains */
};

struct model_virtio {
    /* Set before model_virtio_map(). */
    uint32_t type;
    bool legacy;                       /* registers of version 1 */
    uint64_t features;                 /* offered; VERSION_1 comes by itself where it belongs */
    uint16_t queue_max[VIRTIO_QUEUES]; /* 0: no such queue */
    void *config;
    size_t config_size;
    /* NULL: every chain is held. */
    uint32_t (*handle)(struct model_virtio *device, struct virtio_chain *chain);
    void (*config_written)(struct model_virtio *device, size_t offset, unsigned width);
    void (*was_reset)(struct model_virtio *device); /* may be NULL */
    void *context;                                  /* the test's own */
    /* Set at any time. */
    bool deaf;         /* looks at its queues by model_virtio_run() only */
    bool no_notify;    /* tells the driver that it needs none, and looks all the same */
    bool never_resets; /* the status stays as it is */
    bool refuses;      /* FEATURES_OK does not stay */
    bool restless;     /* the configuration changes at each look */
    bool ails;         /* must be reset as soon as it was told DRIVER_OK */
    bool keeps_queues; /* says after a reset that its queues are in use */
    enum virtio_fault fault;
    unsigned fault_after;

    /* For tests to look at. */
    struct wire irq;
    uint8_t status;
    uint64_t driver_features;
    uint32_t interrupt_status;
    uint32_t generation;
    unsigned resets;
    struct model_virtio_queue queues[VIRTIO_QUEUES];
    /* The model's own. */
    uint32_t features_sel, driver_sel, queue_sel, page_size;
    bool features_seen[2];
    struct bb_host_region region;
};

void model_virtio_map(struct model_virtio *device, uint64_t base);
/* The same in slot `slot` of the virt board, its node included: after virt_prepare(), before
 * boot(). VIRT_VIRTIO(0) is the node of slot 0. */
void model_virtio_attach(struct model_virtio *device, unsigned slot);
#define VIRT_VIRTIO(slot) "/virtio_mmio@a00" #slot "000"
/* Looks at the available ring now, notified or not. */
void model_virtio_run(struct model_virtio *device, unsigned queue);
/* Completes a chain that was held; it is gone then. */
void model_virtio_use(struct model_virtio *device, struct virtio_chain *chain, uint32_t length);
/* The first chain that is held, or NULL. */
struct virtio_chain *model_virtio_held(struct model_virtio *device, unsigned queue);
/* The configuration was changed by the test: another generation, an interrupt. */
void model_virtio_config_changed(struct model_virtio *device);
/* Says that it must be reset, and does nothing more until it is. */
void model_virtio_break(struct model_virtio *device);
bool model_virtio_has(const struct model_virtio *device, unsigned feature);

#endif
