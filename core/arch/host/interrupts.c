/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of the host: a line that tests raise, one wake-up time, file descriptors, and sources
 * that list descriptors of their own. They are delivered where a CPU takes them: as soon as nothing
 * masks them, which is looked at whenever the mask opens.
 */
#define _GNU_SOURCE /* ppoll() */
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include <busbar/arch.h>
#include <busbar/hooks.h>
#include <busbar/time.h>

#define MAX_WATCHES 16
#define MAX_LISTED 1024            /* descriptors of all sources */
#define LOOK_PERIOD (50 * BB_USEC) /* while nobody waits: each look is a system call */

struct watch {
    int fd;
    void (*ready)(void *context);
    void *context;
};

static struct {
    bool masked, inside, line;
    struct watch watches[MAX_WATCHES];
    nfds_t watch_count;
    struct bb_host_source *sources;
    uint64_t next_look; /* at descriptors; CLOCK_MONOTONIC, as the next */
    uint64_t wake;      /* 0: never */
    void (*fired)(void *context);
    void *fired_context;
} cpu;

static uint64_t monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * BB_SEC + (uint64_t)now.tv_nsec;
}

int bb_host_watch(int fd, void (*ready)(void *context), void *context)
{
    if (cpu.watch_count == MAX_WATCHES)
        return -ENOSPC;
    cpu.watches[cpu.watch_count++] = (struct watch){fd, ready, context};
    cpu.next_look = 0;
    return 0;
}

void bb_host_unwatch(int fd)
{
    for (nfds_t i = 0; i < cpu.watch_count; i++)
        if (cpu.watches[i].fd == fd) {
            cpu.watches[i] = cpu.watches[--cpu.watch_count];
            return;
        }
}

void bb_host_source_add(struct bb_host_source *source)
{
    source->next = cpu.sources;
    cpu.sources = source;
    cpu.next_look = 0;
}

void bb_host_source_remove(struct bb_host_source *source)
{
    for (struct bb_host_source **at = &cpu.sources; *at; at = &(*at)->next)
        if (*at == source) {
            *at = source->next;
            return;
        }
}

void bb_host_wake_at(uint64_t monotonic_ns, void (*fired)(void *context), void *context)
{
    cpu.wake = monotonic_ns == UINT64_MAX ? 0 : monotonic_ns ? monotonic_ns : 1;
    cpu.fired = fired;
    cpu.fired_context = context;
}

static nfds_t list_descriptors(struct pollfd *list)
{
    for (nfds_t i = 0; i < cpu.watch_count; i++)
        list[i] = (struct pollfd){.fd = cpu.watches[i].fd, .events = POLLIN};
    return cpu.watch_count;
}

/* What the sources want to hear of; lowers `deadline` to when the first wants to be called. */
static nfds_t list_sources(struct pollfd *list, uint64_t *deadline)
{
    nfds_t count = 0;
    for (struct bb_host_source *source = cpu.sources; source; source = source->next) {
        source->deadline = UINT64_MAX;
        source->listed = source->list(source, list + count, (unsigned)(MAX_LISTED - count));
        if (source->deadline < *deadline)
            *deadline = source->deadline;
        count += source->listed;
    }
    return count;
}

static void deliver_sources(uint64_t now)
{
    static struct pollfd list[MAX_LISTED];
    uint64_t deadline = UINT64_MAX;
    nfds_t count = list_sources(list, &deadline);
    if (count && poll(list, count, 0) < 0)
        return;
    const struct pollfd *at = list;
    for (struct bb_host_source *source = cpu.sources, *next; source; source = next) {
        bool ready = source->deadline <= now;
        for (unsigned i = 0; i < source->listed; i++, at++)
            ready |= at->revents != 0;
        next = source->next; /* it may take itself out */
        if (ready)
            source->ready(source);
    }
}

static void deliver_descriptors(void)
{
    struct pollfd list[MAX_WATCHES];
    nfds_t count = list_descriptors(list);
    if (!count || poll(list, count, 0) <= 0)
        return;
    for (nfds_t i = 0; i < count; i++)
        for (nfds_t j = 0; list[i].revents && j < cpu.watch_count; j++)
            if (cpu.watches[j].fd == list[i].fd) { /* no handler has taken it out meanwhile */
                cpu.watches[j].ready(cpu.watches[j].context);
                break;
            }
}

void bb_host_interrupts(void)
{
    if (cpu.masked)
        return;
    cpu.masked = cpu.inside = true;
    while (cpu.line) {
        cpu.line = false;
        bb_interrupt_entry();
    }
    uint64_t now = cpu.wake || cpu.watch_count || cpu.sources ? monotonic() : 0;
    if (cpu.wake && now >= cpu.wake) {
        cpu.wake = 0;
        cpu.fired(cpu.fired_context);
    }
    if (now >= cpu.next_look) {
        cpu.next_look = now + LOOK_PERIOD;
        deliver_descriptors();
        if (cpu.sources)
            deliver_sources(now);
    }
    cpu.masked = cpu.inside = false;
}

void bb_host_raise_interrupt(void)
{
    cpu.line = true;
    bb_host_interrupts();
}

uintptr_t bb_arch_irq_save(void)
{
    bool before = cpu.masked;
    cpu.masked = true;
    return before;
}

void bb_arch_irq_restore(uintptr_t state)
{
    cpu.masked = state;
    bb_host_interrupts();
}

bool bb_arch_in_interrupt(void)
{
    return cpu.inside;
}

static void sleep_until_ready(void)
{
    static struct pollfd list[MAX_WATCHES + MAX_LISTED];
    uint64_t end = cpu.wake ? cpu.wake : UINT64_MAX;
    nfds_t count = list_descriptors(list);
    count += list_sources(list + count, &end);
    if (!count && end == UINT64_MAX) {
        fprintf(stderr, "nothing can end this wait: no input is left and no timer runs\n");
        bb_arch_halt();
    }
    uint64_t now = monotonic(), left = end > now ? end - now : 0;
    struct timespec limit = {(time_t)(left / BB_SEC), (long)(left % BB_SEC)};
    (void)ppoll(list, count, end == UINT64_MAX ? NULL : &limit, NULL);
    cpu.next_look = 0;
}

void bb_arch_wait(void)
{
    if (bb_host_cpu.wait)
        bb_host_cpu.wait(bb_host_cpu.context);
    else if (!cpu.line)
        sleep_until_ready();
    bb_host_interrupts(); /* where the caller has not masked them */
}
