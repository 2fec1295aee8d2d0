/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feeds a terminal with whatever libFuzzer thinks of: whole, and byte by byte, which must come to
 * the same. The grid is of exactly its size, so that a step beside it is noticed; each row stays
 * shown once, and each cell has a glyph.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -I. -DBB_ARCH_HOST=1 \
 *         tests/fuzz/fuzz_terminal.c subsys/terminal.c subsys/terminal_colour.c subsys/font.c \
 *         subsys/font_box.c -o fuzz_terminal
 */
#include <stdlib.h>
#include <string.h>

#include <busbar/font.h>
#include <busbar/terminal.h>

static void check(bool well)
{
    if (!well)
        abort();
}

static void check_grid(const struct bb_terminal *terminal)
{
    bool seen[BB_TERMINAL_ROWS] = {false};
    check(terminal->x <= terminal->columns && terminal->y < terminal->rows);
    check(terminal->top < terminal->bottom || terminal->rows == 1);
    check(terminal->bottom < terminal->rows);
    check(terminal->dirty_from <= terminal->rows && terminal->dirty_to <= terminal->rows);
    for (uint32_t y = 0; y < terminal->rows; y++) {
        check(terminal->lines[y] < terminal->rows && !seen[terminal->lines[y]]);
        seen[terminal->lines[y]] = true;
        const uint32_t *cells = bb_terminal_row(terminal, y);
        for (uint32_t x = 0; x < terminal->columns; x++) {
            check(bb_font_has(BB_CELL_CODE(cells[x])));
            check(!(cells[x] & BB_CELL_CURSOR));
        }
    }
}

/* In pieces of so many bytes. */
static void feed(struct bb_terminal *terminal, uint32_t columns, uint32_t rows, const uint8_t *data,
                 size_t size, size_t piece)
{
    bb_terminal_start(terminal, columns, rows, malloc(bb_terminal_memory(columns, rows)));
    for (size_t at = 0; at < size; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        char *copy = malloc(length); /* so that a byte beyond it is noticed */
        memcpy(copy, data + at, length);
        bb_terminal_write(terminal, copy, length);
        free(copy);
    }
    check_grid(terminal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bb_terminal whole, pieces;
    if (size < 2)
        return 0;
    uint32_t columns = data[0] % 40u + 1, rows = data[1] % 12u + 1;
    feed(&whole, columns, rows, data + 2, size - 2, size);
    feed(&pieces, columns, rows, data + 2, size - 2, 1);
    check(whole.x == pieces.x && whole.y == pieces.y && whole.style == pieces.style);
    check(memcmp(whole.cells, pieces.cells, bb_terminal_memory(columns, rows)) == 0);
    free(whole.cells);
    free(pieces.cells);
    return 0;
}
