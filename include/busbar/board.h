/* SPDX-License-Identifier: BSD-2-Clause */
/* Which board this is, and how its memory is shared, as its firmware tells. */
#ifndef BUSBAR_BOARD_H
#define BUSBAR_BOARD_H

#include <busbar/bind.h>
#include <busbar/device.h>

struct bb_board_identity {
    uint32_t firmware; /* revision, a time stamp on the Raspberry Pi */
    uint32_t model;
    uint32_t revision; /* 0xa02082: Pi 3 Model B, Sony UK, 1 GB, 1.2 */
    uint64_t serial;
    uint8_t mac[6]; /* of the board's own network port; all 0 where it has none */
};

struct bb_board_memory {
    uint64_t cpu_start, cpu_size; /* bytes */
    uint64_t gpu_start, gpu_size;
};

struct bb_board {
    struct bb_face face;
};

struct bb_board_ops {
    int (*identity)(struct bb_board *board, struct bb_board_identity *identity);
    int (*memory)(struct bb_board *board, struct bb_board_memory *memory);
};

BB_CLASS_FINDERS(board)

#ifndef BB_BOUND_BOARD
#define BB_BOUND_BOARD (*(const struct bb_board_ops *)board->face.ops)
#endif

/* Thread context; errors as bb_firmware_call(). */
static inline int bb_board_identity(struct bb_board *board, struct bb_board_identity *identity)
{
    return BB_BOUND_BOARD.identity(board, identity);
}
static inline int bb_board_memory(struct bb_board *board, struct bb_board_memory *memory)
{
    return BB_BOUND_BOARD.memory(board, memory);
}

#endif
