/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Synopsys DesignWare USB 2.0 OTG controller as a host, with buffer DMA, releases 2.xx to 4.1x
 * (registers: STMicroelectronics RM0090, chapter "OTG_HS"; Broadcom BCM2835 ARM Peripherals,
 * chapter 15; splits: Universal Serial Bus Specification 2.0, section 11.14 on).
 *
 * A transfer goes through the channels piece by piece: as many packets as the core can count, of a
 * control transfer a stage, of an interrupt endpoint what one interval takes, of a split one
 * packet. A piece ends with one interrupt, and the core takes NAKs of control and bulk endpoints by
 * itself. Who has waited longest has the next channel.
 *
 * An emulated core (QEMU's, which has no PHY of any kind) dies of what it still has to do for a
 * device that is gone. So it gets nothing that it would not have done at once: packet by packet
 * what it would serve slowly, and bulk endpoints as interrupt ones, whose NAK halts the channel.
 */
#include <busbar/log.h>

#include "dwc2_core.h"

enum { HALT_TIME = 4 * BB_MSEC, TURN = 2 * BB_MSEC };
enum { RESET_TIME = 60 * BB_MSEC, ENABLE_TIME = 5 * BB_MSEC };
enum { LAST_START = 3 }; /* microframe of a frame */

static void schedule(struct dwc2 *chip);
static void recover(struct dwc2 *chip, const char *why);

static struct dwc2 *chip_of(struct bb_usb_host *host)
{
    return bb_container_of(host, struct dwc2, usb_host);
}

/* ---- The interrupt ---- */

static void channel_interrupt(struct dwc2 *chip, struct channel *channel)
{
    uint32_t events = get_channel(chip, channel, HCINT) & EVENTS;
    put_channel(chip, channel, HCINT, events);
    channel->events |= events;
    /* An ACK or NYET may be of the hub alone, as is each answer to a start split. */
    if (events & EVENT_NAK && channel->transfer && (!channel->split || channel->completing))
        job_of(channel->transfer)->errors = 0;
    if (!(events & (EVENT_HALTED | EVENT_AHB_ERROR)))
        return;
    if (channel->split && channel->state == RUNNING &&
        go_on_with_split(chip, channel, channel->events)) {
        channel->events = 0;
        return;
    }
    __atomic_fetch_or(&chip->halted, 1u << channel->number, __ATOMIC_RELEASE);
    bb_work_queue(&chip->work);
}

/* Writes HPRT with these bits set and these cleared; changes and the enable bit act by a 1. */
static void change_port(struct dwc2 *chip, uint32_t set, uint32_t clear)
{
    uintptr_t state = bb_arch_irq_save();
    uint32_t port = get(chip, HPRT) & ~(uint32_t)PORT_WRITE_1;
    put(chip, HPRT, (port & ~clear) | set);
    bb_arch_irq_restore(state);
}

static void port_changed(struct dwc2 *chip, uint32_t changes)
{
    __atomic_fetch_or(&chip->changes, changes, __ATOMIC_RELEASE);
    bb_usb_root_changed(&chip->usb_host);
}

static void port_interrupt(struct dwc2 *chip, uint32_t status)
{
    uint32_t port = get(chip, HPRT), changes = 0;
    change_port(chip, port & PORT_CHANGES, 0);
    if (port & PORT_CONNECT_CHANGE || status & INT_DISCONNECTED)
        changes |= BB_USB_PORT_CONNECTION;
    if (port & PORT_ENABLE_CHANGE && !(port & PORT_ENABLED))
        changes |= BB_USB_PORT_ENABLE;
    if (port & PORT_OVER_CURRENT_CHANGE)
        changes |= BB_USB_PORT_OVER_CURRENT;
    put(chip, GINTSTS, status & INT_DISCONNECTED);
    if (changes)
        port_changed(chip, changes);
}

static void dwc2_interrupt(struct bb_interrupt *interrupt)
{
    struct dwc2 *chip = bb_container_of(interrupt, struct dwc2, interrupt);
    uint32_t status = get(chip, GINTSTS);
    if (status & INT_CHANNELS) {
        uint32_t channels = get(chip, HAINT) & ((1u << chip->channel_count) - 1);
        for (; channels; channels &= channels - 1)
            channel_interrupt(chip, &chip->channels[__builtin_ctz(channels)]);
    }
    if (status & (INT_PORT | INT_DISCONNECTED))
        port_interrupt(chip, status);
}

/* ---- The end of a piece ---- */

static void end(struct dwc2 *chip, struct bb_usb_transfer *transfer, int status)
{
    struct job *job = job_of(transfer);
    job->state = ENDED;
    job->status = status;
    push(&chip->ended, transfer);
    bb_work_queue(&chip->work);
}

static void make_ready(struct dwc2 *chip, struct bb_usb_transfer *transfer)
{
    job_of(transfer)->state = READY;
    push(is_periodic(transfer) ? &chip->periodic : &chip->others, transfer);
}

static void wait_until(struct dwc2 *chip, struct bb_usb_transfer *transfer, uint64_t due)
{
    struct bb_usb_transfer **at = &chip->waiting;
    struct job *job = job_of(transfer);
    job->state = WAITING;
    job->due = due;
    while (*at && job_of(*at)->due <= due)
        at = &job_of(*at)->next;
    job->next = *at;
    *at = transfer;
}

/* Halts a channel: its interrupt follows. */
static void halt(struct dwc2 *chip, struct channel *channel)
{
    uintptr_t state = bb_arch_irq_save();
    channel->state = HALTING;
    channel->since = bb_time();
    chip->unsettled |= 1u << channel->number;
    uint32_t character = get_channel(chip, channel, HCCHAR);
    if (character & CHAR_ENABLE) /* else it has halted by itself just now */
        put_channel(chip, channel, HCCHAR, character | CHAR_DISABLE);
    bb_arch_irq_restore(state);
}

static void channel_halted(struct dwc2 *chip, struct channel *channel)
{
    struct bb_usb_transfer *transfer = channel->transfer;
    struct job *job = job_of(transfer);
    uint32_t events = channel->events;
    channel->events = 0; /* a halt that comes in between is seen by settle() */
    bool was_halting = channel->state == HALTING;
    uint64_t due = 0;
    if (events & EVENT_AHB_ERROR && !(events & EVENT_HALTED)) {
        bb_print(BB_ERROR, "%s: the core could not reach memory", chip->device.name);
        job->status = job->status ? job->status : -EIO;
        halt(chip, channel);
        return;
    }
    int verdict = PIECE_AGAIN;
    bool is_short = count(chip, channel, transfer, events & EVENT_DONE);
    if (!was_halting || events & ~(uint32_t)(EVENT_HALTED | EVENT_NAK | EVENT_ACK | EVENT_NYET))
        verdict = judge(channel, transfer, events, &due);
    if (verdict == PIECE_DONE && transfer->actual > transfer->length) {
        transfer->actual = transfer->length;
        verdict = -EOVERFLOW;
    }
    if (was_halting && !(channel->character & CHAR_IN))
        transfer->endpoint->ping = transfer->endpoint->device->speed == BB_USB_HIGH;
    bool over = verdict == PIECE_DONE && advance(transfer, is_short);

    channel->transfer = NULL;
    job->channel = NULL;
    if (was_halting && channel->answered && !(events & ~(uint32_t)EVENT_HALTED) &&
        transfer->endpoint->type == BB_USB_BULK)
        set_lost(chip, channel);
    else
        set_free(chip, channel);
    if (verdict < 0 || over)
        end(chip, transfer, verdict);
    else if (job->status)
        end(chip, transfer, job->status);
    else if (verdict == PIECE_LATER)
        wait_until(chip, transfer, due);
    else if (verdict == PIECE_DONE && is_periodic(transfer))
        wait_until(chip, transfer, next_interval(transfer->endpoint));
    else
        make_ready(chip, transfer);
    if (over && is_periodic(transfer))
        (void)next_interval(transfer->endpoint);
}

/* A channel that was LOST has halted at last. */
static void find_again(struct dwc2 *chip, struct channel *channel)
{
    channel->events = 0;
    if (channel->state != LOST)
        return;
    chip->lost--;
    set_free(chip, channel);
}

static void run_work(struct bb_work *work)
{
    struct dwc2 *chip = bb_container_of(work, struct dwc2, work);
    uint32_t halted = __atomic_exchange_n(&chip->halted, 0, __ATOMIC_ACQUIRE);
    struct bb_usb_transfer *transfer;
    for (; halted; halted &= halted - 1) {
        struct channel *channel = &chip->channels[__builtin_ctz(halted)];
        if (!(channel->events & (EVENT_HALTED | EVENT_AHB_ERROR)))
            continue; /* the end of what it did before, which is known */
        if (channel->transfer)
            channel_halted(chip, channel);
        else
            find_again(chip, channel);
    }
    schedule(chip);
    while ((transfer = pop(&chip->ended))) {
        int status = job_of(transfer)->status;
        if (transfer->actual && data_is_in(transfer))
            bb_dma_return(transfer->data, transfer->actual);
        bb_usb_complete(transfer, status);
    }
}

/* ---- Whose turn it is ---- */

/* Looks at channels that are to halt. The time at which to look again. */
static uint64_t settle(struct dwc2 *chip)
{
    uint64_t now = bb_time(), next = BB_FOREVER;
    for (uint32_t left = chip->unsettled; left; left &= left - 1) {
        struct channel *channel = &chip->channels[__builtin_ctz(left)];
        uint64_t due = channel->since + HALT_TIME;
        if (__atomic_load_n(&chip->halted, __ATOMIC_ACQUIRE) & 1u << channel->number)
            continue; /* it has, and its work is queued */
        if (now < due) {
            next = due < next ? due : next;
            continue;
        }
        if (get_channel(chip, channel, HCCHAR) & CHAR_ENABLE) {
            recover(chip, "a channel did not halt");
            return BB_FOREVER;
        }
        uintptr_t state = bb_arch_irq_save();
        channel_interrupt(chip, channel);
        bb_arch_irq_restore(state);
        if (channel->transfer)
            channel_halted(chip, channel);
    }
    return next;
}

/* Somebody waits while every channel is busy: one that is only NAKed lets it have its turn. */
static void share(struct dwc2 *chip)
{
    struct channel *longest = NULL;
    uint64_t now = bb_time();
    for (unsigned i = 0; i < chip->channel_count; i++) {
        struct channel *channel = &chip->channels[i];
        if (channel->state == HALTING)
            return;
        if (channel->state != RUNNING || is_periodic(channel->transfer) || channel->split)
            continue;
        if (channel->since == BB_FOREVER)
            channel->since = now;
        if (now - channel->since >= TURN && (!longest || channel->since < longest->since) &&
            get_channel(chip, channel, HCINT) & EVENT_NAK)
            longest = channel;
    }
    if (longest)
        halt(chip, longest);
}

/* A start split must leave room for its complete splits in the same frame. */
static bool is_late_in_frame(const struct dwc2 *chip, const struct bb_usb_transfer *transfer,
                             uint64_t *due)
{
    if (!transfer->endpoint->device->split_address || !is_periodic(transfer))
        return false;
    unsigned next = (get(chip, HFNUM) + 1) & 7;
    *due = bb_time() + (8 - next) * 125 * BB_USEC;
    return next > LAST_START;
}

/* An emulated core has mostly done it by then: it need not interrupt to say so. */
static void start_looking(struct dwc2 *chip, struct channel *channel,
                          struct bb_usb_transfer *transfer)
{
    if (!chip->emulated) {
        start(chip, channel, transfer);
        return;
    }
    uintptr_t state = bb_arch_irq_save();
    start(chip, channel, transfer);
    channel_interrupt(chip, channel);
    bb_arch_irq_restore(state);
}

static void schedule(struct dwc2 *chip)
{
    uint64_t next = chip->unsettled ? settle(chip) : BB_FOREVER, late;
    while (chip->free && (chip->periodic.first || chip->others.first)) {
        struct bb_usb_transfer *transfer =
            pop(chip->periodic.first ? &chip->periodic : &chip->others);
        if (is_late_in_frame(chip, transfer, &late))
            wait_until(chip, transfer, late);
        else
            start_looking(chip, &chip->channels[__builtin_ctz(chip->free)], transfer);
    }
    if ((chip->periodic.first || chip->others.first) && next > bb_time() + TURN)
        next = bb_time() + TURN;
    if (chip->waiting && job_of(chip->waiting)->due < next)
        next = job_of(chip->waiting)->due;
    if (next != BB_FOREVER && (!chip->tick.armed || next < chip->tick.due))
        bb_timer_event_at(&chip->tick, next);
}

static void run_tick(struct bb_timer_event *event)
{
    struct dwc2 *chip = bb_container_of(event, struct dwc2, tick);
    uint64_t now = bb_time();
    while (chip->waiting && job_of(chip->waiting)->due <= now) {
        struct bb_usb_transfer *transfer = chip->waiting;
        chip->waiting = job_of(transfer)->next;
        make_ready(chip, transfer);
    }
    if ((chip->periodic.first || chip->others.first) && !chip->free)
        share(chip);
    schedule(chip);
}

static int dwc2_submit(struct bb_usb_host *host, struct bb_usb_transfer *transfer)
{
    struct dwc2 *chip = chip_of(host);
    struct bb_usb_endpoint *endpoint = transfer->endpoint;
    struct job *job = job_of(transfer);
    bool in = data_is_in(transfer);
    if (chip->broken)
        return -EIO;
    *job = (struct job){.stage = endpoint->type == BB_USB_CONTROL ? SETUP : DATA};
    if (endpoint->packet % 4 && transfer->length > endpoint->packet)
        return -EINVAL; /* the second packet would begin where no DMA can */
    if (transfer->length) {
        uint32_t size = in ? bb_usb_room(endpoint, transfer->length) : transfer->length;
        int error = bb_dma_address(&chip->device, &chip->view, transfer->data, size, &job->address);
        if (!error && (job->address & 3 || job->address + size > 1ull << 32))
            error = -ENXIO;
        if (error)
            return error;
        bb_dma_lend(transfer->data, size);
    }
    transfer->actual = 0;
    if (is_periodic(transfer) && endpoint->host[0] > bb_time())
        wait_until(chip, transfer, endpoint->host[0]);
    else if (chip->pause && chip->emulated && in && endpoint->type == BB_USB_BULK)
        wait_until(chip, transfer, bb_time() + chip->pause * BB_USEC);
    else
        make_ready(chip, transfer);
    schedule(chip);
    return 0;
}

static void dwc2_cancel(struct bb_usb_host *host, struct bb_usb_transfer *transfer)
{
    struct dwc2 *chip = chip_of(host);
    struct job *job = job_of(transfer);
    if (job->state == ENDED || job->status)
        return;
    job->status = -ECANCELED;
    if (job->state == ACTIVE) {
        if (job->channel->state == RUNNING)
            halt(chip, job->channel);
        schedule(chip);
        return;
    }
    for (struct bb_usb_transfer **at = &chip->waiting; *at; at = &job_of(*at)->next) {
        if (*at == transfer) {
            *at = job->next;
            break;
        }
    }
    (void)(take_out(&chip->periodic, transfer) || take_out(&chip->others, transfer));
    end(chip, transfer, -ECANCELED);
}

static void dwc2_forget(struct bb_usb_host *host, struct bb_usb_endpoint *endpoint)
{
    (void)host;
    endpoint->host[0] = 0;
    endpoint->ping = false;
}

/* ---- The root port ---- */

/* It runs now: the frame's length and the clock follow the speed. */
static void set_speed(struct dwc2 *chip, uint32_t port)
{
    bool high = (port >> PORT_SPEED & 3) == PORT_SPEED_HIGH;
    uint32_t clock = get(chip, HCFG) & HCFG_CLOCK, mhz = 48;
    if (clock == HCFG_CLOCK_30_60)
        mhz = get(chip, GUSBCFG) & (USB_WIDE_PHY | USB_ULPI) ? 30 : 60;
    if (get(chip, GUSBCFG) & USB_ULPI)
        mhz = 60;
    put(chip, HFIR, high ? 125 * mhz : 1000 * mhz);
}

static void run_port(struct bb_timer_event *event)
{
    struct dwc2 *chip = bb_container_of(event, struct dwc2, port);
    if (chip->reset_driven) {
        change_port(chip, 0, PORT_RESET);
        chip->reset_driven = false;
        bb_timer_event_at(&chip->port, bb_time() + ENABLE_TIME);
        return;
    }
    uint32_t port = get(chip, HPRT);
    if (port & PORT_ENABLED)
        set_speed(chip, port);
    chip->resetting = false;
    port_changed(chip, BB_USB_PORT_RESET);
}

static int dwc2_port_status(struct bb_usb_host *host, unsigned number, uint32_t *status)
{
    struct dwc2 *chip = chip_of(host);
    (void)number; /* there is one */
    *status = BB_USB_PORT_POWER;
    if (chip->broken)
        return 0; /* nothing is plugged in */
    uint32_t port = get(chip, HPRT), speed = port >> PORT_SPEED & 3, bits = 0;
    bits |= port & PORT_CONNECTED;
    bits |= port >> 1 & BB_USB_PORT_OVER_CURRENT;
    bits |= port >> 4 & BB_USB_PORT_POWER;
    bits |= port & PORT_ENABLED && !chip->resetting ? BB_USB_PORT_ENABLE : 0u;
    bits |= chip->resetting ? BB_USB_PORT_RESET : 0u;
    if (port & PORT_ENABLED && speed == PORT_SPEED_LOW)
        bits |= BB_USB_PORT_LOW_SPEED;
    if (port & PORT_ENABLED && speed == PORT_SPEED_HIGH)
        bits |= BB_USB_PORT_HIGH_SPEED;
    *status = bits | __atomic_load_n(&chip->changes, __ATOMIC_ACQUIRE) << BB_USB_PORT_CHANGES;
    return 0;
}

static int dwc2_port_feature(struct bb_usb_host *host, unsigned number,
                             enum bb_usb_port_feature feature, bool set)
{
    struct dwc2 *chip = chip_of(host);
    (void)number;
    if (chip->broken)
        return -EIO;
    if (feature >= BB_USB_FEATURE_C_CONNECTION && feature <= BB_USB_FEATURE_C_RESET && !set) {
        uint32_t change = 1u << (feature - BB_USB_FEATURE_C_CONNECTION);
        __atomic_fetch_and(&chip->changes, ~change, __ATOMIC_RELEASE);
    } else if (feature == BB_USB_FEATURE_POWER) {
        change_port(chip, set ? PORT_POWER : 0, set ? 0 : PORT_POWER);
    } else if (feature == BB_USB_FEATURE_ENABLE && !set) {
        change_port(chip, PORT_ENABLED, 0);
    } else if (feature == BB_USB_FEATURE_RESET && set) {
        change_port(chip, PORT_RESET, 0);
        chip->resetting = chip->reset_driven = true;
        bb_timer_event_at(&chip->port, bb_time() + RESET_TIME);
    } else {
        return -ENOTSUP;
    }
    return 0;
}

/* ---- The core ---- */

/* Nobody is served any more. */
static void end_all(struct dwc2 *chip)
{
    struct bb_usb_transfer *transfer;
    bb_timer_event_cancel(&chip->tick);
    bb_timer_event_cancel(&chip->port);
    for (; (transfer = chip->waiting); make_ready(chip, transfer))
        chip->waiting = job_of(transfer)->next;
    while ((transfer = pop(&chip->periodic)) || (transfer = pop(&chip->others)))
        end(chip, transfer, -EIO);
}

/* The core does not obey: from its reset on, as if everything had been unplugged. */
static void recover(struct dwc2 *chip, const char *why)
{
    chip->resets++;
    bb_print(BB_ERROR, "%s: %s: reset", chip->device.name, why);
    int error = set_up(chip);
    for (unsigned i = 0; i < chip->channel_count; i++) {
        struct channel *channel = &chip->channels[i];
        struct bb_usb_transfer *transfer = channel->transfer;
        channel->transfer = NULL;
        channel->events = 0;
        if (transfer)
            end(chip, transfer, job_of(transfer)->status ? job_of(transfer)->status : -EIO);
    }
    if (error) {
        bb_device_broken(&chip->device, "the core cannot be reset", error);
        chip->broken = true;
        chip->free = chip->free_count = chip->unsettled = 0;
        end_all(chip);
    } else {
        set_going(chip);
        change_port(chip, PORT_POWER, 0);
    }
    port_changed(chip, BB_USB_PORT_CONNECTION);
}

static int dwc2_probe(struct bb_device *device)
{
    struct dwc2 *chip = bb_container_of(device, struct dwc2, device);
    const uint32_t *burst = device->data;
    chip->burst = *burst;
    chip->work.run = run_work;
    chip->tick.run = run_tick;
    chip->port.run = run_port;
    chip->work.device = chip->tick.device = chip->port.device = device;
    int error = bb_power_domain_get(device, 0, &chip->power);
    if (error && error != -ENOENT)
        return error;
    error = bb_regs_get(device, 0, SIZE, &chip->regs);
    if (!error)
        error = read_hardware(chip);
    if (!error)
        error = bb_dma_alloc(device, chip->channel_count * (size_t)SETUP_LINE, &chip->setups);
    if (!error)
        error = bb_dma_alloc(device, SPARE, &chip->spare);
    if (error)
        return error;
    if (chip->setups.device + chip->setups.size > 1ull << 32 ||
        chip->spare.device + chip->spare.size > 1ull << 32)
        return bb_fail(device, "dma-ranges", -ENXIO);
    bb_dma_sync_for_device(&chip->spare);
    error = set_up(chip);
    if (!error)
        error = bb_interrupt_get(device, 0, dwc2_interrupt, &chip->interrupt);
    if (!error)
        error = bb_publish_u64(device, &chip->resets_value, "resets", "resets", &chip->resets);
    if (!error)
        error = bb_publish_u32(device, &chip->free_value, "free", "channels", &chip->free_count);
    if (!error)
        error = bb_publish_u32(device, &chip->lost_value, "lost", "channels", &chip->lost);
    if (error)
        return error;
    set_going(chip);
    chip->usb_host.ports = 1;
    return bb_usb_host_start(&chip->usb_host);
}

static void dwc2_remove(struct bb_device *device)
{
    struct dwc2 *chip = bb_container_of(device, struct dwc2, device);
    if (chip->broken)
        return; /* it is switched off */
    put(chip, GAHBCFG, chip->burst | AHB_DMA);
    put(chip, GINTMSK, 0);
    if (stop_channels(chip))
        (void)reset_core(chip);
    switch_off(chip);
}

const struct bb_usb_host_ops bb_ops_usb_host_dwc2 = {
    .submit = dwc2_submit,
    .cancel = dwc2_cancel,
    .forget = dwc2_forget,
    .port_status = dwc2_port_status,
    .port_feature = dwc2_port_feature,
};

BB_DRIVER(usb_host, dwc2, .bus = &bb_mmio_bus,
          .match = BB_MATCH({"brcm,bcm2835-usb", &(const uint32_t){AHB_WAIT_FOR_WRITES}},
                            {"snps,dwc2", &(const uint32_t){AHB_BURST_INCR4}}),
          .needs = BB_CLASSES(&bb_class_power_domain, &bb_class_irq),
          .params = BB_PARAMS({"pause", offsetof(struct dwc2, pause), BB_PARAM_U32}),
          .probe = dwc2_probe, .remove = dwc2_remove);
