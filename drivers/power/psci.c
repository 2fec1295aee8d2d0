/* SPDX-License-Identifier: BSD-2-Clause */
/* Power State Coordination Interface of Arm firmware, version 0.2 and later (ARM DEN 0022D). */
#include <string.h>

#include <busbar/mmio.h>
#include <busbar/power.h>

enum {
    PSCI_0_2 = 0x00000002,
    NOT_SUPPORTED = -1,
};
static const uint32_t psci_version = 0x84000000, system_off = 0x84000008, system_reset = 0x84000009;

struct psci {
    struct bb_device device;
    struct bb_power power;
    bool smc; /* else hvc */
};

/* Results are 32 bits; what stands above them is not defined. */
static int32_t call(const struct psci *psci, uint32_t function)
{
    return (int32_t)bb_arch_smccc(psci->smc, function, 0, 0, 0);
}

static int end(struct bb_power *power, uint32_t function)
{
    int32_t result = call(bb_container_of(power, struct psci, power), function);
    return result == NOT_SUPPORTED ? -ENOTSUP : -EIO;
}

static int psci_off(struct bb_power *power)
{
    return end(power, system_off);
}

static int psci_reset(struct bb_power *power)
{
    return end(power, system_reset);
}

static int psci_probe(struct bb_device *device)
{
    struct psci *psci = bb_container_of(device, struct psci, device);
    const char *method;
    /* Version 0.1 has no calls for the whole system, and no call that tells its version. */
    if (!device->data)
        return bb_fail(device, "SYSTEM_OFF of PSCI 0.1", -ENOTSUP);
    int error = bb_node_string(device->node, "method", &method);
    if (!error && strcmp(method, "smc") != 0 && strcmp(method, "hvc") != 0)
        error = -EINVAL;
    if (error)
        return bb_fail(device, "method", error);
    psci->smc = strcmp(method, "smc") == 0;
    return call(psci, psci_version) >= PSCI_0_2 ? 0 : bb_fail(device, "PSCI_VERSION", -ENOTSUP);
}

const struct bb_power_ops bb_ops_power_psci = {
    .off = psci_off,
    .reset = psci_reset,
};

BB_DRIVER(power, psci, .bus = &bb_mmio_bus,
          .match = BB_MATCH({"arm,psci-1.0", &psci_version}, {"arm,psci-0.2", &psci_version},
                            {"arm,psci"}),
          .probe = psci_probe);
