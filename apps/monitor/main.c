/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor: reads a line, runs a command, says what went wrong; the end of input ends it. */
#include <string.h>

#include "files.h"
#include "line.h"

#if BB_MODULE_TCPIP
#include <busbar/tcpip.h>
#endif

#define MAX_WORDS 16

const struct command *const commands[] = {
    &command_help,  &command_devices, &command_explain, &command_log,
    &command_store, &command_rtc,     &command_date,    &command_mailbox,
    &command_gpio,  &command_irq,     &command_memory,  &command_read,
    &command_write, &command_uptime,  &command_reboot,  &command_poweroff,
#if BB_MODULE_FILE
    &command_block, &command_mount,   &command_umount,  &command_ls,
    &command_cat,   &command_cp,      &command_mkdir,   &command_rm,
    &command_save,  &command_append,
#endif
#if BB_MODULE_TCPIP
    &command_net,
#endif
#ifdef BB_FACE_USB_HOST
    &command_usb,
#endif
    NULL,
};

/* Quotes keep spaces in a word, as in "disk0p2:/Long Name.txt". */
static int split(char *text, char **words)
{
    char *out = text;
    int count = 0;
    while (count < MAX_WORDS) {
        while (*text == ' ')
            text++;
        if (!*text)
            break;
        words[count++] = out;
        for (bool open = false; *text && (open || *text != ' '); text++) {
            if (*text == '"')
                open = !open;
            else
                *out++ = *text;
        }
        text += *text != '\0'; /* the space: the end of the word may come to stand there */
        *out++ = '\0';
    }
    return count;
}

static void run(int argc, char **argv)
{
    for (size_t i = 0; commands[i]; i++) {
        const struct command *command = commands[i];
        if (strcmp(command->name, argv[0]) != 0)
            continue;
        int error = command->run(argc, argv);
        if (error == -EINVAL)
            say("usage: %s %s\n", command->name, command->usage);
        else if (error < 0)
            say("%s: %s\n", command->name, bb_error_name(error));
        return;
    }
    say("%s: no such command; `help` lists them\n", argv[0]);
}

int bb_main(void)
{
    char *words[MAX_WORDS + 1] = {NULL};
    if (!bb_console_first()) {
        bb_print(BB_ERROR, "monitor: there is no console to read from");
        return 1;
    }
#if BB_MODULE_TCPIP
    (void)bb_tcpip_start_all(NULL); /* and all that come later; `net` says what is wrong */
#endif
    say("%s\n`help` lists the commands\n", bb_version());
    for (char *text; (text = line_read("busbar> "));) {
        int count = split(text, words);
        words[count] = NULL;
        if (count)
            run(count, words);
    }
    leave_files();
    return 0;
}
