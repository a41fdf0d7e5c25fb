"""The raw lines of ./run as a picture: processor time per record, a group of bars for each kind of work."""

import json
import sys
from statistics import median
from xml.sax.saxutils import escape

KINDS = [
    (100, "default", "100 B, default settings"),
    (100, "tuned", "100 B, 1 MiB batches"),
    (1024, "default", "1 KiB, default settings"),
    (1024, "tuned", "1 KiB, 1 MiB batches"),
]
LEFT, WIDTH, BAR, GAP, TOP = 150, 620, 16, 34, 30


def cost(lines, peer, size, settings):
    """The middle try's nanoseconds per record; nothing if there is none."""
    tries = [
        line["cpu_ns"] / line["records"]
        for line in lines
        if (line["peer"], line["size"], line["settings"]) == (peer, size, settings)
        and line["mode"] == "throughput"
        and "error" not in line
    ]
    return median(tries) if tries else None


def bars(lines, size, settings, y):
    """One group: the cheapest first."""
    peers = dict.fromkeys(line["peer"] for line in lines)
    found = [(cost(lines, peer, size, settings), peer) for peer in peers]
    found = sorted((ns, peer) for ns, peer in found if ns is not None)
    longest = max((ns for ns, _ in found), default=1)
    for ns, peer in found:
        length = ns / longest * WIDTH
        color = "#c2410c" if peer.startswith("ottla") else "#94a3b8"
        middle = y + BAR - 4
        yield f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(peer)}</text>'
        yield f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 3}" fill="{color}"/>'
        yield f'<text x="{LEFT + length + 6:.1f}" y="{middle}">{ns:.0f} ns</text>'
        y += BAR


with open(sys.argv[1], encoding="utf-8") as file:
    everything = [json.loads(line) for line in file]

rows = len({line["peer"] for line in everything})
height = TOP + len(KINDS) * (rows * BAR + GAP)
print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 80}" height="{height}"', end=" ")
print('font-family="sans-serif" font-size="12">')
print(f'<rect width="100%" height="100%" fill="white"/><text x="8" y="18" font-weight="bold">')
print("Processor time per record, client on one core</text>")
for at, (size, settings, title) in enumerate(KINDS):
    y = TOP + at * (rows * BAR + GAP)
    print(f'<text x="{LEFT}" y="{y + 16}" font-weight="bold">{title}</text>')
    print("\n".join(bars(everything, size, settings, y + 22)))
print("</svg>")
