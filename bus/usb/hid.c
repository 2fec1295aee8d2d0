/* SPDX-License-Identifier: BSD-2-Clause */
/* Human interface devices: their requests (HID 1.11, section 7), and the transfer that reads their
 * reports. */
#include <busbar/usb_hid.h>

enum { SET_REPORT = 9, SET_IDLE = 10, SET_PROTOCOL = 11 };
enum { BOOT_PROTOCOL = 0, REPORT_PROTOCOL = 1 };
enum { REPORT_DESCRIPTOR = 0x22, OUTPUT_REPORT = 2 };
enum { BOOT = 1 }; /* subclass */
enum { MOST_FAILURES = 20 };

#define PAUSE (50 * BB_MSEC) /* after a transfer that failed */
#define QUIET (10 * BB_SEC)  /* of a transfer under way: what failed before is forgotten */

static int request(struct bb_hid *hid, unsigned number, unsigned value, void *data, unsigned length)
{
    return bb_usb_control(hid->interface->device, BB_USB_CLASS | BB_USB_TO_INTERFACE, number, value,
                          hid->interface->number, data, length);
}

/* ---- Reports ---- */

static void fail(struct bb_hid *hid, const char *why, int error)
{
    hid->stopped = true;
    bb_device_broken(hid->input->face.device, why, error);
    bb_input_release_all(hid->input);
}

static void failed(struct bb_hid *hid, int error)
{
    if (hid->stopped || error == -ENODEV || error == -ECANCELED)
        return;
    hid->errors++;
    if (++hid->failures == MOST_FAILURES)
        fail(hid, "its reports cannot be read", error);
    else
        bb_timer_event_at(&hid->again, bb_time() + PAUSE);
}

static void read_next(struct bb_hid *hid)
{
    int error = hid->stopped ? -ENODEV : bb_usb_submit(&hid->transfer);
    hid->since = bb_time();
    if (error)
        failed(hid, error);
}

static void received(struct bb_usb_transfer *transfer)
{
    struct bb_hid *hid = transfer->context;
    if (!transfer->status || bb_time() - hid->since >= QUIET)
        hid->failures = 0;
    if (transfer->status || hid->stopped) {
        failed(hid, transfer->status);
        return;
    }
    hid->reports_read++;
    bb_hid_report(&hid->layout, hid->reports, transfer->actual, hid->input);
    read_next(hid);
}

static void run_repair(struct bb_work *work)
{
    struct bb_hid *hid = bb_container_of(work, struct bb_hid, repair);
    struct bb_usb_endpoint *endpoint = hid->transfer.endpoint;
    int error = endpoint->halted && !hid->stopped ? bb_usb_clear_halt(endpoint) : 0;
    if (error)
        failed(hid, error);
    else
        read_next(hid);
}

static void try_again(struct bb_timer_event *event)
{
    bb_work_queue(&bb_container_of(event, struct bb_hid, again)->repair);
}

/* ---- Coming and going ---- */

/* The descriptor of the interface tells how long that of its reports is. */
static int read_layout(struct bb_hid *hid)
{
    uint8_t descriptor[BB_HID_DESCRIPTOR];
    const uint8_t *about = bb_usb_descriptor(hid->interface, BB_USB_HID_DESCRIPTOR, -1, 9);
    unsigned length = about && about[6] == REPORT_DESCRIPTOR ? bb_usb_u16(about + 7) : 0;
    if (!length || length > sizeof(descriptor))
        length = sizeof(descriptor);
    int got = bb_usb_control(
        hid->interface->device, BB_USB_IN | BB_USB_STANDARD | BB_USB_TO_INTERFACE,
        BB_USB_GET_DESCRIPTOR, REPORT_DESCRIPTOR << 8, hid->interface->number, descriptor, length);
    if (got < 0)
        return got;
    int error = bb_hid_parse(descriptor, (size_t)got, &hid->layout);
    return error ? error : bb_hid_features(&hid->layout) ? 0 : -ENOTSUP;
}

static int choose_protocol(struct bb_hid *hid, const struct bb_hid_layout *boot)
{
    struct bb_device *device = hid->input->face.device;
    bool has_boot = boot && hid->interface->subclass == BOOT;
    int error = hid->boot && has_boot ? -ENOTSUP : read_layout(hid);
    if (error == -ENODEV || (error && !has_boot))
        return bb_fail(device, "report descriptor", error);
    hid->boot = error;
    if (hid->boot)
        hid->layout = *boot;
    if (!has_boot)
        return 0;
    error = request(hid, SET_PROTOCOL, hid->boot ? BOOT_PROTOCOL : REPORT_PROTOCOL, NULL, 0);
    /* Every device begins in the report protocol, and some know no request for what they are. */
    return error < 0 && (hid->boot || error == -ENODEV) ? bb_fail(device, "SET_PROTOCOL", error)
                                                        : 0;
}

int bb_hid_open(struct bb_device *device, struct bb_input *input, const struct bb_hid_layout *boot,
                struct bb_hid *hid)
{
    int error = bb_usb_claim(device, &hid->interface);
    if (error)
        return error;
    hid->input = input;
    struct bb_usb_endpoint *in = bb_usb_endpoint(hid->interface, BB_USB_INTERRUPT, BB_USB_IN);
    if (!in)
        return bb_fail(device, "interrupt endpoint", -EINVAL);
    error = choose_protocol(hid, boot);
    if (error)
        return error;
    uint32_t room = bb_usb_room(in, hid->layout.input_bytes);
    hid->reports = bb_usb_alloc(device, room);
    if (!hid->reports)
        return -ENOMEM;
    hid->transfer = (struct bb_usb_transfer){.endpoint = in,
                                             .data = hid->reports,
                                             .length = room,
                                             .timeout = BB_FOREVER,
                                             .done = received,
                                             .context = hid};
    hid->repair = (struct bb_work){.run = run_repair, .device = device};
    hid->again = (struct bb_timer_event){.run = try_again, .device = device};
    input->features = bb_hid_features(&hid->layout);
    /* Reports when something changes, not over and over: the subsystem repeats keys itself. Not
     * every device has a choice. */
    (void)request(hid, SET_IDLE, 0, NULL, 0);
    error = bb_publish_u64(device, &hid->values[0], "reports", "", &hid->reports_read);
    return error ? error : bb_publish_u64(device, &hid->values[1], "errors", "", &hid->errors);
}

int bb_hid_start(struct bb_hid *hid)
{
    int error = bb_usb_submit(&hid->transfer);
    hid->since = bb_time();
    return error ? bb_fail(hid->input->face.device, "reports", error) : 0;
}

void bb_hid_stop(struct bb_hid *hid)
{
    hid->stopped = true;
    bb_usb_cancel_wait(&hid->transfer);
}

int bb_hid_set_lamps(struct bb_hid *hid, uint32_t leds)
{
    uint8_t data[BB_HID_REPORT];
    for (unsigned i = 0; i < hid->layout.count; i++) {
        const struct bb_hid_field *field = &hid->layout.fields[i];
        bool told = !field->output;
        for (unsigned j = 0; j < i; j++)
            told |= hid->layout.fields[j].output && hid->layout.fields[j].report == field->report;
        if (told)
            continue;
        size_t length = bb_hid_lamps(&hid->layout, field->report, leds, data);
        int error =
            request(hid, SET_REPORT, OUTPUT_REPORT << 8 | field->report, data, (unsigned)length);
        if (error < 0)
            return error;
    }
    return 0;
}
