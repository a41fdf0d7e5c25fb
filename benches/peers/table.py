"""The raw lines of ./run as Markdown: of several tries the middle one by processor time."""

import json
import sys

KINDS = [(100, "default"), (100, "tuned"), (1024, "default"), (1024, "tuned")]
NAMES = {"default": "default (5 ms, 16 KiB)", "tuned": "tuned (10 ms, 1 MiB)"}


def cpu(line):
    return line["cpu_ns"] / line["records"]


def throughput(line):
    rate = line["records"] / line["wall_ns"] * 1e3
    return f"{cpu(line):.0f} ns, {rate:.2f} M/s"


def memory(line):
    return f"{line['rss_kb'] / 1024:.0f}"


def shrunk(line):
    """Bytes in batches by bytes of values, and the bytes of a batch."""
    share = line["sent_bytes"] / (line["sent_records"] * line["size"])
    return f"{share:.2f}, {line['sent_bytes'] / line['sent_batches'] / 1024:.0f}"


def latency(line):
    times = " / ".join(f"{line[name]:.0f}" for name in ("p50_us", "p99_us", "p999_us"))
    return f"{times}; {cpu(line) / 1e3:.1f} µs"


def cell(lines, show):
    """What the middle try shows, or why there is none."""
    good = sorted((line for line in lines if "error" not in line), key=cpu)
    bad = [line["error"] for line in lines if "error" in line]
    if not good:
        return f"failed: {bad[0]}".replace("|", "/") if bad else ""
    failed = f" ({len(bad)} of {len(lines)} tries failed)" if bad else ""
    return show(good[len(good) // 2]) + failed


def table(title, columns, lines, show):
    """One row for each peer; a column is a name and what its lines have in common."""
    print(f"| {title} | " + " | ".join(name for name, _ in columns) + " |")
    print("|---|" + "---:|" * len(columns))
    for peer in dict.fromkeys(line["peer"] for line in lines):
        mine = [line for line in lines if line["peer"] == peer]
        cells = [
            cell([line for line in mine if want.items() <= line.items()], show)
            for _, want in columns
        ]
        print(f"| {peer} | " + " | ".join(cells) + " |")
    print()


with open(sys.argv[1], encoding="utf-8") as file:
    everything = [json.loads(line) for line in file]

fast = [line for line in everything if line["mode"] == "throughput"]
if fast:
    columns = [
        (f"{size} B, {NAMES[settings]}", {"size": size, "settings": settings})
        for size, settings in KINDS
        if any((line["size"], line["settings"]) == (size, settings) for line in fast)
    ]
    compression = fast[0]["compression"]
    with_it = "" if compression == "none" else f", {compression}"
    table(f"CPU per record, rate (one core){with_it}", columns, fast, throughput)
    table("peak memory, MiB", columns, fast, memory)
    if with_it and any("sent_bytes" in line for line in fast):
        table("bytes in batches by bytes of values, KiB of a batch", columns, fast, shrunk)

paced = [line for line in everything if line["mode"] == "latency"]
if paced:
    columns = [(f"{rate:,} records/s", {"rate": rate}) for rate in (5_000, 50_000)]
    table("p50 / p99 / p99.9, µs; CPU per record", columns, paced, latency)
