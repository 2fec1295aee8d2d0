/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text on a display. What is printed changes a grid of cells; the screen follows at most every
 * FRAME, and only cells that look different are drawn. So scrolling moves no pixel, nothing is read
 * from the display, and a burst of lines costs one drawing. Where interrupts are off nobody may
 * come back to draw (a panic): then it is drawn at once.
 */
#include <string.h>

#include <busbar/arch.h>
#include <busbar/console.h>
#include <busbar/display.h>
#include <busbar/font.h>
#include <busbar/input.h>
#include <busbar/log.h>
#include <busbar/name.h>
#include <busbar/terminal.h>

enum {
    MOST = 512,            /* bytes of one write */
    CHUNK = 64,            /* bytes taken with interrupts off */
    EMPTY = 7 << 16 | ' ', /* a cell as bb_terminal_start() makes it */
};
#define FRAME (16 * BB_MSEC)

struct framebuffer {
    struct bb_device device;
    struct bb_console console;
    struct bb_display *display;
    struct bb_display_client client;
    struct bb_input_listener listener;
    struct bb_terminal terminal;
    uint32_t *shown; /* the cells as they are drawn */
    void *memory;    /* of both grids */
    size_t memory_size;
    uint32_t width, height; /* of the display that the grid is made for; 0: there is no grid now */
    uint32_t colours[16];
    uint32_t cursor_row; /* where the cursor is drawn */
    bool drawing;
    uint64_t drawn_at;
    struct bb_work draw_soon;
    struct bb_timer_event draw_later;
    bool begun; /* somebody has written: the screen is ours */
    struct bb_name name;
};

/* ---- Drawing ---- */

/* A handler of an interrupt may print while the mode changes: the grid of before may reach past the
 * memory of now, and is none while it is laid out. */
static bool has_grid(const struct framebuffer *self)
{
    return self->width && self->width == self->display->width &&
           self->height == self->display->height;
}

/* Four pixels in two colours for each value of their bits: the leftmost is the lowest word. Each
 * drawing has its own, since one may interrupt another. */
struct mix {
    uint64_t pixels[16][2];
    uint64_t colours;
    bool is_mixed;
};

static const uint64_t (*mix(struct mix *mix, uint64_t ink, uint64_t paper))[2]
{
    uint64_t colours = ink << 32 | paper;
    if (!mix->is_mixed || mix->colours != colours) {
        for (uint32_t i = 0; i < 16; i++) {
            mix->pixels[i][0] = (i & 8 ? ink : paper) | (i & 4 ? ink : paper) << 32;
            mix->pixels[i][1] = (i & 2 ? ink : paper) | (i & 1 ? ink : paper) << 32;
        }
        mix->colours = colours;
        mix->is_mixed = true;
    }
    return mix->pixels;
}

/* A row of a glyph. */
static inline void put_pixels(uint64_t *out, const uint64_t (*pixels)[2], uint32_t bits)
{
    const uint64_t *left = pixels[bits >> 4], *right = pixels[bits & 15];
    uint64_t first = left[0], second = left[1], third = right[0], fourth = right[1];
    out[0] = first;
    out[1] = second;
    out[2] = third;
    out[3] = fourth;
}

static void draw_cell(struct framebuffer *self, struct mix *mixed, uint32_t x, uint32_t y,
                      uint32_t cell)
{
    uint8_t scratch[BB_FONT_HEIGHT];
    uint64_t ink = self->colours[BB_CELL_INK(cell)], paper = self->colours[BB_CELL_PAPER(cell)];
    const uint8_t *rows = bb_font_rows(BB_CELL_CODE(cell), scratch);
    size_t stride = self->display->stride;
    uint8_t *at =
        self->display->memory + (size_t)y * BB_FONT_HEIGHT * stride + (size_t)x * BB_FONT_WIDTH * 4;
    if (cell & BB_CELL_CURSOR) {
        uint64_t swap = ink;
        ink = paper;
        paper = swap;
    }
    const uint64_t(*pixels)[2] = mix(mixed, ink, paper);
    for (uint32_t row = 0; row < BB_FONT_HEIGHT; row++)
        put_pixels((uint64_t *)(void *)(at + row * stride), pixels, rows[row]);
    if (cell & BB_CELL_UNDERLINED)
        put_pixels((uint64_t *)(void *)(at + (BB_FONT_HEIGHT - 2) * stride), pixels, 0xff);
}

