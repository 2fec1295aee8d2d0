/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages for tests/boot/screen.py to look at, one for each letter that is typed: colours, boxes,
 * text that scrolls, broken UTF-8, another mode, and what printing costs. `q` ends it.
 */
#include <string.h>

#include <busbar/app.h>
#include <busbar/arch.h>
#include <busbar/console.h>
#include <busbar/display.h>
#include <busbar/input.h>

static struct bb_console *screen;

static void show(const char *text)
{
    bb_console_print(screen, text, strlen(text));
}

static void colours(void)
{
    for (unsigned i = 0; i < 8; i++)
        bb_console_printf(screen, "\x1b[3%um%c\x1b[9%um%c\x1b[0;4%um%c\x1b[10%um%c\x1b[m", i,
                          'a' + (int)i, i, 'A' + (int)i, i, 'i' + (int)i, i, 'I' + (int)i);
    show("\n\x1b[1mbold\x1b[m \x1b[7mreversed\x1b[m \x1b[4munderlined\x1b[m\n");
}

static void boxes(void)
{
    show("┌─┬─┐ ╔═╦═╗ ╒═╤═╕ ╭─╮ ┏━┳━┓\n│é│ß│ ║Ä║ñ║ │ø│æ│ │µ│ ┃€┃°┃\n"
         "├─┼─┤ ╠═╬═╣ ╞═╪═╡ ╰─╯ ┣━╋━┫\n└─┴─┘ ╚═╩═╝ ╘═╧═╛ ╱╲╳ ┗━┻━┛\n"
         "█▓▒░▀▄▌▐▁▂▃▅▆▇▏▎▍▋▊▉▖▗▘▙▚▛▜▝▞▟\n");
}

static void broken(void)
{
    show("a\xc3"
         "b\xe2\x82"
         "c\xff"
         "d\xed\xa0\x80"
         "e漢f\x1b[>5;;999999zg\x1b]2;title\x07h\n");
}

static void scroll(void)
{
    for (unsigned i = 0; i < 500; i++)
        bb_console_printf(screen, "line %u of 500\n", i);
}

static void mode(void)
{
    static const uint32_t modes[][2] = {{800, 600}, {1024, 768}};
    static size_t next;
    const uint32_t *size = modes[next++ % BB_ARRAY_SIZE(modes)];
    int error = bb_display_set_mode(bb_display_first(), size[0], size[1]);
    bb_console_printf(NULL, "%ux%u: %s\n", size[0], size[1], bb_error_name(error));
}

/* In ticks of the counter: with -icount shift=4 the instructions. */
static void costs(void)
{
    static const char line[] =
        "[   12.345678] a line of the log as they are, with a name in it: serial0, 57 chars\n";
    enum { LINES = 100 };
    bb_console_flush();
    uint64_t begin = bb_arch_counter();
    for (unsigned i = 0; i < LINES; i++)
        show(line);
    uint64_t printed = bb_arch_counter();
    bb_console_flush();
    show("\x1b[2J\x1b[H");
    bb_console_flush();
    for (unsigned i = 0; i < 24; i++)
        show(line);
    uint64_t filled = bb_arch_counter();
    bb_console_flush();
    uint64_t drawn = bb_arch_counter();
    show("\n");
    bb_console_flush();
    uint64_t scrolled = bb_arch_counter();
    show("x");
    bb_console_flush();
    uint64_t typed = bb_arch_counter();
    bb_console_printf(NULL,
                      "costs: line %u, full screen %u, the same scrolled by one %u, "
                      "one character %u\n",
                      (unsigned)((printed - begin) / LINES), (unsigned)(drawn - filled),
                      (unsigned)(scrolled - drawn), (unsigned)(typed - scrolled));
}

static const struct {
    char key;
    void (*page)(void);
} pages[] = {
    {'c', colours}, {'b', boxes}, {'u', broken}, {'s', scroll}, {'m', mode}, {'p', costs},
};

static bool has_key(void *key)
{
    return bb_console_read(NULL, key, 1) == 1;
}

int bb_main(void)
{
    char key;
    screen = bb_console_by_name("screen0");
    if (!screen)
        return 1;
    bb_console_printf(NULL, "ready, layout %s\n", bb_input_layout());
    while (bb_wait(has_key, &key, BB_FOREVER) == 0 && key != 'q') {
        for (size_t i = 0; i < BB_ARRAY_SIZE(pages); i++)
            if (pages[i].key == key) {
                show("\x1b[2J\x1b[H");
                pages[i].page();
            }
        bb_console_printf(NULL, "page %c is there\n", key);
    }
    return 0;
}
