# SPDX-License-Identifier: BSD-2-Clause
"""`busbar explain`: core's own binder ran at the desk; this prints what it found."""
import json

from . import common, desk, manifest

MARKS = {"bound": "+", "unbound": "-"}


def size_text(size):
    for unit, name in ((1 << 20, "M"), (1 << 10, "K")):
        if size >= unit and size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


def resource_lines(resources):
    """(type, text) for each resource; the interrupts of one controller share a line."""
    lines, lists = [], {}
    for resource in resources:
        if resource["type"] == "reg":
            lines.append(("reg", f"{resource['address']:#x}+{size_text(resource['size'])}"))
        elif resource["type"] == "irq":
            cells = " ".join(str(cell) for cell in resource["cells"])
            lists.setdefault(resource["controller"], []).append(f"<{cells}>")
    return lines + [("irq", f"{' '.join(cells)} of {controller}")
                    for controller, cells in lists.items()]


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
        driven = node["driver"] if node["state"] == "bound" else reason_text(node, platform)
        print(f"{mark} {node['path']}: {driven}")
        if node["compatible"]:
            print("    compatible  " + ", ".join(node["compatible"]))
        for kind, text in resource_lines(node["resources"]):
            print(f"    {kind:<11} {text}")
        if node["depends"]:
            print("    needs       " + ", ".join(node["depends"]))
        for missing in node.get("without", ()):
            print(f"    without     {missing['class']} {missing['node']} ({missing['text']})")
        if users.get(node["path"]):
            print("    needed by   " + ", ".join(users[node["path"]]))
    counts = {}
    for node in nodes:
        if node["state"] == "bound":
            kind = "bound"
        else:
            kind = (node["reason"] or {}).get("code", "unbound")
        counts[kind] = counts.get(kind, 0) + 1
    words = {"bound": "with a driver", "bus": "buses", "no-driver": "without a driver",
             "found-by-bus": "of USB ports",
             "not-in-manifest": "left out by the manifest",
             "waiting": "waiting for what they need", "probe-failed": "failed"}
    order = sorted(counts, key=lambda kind: (kind != "bound", -counts[kind], kind))
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