static void draw_row(struct framebuffer *self, struct mix *mixed, uint32_t y)
{
    const struct bb_terminal *terminal = &self->terminal;
    const uint32_t *cells = bb_terminal_row(terminal, y);
    uint32_t *shown = self->shown + (size_t)y * terminal->columns;
    uint32_t cursor = terminal->x < terminal->columns ? terminal->x : terminal->columns - 1u;
    if (terminal->cursor_hidden || y != terminal->y)
        cursor = UINT32_MAX;
    for (uint32_t x = 0; x < terminal->columns; x++) {
        uint32_t cell = cells[x] | (x == cursor ? BB_CELL_CURSOR : 0);
        if (cell == shown[x])
            continue;
        draw_cell(self, mixed, x, y, cell);
        shown[x] = cell;
    }
}

static void draw(struct framebuffer *self)
{
    struct bb_terminal *terminal = &self->terminal;
    struct mix mixed;
    if (!self->begun || !has_grid(self))
        return;
    mixed.is_mixed = false;
    uintptr_t state = bb_arch_irq_save();
    uint32_t from = terminal->dirty_from, to = terminal->dirty_to;
    uint32_t before = self->cursor_row, now = terminal->y;
    bool within = self->drawing;
    terminal->dirty_from = within ? 0 : terminal->rows;
    terminal->dirty_to = within ? terminal->rows : 0;
    if (within) /* the other one goes on with what it has read: all is to be looked at again */
        bb_work_queue(&self->draw_soon);
    self->cursor_row = now;
    self->drawing = true;
    bb_arch_irq_restore(state);
    for (uint32_t y = from; y < to; y++)
        draw_row(self, &mixed, y);
    if (before < terminal->rows && (before < from || before >= to))
        draw_row(self, &mixed, before);
    if (now < from || now >= to)
        draw_row(self, &mixed, now);
    bb_display_flush(self->display);
    self->drawn_at = bb_time();
    self->drawing = within;
}

static void draw_later(struct bb_timer_event *event)
{
    draw(bb_container_of(event, struct framebuffer, draw_later));
}

static void draw_soon(struct bb_work *work)
{
    struct framebuffer *self = bb_container_of(work, struct framebuffer, draw_soon);
    uint64_t due = self->drawn_at + FRAME;
    if (bb_time() >= due)
        draw(self);
    else if (!self->draw_later.armed)
        bb_timer_event_at(&self->draw_later, due);
}

/* ---- The grid ---- */

/* Nobody writes into the grid or draws it, until use_grid(). */
static void leave_grid(struct framebuffer *self)
{
    self->width = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void use_grid(struct framebuffer *self)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    self->height = self->display->height;
    self->width = self->display->width;
}

static void clear(struct framebuffer *self)
{
    const struct bb_display *display = self->display;
    uint64_t *at = (uint64_t *)(void *)display->memory;
    uint64_t paper = self->colours[0];
    paper |= paper << 32;
    for (size_t left = (size_t)display->stride * display->height / 8; left > 0; left--)
        *at++ = paper;
    for (size_t i = 0; i < (size_t)self->terminal.columns * self->terminal.rows; i++)
        self->shown[i] = EMPTY;
}

static void set_colours(struct framebuffer *self)
{
    for (uint32_t i = 0; i < BB_ARRAY_SIZE(self->colours); i++) {
        uint32_t low = i >= 8 ? 0x55 : 0, high = i >= 8 ? 0xff : 0xaa;
        uint32_t green = i == 3 ? 0x55 : i & 2 ? high : low; /* dark yellow is brown */
        self->colours[i] =
            bb_display_pixel(self->display, i & 1 ? high : low, green, i & 4 ? high : low);
    }
}

/* As many cells as the display has room for, or as there is memory for when it has grown. */
static int lay_out(struct framebuffer *self)
{
    uint32_t columns = self->display->width / BB_FONT_WIDTH;
    uint32_t rows = self->display->height / BB_FONT_HEIGHT;
    leave_grid(self);
    columns = columns < BB_TERMINAL_COLUMNS ? columns : BB_TERMINAL_COLUMNS;
    rows = rows < BB_TERMINAL_ROWS ? rows : BB_TERMINAL_ROWS;
    size_t line = bb_terminal_memory(columns, 1) + (size_t)columns * 4;
    if (line * rows > self->memory_size) {
        void *memory = bb_device_alloc(&self->device, line * rows, 8);
        if (!memory && !self->memory)
            return -ENOMEM;
        if (memory) {
            self->memory = memory;
            self->memory_size = line * rows;
        }
    }
    if (line * rows > self->memory_size)
        rows = (uint32_t)(self->memory_size / line);
    self->shown = self->memory;
    set_colours(self);
    bb_terminal_start(&self->terminal, columns, rows, self->shown + (size_t)columns * rows);
    if (self->begun)
        clear(self);
    use_grid(self);
    return 0;
}

