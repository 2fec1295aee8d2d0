/* SPDX-License-Identifier: BSD-2-Clause */
/* The drivers and the architecture of the Linux process, on pipes and a terminal of its own. */
#define _GNU_SOURCE
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <busbar/arch.h>
#include <busbar/console.h>
#include <busbar/entropy.h>
#include <busbar/hooks.h>
#include <busbar/mmio.h>
#include <busbar/poll.h>
#include <busbar/power.h>
#include <busbar/rtc.h>
#include <busbar/timer.h>

static int input[2];

static void start(void)
{
    assert_int_equal(pipe(input), 0);
    assert_int_equal(dup2(input[0], STDIN_FILENO), STDIN_FILENO);
    tree_begin(2, 2);
    tree_device("console", "busbar,host-console");
    tree_close();
    tree_device("rtc", "busbar,host-rtc");
    tree_close();
    tree_device("timer", "busbar,host-timer");
    tree_close();
    tree_device("power", "busbar,host-power");
    tree_close();
    tree_device("entropy", "busbar,host-entropy");
    tree_close();
    boot(NULL);
}

static bool has_input(void *context)
{
    struct bb_console *console = context;
    return console->head != console->tail;
}

static void test_input_ends_once(void **state)
{
    (void)state;
    char got[16];
    start();
    struct bb_console *console = bb_console_first();
    assert_int_equal(write(input[1], "one", 3), 3);
    assert_int_equal(bb_wait(has_input, console, BB_SEC), 0);
    assert_int_equal(bb_console_read(console, got, sizeof(got)), 3);
    assert_memory_equal(got, "one", 3);
    close(input[1]);
    assert_int_equal(bb_wait(has_input, console, BB_SEC), 0);
    assert_int_equal(bb_console_read(console, got, sizeof(got)), 1);
    assert_int_equal(got[0], 4); /* ^D */
    assert_int_equal(bb_wait(has_input, console, 20 * BB_MSEC), -ETIMEDOUT);
    must_remove("/console");
}

static void test_a_full_pipe_is_waited_for_by_nobody(void **state)
{
    (void)state;
    static char text[4096];
    int output[2], taken = 0, sum = 0;
    start();
    assert_int_equal(pipe(output), 0);
    int before = dup(STDOUT_FILENO);
    dup2(output[1], STDOUT_FILENO);
    memset(text, 'x', sizeof(text));
    for (unsigned i = 0; i < 100000; i++, sum += taken)
        if ((taken = bb_console_write(bb_console_first(), text, sizeof(text))) <= 0)
            break;
    dup2(before, STDOUT_FILENO);
    assert_int_equal(taken, 0);
    assert_true(sum >= 4096);
    assert_true(fcntl(output[1], F_GETFL) >= 0 && !(fcntl(output[1], F_GETFL) & O_NONBLOCK));
}

static unsigned alarms;

static void alarm_called(struct bb_rtc *rtc, void *context)
{
    (void)rtc, (void)context;
    alarms++;
}

static bool is_alarmed(void *context)
{
    (void)context;
    return alarms > 0;
}

static void test_the_clock_is_set_for_us_alone(void **state)
{
    (void)state;
    int64_t now = 0, machine = time(NULL);
    start();
    struct bb_rtc *rtc = bb_rtc_first();
    assert_int_equal(bb_rtc_get_time(rtc, &now), 0);
    assert_true(now >= machine && now <= machine + 2);
    assert_int_equal(bb_rtc_set_time(rtc, 1000), 0);
    assert_int_equal(bb_rtc_set_alarm(rtc, 1001, alarm_called, NULL), 0);
    assert_int_equal(bb_rtc_set_time(rtc, 2000000), 0); /* past the alarm: it goes off */
    assert_int_equal(bb_wait(is_alarmed, NULL, BB_SEC), 0);
    assert_int_equal(bb_rtc_set_alarm(rtc, 2000500, alarm_called, NULL), 0);
    assert_int_equal(bb_rtc_set_alarm(rtc, -1, NULL, NULL), 0);
    assert_int_equal(bb_rtc_set_time(rtc, -1), -ERANGE);
    assert_int_equal(alarms, 1);
    assert_true(time(NULL) <= machine + 5);
    must_remove("/rtc");
}

static void test_time_moves_and_wakes(void **state)
{
    (void)state;
    start();
    assert_int_equal(bb_timer_first()->hz, BB_SEC);
    uint64_t before = bb_time();
    bb_sleep(5 * BB_MSEC);
    assert_true(bb_time() - before >= 5 * BB_MSEC);
    must_remove("/timer");
}

static void test_entropy_comes_at_once(void **state)
{
    (void)state;
    uint8_t a[300] = {0}, b[300] = {0};
    start();
    assert_int_equal(bb_random(a, sizeof(a), BB_SEC), 0);
    assert_int_equal(bb_random(b, sizeof(b), BB_SEC), 0);
    assert_true(memcmp(a, b, sizeof(a)) != 0);
    assert_true(a[299] || a[298] || a[297] || a[296]);
}

static int end_with(void *context)
{
    bb_power_exit(*(int *)context);
}

static int end_well(void *context)
{
    (void)context;
    bb_power_off();
}

static void test_power_ends_the_process(void **state)
{
    (void)state;
    int status = 42;
    start();
    assert_int_equal(run_child(end_with, &status), 42);
    assert_int_equal(run_child(end_well, NULL), 0);
}

