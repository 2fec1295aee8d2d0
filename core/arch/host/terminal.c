/* SPDX-License-Identifier: BSD-2-Clause */
/* The terminal's mode, put back however the process ends. */
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <busbar/arch.h>

static int terminal = -1;
static struct termios before;

void bb_host_terminal_restore(void)
{
    if (terminal >= 0)
        (void)tcsetattr(terminal, TCSANOW, &before);
}

static void end(int signal_number)
{
    bb_host_terminal_restore();
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

void bb_host_terminal_raw(int fd)
{
    static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT};
    if (terminal >= 0 || tcgetattr(fd, &before) != 0)
        return;
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_iflag &= ~(tcflag_t)(ICRNL | IXON);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    terminal = fd;
    (void)atexit(bb_host_terminal_restore);
    for (size_t i = 0; i < BB_ARRAY_SIZE(deadly); i++)
        (void)signal(deadly[i], end);
    (void)tcsetattr(fd, TCSANOW, &raw);
}
