/* SPDX-License-Identifier: BSD-2-Clause */
/* What board this is. */
#include <busbar/board.h>

static struct bb_face_list boards;

static int removed_identity(struct bb_board *board, struct bb_board_identity *identity)
{
    (void)board, (void)identity;
    return -ENODEV;
}

static int removed_memory(struct bb_board *board, struct bb_board_memory *memory)
{
    (void)board, (void)memory;
    return -ENODEV;
}

static const struct bb_board_ops removed = {
    .identity = removed_identity,
    .memory = removed_memory,
};

const struct bb_class bb_class_board = {
    .name = "board",
    .removed = &removed,
    .list = &boards,
};
