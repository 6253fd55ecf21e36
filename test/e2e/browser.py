"""A page as a browser shows it: Chromium without a window, and the colours of what it drew."""

from __future__ import annotations

import collections
import html
import pathlib
import struct
import subprocess
import zlib

WIDTH, HEIGHT = 900, 1100
CHROMIUM = (
    "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--hide-scrollbars", "--force-device-scale-factor=1", f"--window-size={WIDTH},{HEIGHT}",
)  # fmt: skip

Colour = tuple[int, int, int]


def in_a_sandbox(page: str) -> str:
    """As the web client shows a replay: in a frame that may run scripts and nothing else."""
    frame = html.escape(page, quote=True)
    style = f"width:{WIDTH - 20}px;height:{HEIGHT - 20}px;border:0"
    return f'<!doctype html><body><iframe sandbox="allow-scripts" style="{style}" srcdoc="{frame}"></iframe></body>'


def run(folder: pathlib.Path, page: str, *options: str) -> str:
    file = folder / "page.html"
    file.write_text(page)
    profile = f"--user-data-dir={folder / 'profile'}"
    # Virtual time: the page believes that seconds have passed once nothing is left to load.
    command = [*CHROMIUM, profile, "--virtual-time-budget=3000", *options, file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def document(folder: pathlib.Path, page: str) -> str:
    """The page's elements after its scripts have run."""
    return run(folder, page, "--dump-dom")


def colours(folder: pathlib.Path, page: str) -> collections.Counter[Colour]:
    """How many points of each colour the page has in the window.

    On a busy machine Chromium may take the picture before it has drawn anything: a blank page is looked at again.
    """
    picture = folder / "page.png"
    for _ in range(3):
        run(folder, page, f"--screenshot={picture}")
        found = count_colours(picture.read_bytes())
        if len(found) > 1:
            break
    return found


def count_colours(png: bytes) -> collections.Counter[Colour]:
    """Of a picture with 8 bits for each of three or four channels, which is what Chromium writes."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8 and kind in (2, 6), f"another sort of PNG: {depth} bits, type {kind}"
    packed, place = b"", 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        if png[place + 4 : place + 8] == b"IDAT":
            packed += png[place + 8 : place + 8 + length]
        place += length + 12
    size = 3 if kind == 2 else 4
    counted: collections.Counter[Colour] = collections.Counter()
    before, data = bytearray(width * size), zlib.decompress(packed)
    for row in range(height):
        start = row * (width * size + 1)
        line = unfiltered(data[start], bytearray(data[start + 1 : start + 1 + width * size]), before, size)
        counted.update(zip(line[0::size], line[1::size], line[2::size], strict=True))
        before = line
    return counted


def unfiltered(kind: int, line: bytearray, above: bytearray, size: int) -> bytearray:
    """One row of a PNG, from differences to values."""
    for at in range(len(line)):
        left = line[at - size] if at >= size else 0
        corner = above[at - size] if at >= size else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above[at]
        elif kind == 3:
            guess = (left + above[at]) // 2
        elif kind == 4:
            estimate = left + above[at] - corner
            distances = (abs(estimate - left), abs(estimate - above[at]), abs(estimate - corner))
            guess = (left, above[at], corner)[distances.index(min(distances))]
        else:
            guess = 0
        line[at] = (line[at] + guess) & 255
    return line
