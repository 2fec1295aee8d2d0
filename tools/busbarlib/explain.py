# SPDX-License-Identifier: BSD-2-Clause
"""`busbar explain`: core's own binder ran at the desk; this prints what it found."""
import json

from . import common, desk, manifest

MARKS = {"running": "+", "unbound": "-"}


def size_text(size):
    for unit, name in ((1 << 20, "M"), (1 << 10, "K")):
        if size >= unit and size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


def resource_text(resource):
    if resource["type"] == "reg":
        return f"{resource['address']:#x}+{size_text(resource['size'])}"
    if resource["type"] == "irq":
        cells = " ".join(map(str, resource["cells"]))
        return f"<{cells}> of {resource['controller']}"
    return " ".join(f"{key} {value}" for key, value in resource.items() if key != "type")


def reason_text(node, platform):
    reason = node["reason"]
    if not reason:
        return "unbound"
    text = reason["text"]
    if reason["code"] == "not-in-manifest" and reason.get("driver"):
        text += (f'; add "{reason["driver"]}" to drivers in '
                 f"{common.relative(platform.path)}")
    return text


def show(answer, platform):
    nodes = answer["nodes"]
    users = {}
    for node in nodes:
        for provider in node["depends"]:
            users.setdefault(provider, []).append(node["path"])
    print(f"{answer['platform']}: {answer.get('model') or 'a machine without a model name'}")
    for node in nodes:
        mark = MARKS.get(node["state"], "?")
        driven = node["driver"] if node["state"] == "running" else reason_text(node, platform)
        print(f"{mark} {node['path']}")
        print(f"    {driven}")
        if node["compatible"]:
            print("    compatible  " + ", ".join(node["compatible"]))
        for resource in node["resources"]:
            print(f"    {resource['type']:<11} {resource_text(resource)}")
        if node["depends"]:
            print("    needs       " + ", ".join(node["depends"]))
        if users.get(node["path"]):
            print("    needed by   " + ", ".join(users[node["path"]]))
    counts = {}
    for node in nodes:
        if node["state"] == "running":
            kind = "running"
        else:
            kind = (node["reason"] or {}).get("code", "unbound")
        counts[kind] = counts.get(kind, 0) + 1
    words = {"bus": "buses", "no-driver": "without a driver", "not-in-manifest": "left out by the manifest"}
    order = sorted(counts, key=lambda kind: (kind != "running", -counts[kind], kind))
    print(f"{len(nodes)} devices: " + ", ".join(
        f"{counts[kind]} {words.get(kind, kind)}" for kind in order))


def explain(name, dtb, as_json):
    platform = manifest.load_platform(name)
    answer = {"platform": platform.name, **desk.desk(platform, dtb, common.verbose)}
    if as_json:
        print(json.dumps(answer, indent=2))
    else:
        show(answer, platform)
    return 0
