/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages for tests/boot/screen.py to look at, one for each letter that is typed: colours, boxes,
 * text that scrolls, broken UTF-8, another mode, and what printing costs. `q` ends it. What a mouse
 * or a tablet does is said on the console.
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

/* What is shown is drawn now. */
static void draw(const char *text)
{
    const struct bb_console_ops *ops = screen->face.ops;
    show(text);
    (void)ops->idle(screen);
}

/* Puts the time since `begin` where it is less than what stands there; returns what it is now. */
static uint64_t take(uint32_t *least, uint64_t begin)
{
    uint64_t now = bb_arch_counter();
    if (now - begin < *least)
        *least = (uint32_t)(now - begin);
    return bb_arch_counter();
}

/* In ticks of the counter: with -icount shift=4 the instructions. The least of a few rounds. */
static void costs(void)
{
    static const char line[] =
        "[   12.345678] a line of the log as they are, with a name in it: serial0\n";
    static const char back[] = "\x1b[H";
    uint32_t print = UINT32_MAX, full = UINT32_MAX, scrolled = UINT32_MAX, same = UINT32_MAX;
    for (unsigned round = 0; round < 8; round++) {
        char text[100];
        draw("\x1b[2J\x1b[H");
        uint64_t at = bb_arch_counter();
        show(line);
        (void)take(&print, at);
        show(back);
        for (unsigned i = 0; i < 100; i++) {
            bb_format(text, sizeof(text), "%02u%s", i * 37 % 100, line);
            show(text);
        }
        at = bb_arch_counter();
        draw("");
        at = take(&full, at);
        draw("00 and one line more, by which everything moves\n");
        at = take(&scrolled, at);
        draw("x");
        (void)take(&same, at);
    }
    bb_console_printf(NULL, "costs: line %u, full screen %u, scrolled %u, character %u\n", print,
                      full, scrolled, same);
}

static const struct {
    char key;
    void (*page)(void);
} pages[] = {
    {'c', colours}, {'b', boxes}, {'u', broken}, {'s', scroll}, {'m', mode}, {'p', costs},
};

static void on_event(struct bb_input_listener *listener, const struct bb_input_event *event)
{
    static const char *const kinds[] = {
        [BB_INPUT_MOVE] = "move", [BB_INPUT_POSITION] = "position", [BB_INPUT_WHEEL] = "wheel"};
    (void)listener;
    if (event->kind == BB_INPUT_BUTTON)
        bb_console_printf(NULL, "%s: button %u %s\n", event->input->face.device->name, event->code,
                          event->action == BB_INPUT_PRESSED ? "down" : "up");
    else if (event->kind != BB_INPUT_KEY)
        bb_console_printf(NULL, "%s: %s %d %d\n", event->input->face.device->name,
                          kinds[event->kind], event->x, event->y);
}

static bool has_key(void *key)
{
    return bb_console_read(NULL, key, 1) == 1;
}

int bb_main(void)
{
    static struct bb_input_listener listener = {.event = on_event};
    char key;
    bb_input_listen(&listener);
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
