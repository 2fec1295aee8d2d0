# SPDX-License-Identifier: BSD-2-Clause
"""`busbar platforms` and `busbar drivers`."""
import json

from . import common, desk, manifest


def platforms(as_json):
    found = [
        {
            "name": platform.name,
            "about": platform.about,
            "arch": platform.arch,
            "boot": list(platform.boot),
            "drivers": [driver.name for driver in platform.drivers],
            "machine": platform.qemu.machine if platform.qemu else None,
            "path": common.relative(platform.path),
        }
        for platform in manifest.all_platforms()
    ]
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    common.table([(p["name"], p["arch"], f"{len(p['drivers'])} drivers", p["about"])
                  for p in found])
    return 0


def drivers(as_json):
    linked = manifest.all_platforms()
    answer = desk.desk("host", verbose=common.verbose)
    known = {entry["name"]: entry for entry in answer["drivers"]}
    found = [
        {
            "name": driver.name,
            "faces": list(driver.faces),
            "hotplug": driver.hotplug,
            "compatible": known.get(driver.name, {}).get("compatible", []),
            "platforms": [platform.name for platform in linked if driver in platform.drivers],
            "path": common.relative(driver.path),
        }
        for driver in manifest.all_drivers()
    ]
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    common.table([("DRIVER", "FACES", "PLATFORMS", "COMPATIBLE")] + [
        (d["name"], ", ".join(d["faces"]) or "-", ", ".join(d["platforms"]) or "-",
         ", ".join(d["compatible"]) or "-")
        for d in found])
    return 0