/* The mode of the display has changed. What was there is gone. */
static void changed(struct bb_display_client *client)
{
    struct framebuffer *self = bb_container_of(client, struct framebuffer, client);
    if (self->display->width && lay_out(self) == 0)
        draw(self);
}

/* ---- Console ---- */

static void print(struct framebuffer *self, const char *text, size_t size)
{
    while (size > 0) {
        size_t some = size < CHUNK ? size : CHUNK;
        uintptr_t state = bb_arch_irq_save();
        bb_terminal_write(&self->terminal, text, some);
        bb_arch_irq_restore(state);
        text += some;
        size -= some;
    }
}

/* The first who writes finds the log of the time before, up to the message that is written now. */
static void begin(struct framebuffer *self, const char *data, size_t size)
{
    struct bb_log_entry entry;
    char text[sizeof(entry.text) + 24];
    leave_grid(self);
    self->begun = true;
    clear(self);
    use_grid(self);
    for (uint32_t at = 0; bb_log_read(at, &entry); at = entry.sequence + 1) {
        uint64_t us = entry.time / BB_USEC;
        size_t length =
            bb_format(text, sizeof(text), "[%5lu.%06lu] %s\r\n", (unsigned long)(us / 1000000),
                      (unsigned long)(us % 1000000), entry.text);
        if (size + 2 == length && memcmp(text, data, size) == 0)
            return;
        if (entry.level <= bb_log_threshold())
            print(self, text, length);
    }
}

static int framebuffer_write(struct bb_console *console, const char *data, size_t size)
{
    struct framebuffer *self = bb_container_of(console, struct framebuffer, console);
    size_t taken = size < MOST ? size : MOST;
    if (!has_grid(self))
        return -EIO;
    if (!self->begun)
        begin(self, data, taken);
    print(self, data, taken);
    uintptr_t state = bb_arch_irq_save();
    bb_arch_irq_restore(state);
    if (bb_arch_irq_masked(state) || bb_time() - self->drawn_at >= FRAME)
        draw(self);
    else
        bb_work_queue(&self->draw_soon);
    return (int)taken;
}

static bool framebuffer_idle(struct bb_console *console)
{
    struct framebuffer *self = bb_container_of(console, struct framebuffer, console);
    if (self->terminal.dirty_from < self->terminal.dirty_to || self->terminal.y != self->cursor_row)
        draw(self);
    return true;
}

/* What is typed goes to the first screen. */
static void on_input(struct bb_input_listener *listener, const struct bb_input_event *event)
{
    struct framebuffer *self = bb_container_of(listener, struct framebuffer, listener);
    if (self->display != bb_display_first())
        return;
    for (size_t i = 0; i < event->text_length; i++)
        bb_console_input(&self->console, event->text[i]);
}

/* ---- Coming and going ---- */

static int framebuffer_probe(struct bb_device *device)
{
    struct framebuffer *self = bb_container_of(device, struct framebuffer, device);
    const struct bb_device *parent = device->node->parent->device;
    self->display = bb_display_first();
    while (self->display && self->display->face.device != parent)
        self->display = bb_display_next(self->display);
    if (!self->display || self->display->client)
        return bb_fail(device, "display", self->display ? -EBUSY : -ENODEV);
    int error = lay_out(self);
    if (error)
        return error;
    self->draw_soon = (struct bb_work){.run = draw_soon, .device = device};
    self->draw_later = (struct bb_timer_event){.run = draw_later, .device = device};
    self->client.changed = changed;
    self->display->client = &self->client;
    self->listener.event = on_input;
    bb_input_listen(&self->listener);
    bb_name_device(device, &self->name, "screen");
    return 0;
}

static void framebuffer_remove(struct bb_device *device)
{
    struct framebuffer *self = bb_container_of(device, struct framebuffer, device);
    bb_input_unlisten(&self->listener);
    self->display->client = NULL;
}

const struct bb_console_ops bb_ops_console_framebuffer = {
    .write = framebuffer_write,
    .idle = framebuffer_idle,
};

BB_DRIVER(console, framebuffer, .bus = &bb_display_bus,
          .match = BB_MATCH({"busbar,framebuffer-console"}), .probe = framebuffer_probe,
          .remove = framebuffer_remove);