static void test_the_terminal_is_put_back(void **state)
{
    (void)state;
    struct termios before, now;
    int master = posix_openpt(O_RDWR | O_NOCTTY), status;
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    assert_int_equal(tcgetattr(terminal, &before), 0);
    static const int ends[] = {0, SIGTERM, SIGINT};
    for (size_t i = 0; i < BB_ARRAY_SIZE(ends); i++) {
        pid_t child = fork();
        if (child == 0) {
            bb_host_terminal_raw(terminal);
            if (tcgetattr(terminal, &now) != 0 || now.c_lflag & (ICANON | ECHO))
                _exit(99);
            if (ends[i])
                raise(ends[i]);
            exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(ends[i] ? WIFSIGNALED(status) && WTERMSIG(status) == ends[i]
                            : WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_int_equal(tcgetattr(terminal, &now), 0);
        assert_int_equal(now.c_lflag, before.c_lflag);
        assert_int_equal(now.c_iflag, before.c_iflag);
    }
}

/* ---- Sources ---- */

struct pipe_source {
    struct bb_host_source source;
    int fds[2];
    short events;
    uint64_t due;
    unsigned lists, readies;
};

static unsigned list_pipe(struct bb_host_source *source, struct pollfd *list, unsigned room)
{
    struct pipe_source *pipe = bb_container_of(source, struct pipe_source, source);
    assert_true(room >= 256);
    pipe->lists++;
    source->deadline = pipe->due ? pipe->due : UINT64_MAX;
    if (!pipe->events)
        return 0;
    list[0] = (struct pollfd){.fd = pipe->fds[pipe->events == POLLOUT], .events = pipe->events};
    return 1;
}

static void pipe_ready(struct bb_host_source *source)
{
    struct pipe_source *pipe = bb_container_of(source, struct pipe_source, source);
    assert_true(bb_arch_in_interrupt());
    pipe->readies++;
    pipe->events = 0;
    pipe->due = 0;
}

static bool pipe_was_ready(void *context)
{
    return ((const struct pipe_source *)context)->readies > 0;
}

static void test_sources(void **state)
{
    (void)state;
    struct pipe_source one = {.source = {list_pipe, pipe_ready}, .events = POLLIN}, two = one;
    start();
    assert_int_equal(pipe(one.fds), 0);
    assert_int_equal(pipe(two.fds), 0);
    bb_host_source_add(&one.source);
    bb_host_source_add(&two.source);
    assert_int_equal(bb_wait(pipe_was_ready, &one, 20 * BB_MSEC), -ETIMEDOUT);
    assert_true(one.lists < 100); /* it slept */
    assert_int_equal(write(two.fds[1], "x", 1), 1);
    assert_int_equal(bb_wait(pipe_was_ready, &two, BB_SEC), 0);
    assert_int_equal(one.readies, 0);
    one.events = POLLOUT;
    assert_int_equal(bb_wait(pipe_was_ready, &one, BB_SEC), 0);

    /* Without a wait too: a program that only polls. */
    one.readies = 0;
    one.events = POLLOUT;
    for (uint64_t end = bb_time() + BB_SEC; !one.readies && bb_time() < end;)
        bb_poll();
    assert_int_equal(one.readies, 1);

    two.readies = 0;
    two.due = 1; /* a moment that is past */
    assert_int_equal(bb_wait(pipe_was_ready, &two, BB_SEC), 0);
    bb_host_source_remove(&one.source);
    one.readies = 0;
    one.events = POLLOUT;
    assert_int_equal(bb_wait(pipe_was_ready, &one, 5 * BB_MSEC), -ETIMEDOUT);
    bb_host_source_remove(&two.source);
    bb_host_source_remove(&two.source); /* twice does no harm */
}

/* ---- Register models ---- */

static uint64_t read_offset(void *context, size_t offset, unsigned width)
{
    (void)context;
    return offset * 16 + width;
}

static struct bb_host_region low = {.base = 0x1000, .size = 0x10, .read = read_offset};
static struct bb_host_region high = {
    .base = 0xfffffffffffff000, .size = 0x1000, .read = read_offset};

static int read_at(void *context)
{
    return (int)bb_arch_read32(*(uintptr_t *)context) & 1;
}

static int write_at(void *context)
{
    bb_arch_write8(*(uintptr_t *)context, 1);
    return 0;
}

static void test_accesses_find_their_model(void **state)
{
    (void)state;
    static const uintptr_t bad[] = {0xfff, 0x0ffc, 0x1002, 0x1010, 0, UINTPTR_MAX - 2};
    uint32_t value;
    bb_host_map(&low);
    bb_host_map(&high);
    assert_int_equal(bb_arch_read32(0x1004), 0x44);
    assert_int_equal(bb_arch_read8(0x100f), 0xf1);
    assert_int_equal(bb_arch_read32(UINTPTR_MAX - 3), 0xffc4);
    for (size_t i = 0; i < BB_ARRAY_SIZE(bad); i++) {
        uintptr_t address = bad[i];
        assert_int_equal(run_child(read_at, &address), 255);
        assert_false(bb_arch_probe_read32(address, &value));
        assert_false(bb_arch_probe_write32(address, 0));
    }
    uintptr_t read_only = 0x1000;
    assert_int_equal(run_child(write_at, &read_only), 255);
    assert_true(bb_arch_probe_read32(0x1000, &value));
    assert_false(bb_arch_probe_write32(read_only, 0));
    bb_host_unmap(&low);
    assert_false(bb_arch_probe_read32(0x1000, &value));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_input_ends_once),
        cmocka_unit_test(test_a_full_pipe_is_waited_for_by_nobody),
        cmocka_unit_test(test_the_clock_is_set_for_us_alone),
        cmocka_unit_test(test_time_moves_and_wakes),
        cmocka_unit_test(test_entropy_comes_at_once),
        cmocka_unit_test(test_power_ends_the_process),
        cmocka_unit_test(test_the_terminal_is_put_back),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_accesses_find_their_model),
    };
    return run_apart(tests, BB_ARRAY_SIZE(tests));
}
