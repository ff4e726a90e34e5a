"""A picture of a page with at most 256 colours, which is a third of its size and looks the same."""

from __future__ import annotations

import base64
import struct
import zlib

from playwright.sync_api import Page

# The most frequent colours, and for each other one the nearest of them.
INDEXED = """async data => {
  const image = await createImageBitmap(await (await fetch('data:image/png;base64,' + data)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height), drawing = canvas.getContext('2d');
  drawing.drawImage(image, 0, 0);
  const pixels = new Uint32Array(drawing.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) || 0) + 1);
  const palette = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 256).map(entry => entry[0]);
  const known = new Map(palette.map((colour, index) => [colour, index]));
  const nearest = colour => {
    let best = 0, least = Infinity;
    palette.forEach((other, index) => {
      let apart = 0;
      for (const shift of [0, 8, 16]) apart += ((colour >> shift & 255) - (other >> shift & 255)) ** 2;
      if (apart < least) { least = apart; best = index; }
    });
    known.set(colour, best);
    return best;
  };
  const rows = new Uint8Array(pixels.length);
  pixels.forEach((pixel, place) => { rows[place] = known.has(pixel) ? known.get(pixel) : nearest(pixel); });
  let text = '';
  for (let i = 0; i < rows.length; i += 32768) text += String.fromCharCode(...rows.subarray(i, i + 32768));
  return [image.width, image.height, palette.map(c => [c & 255, c >> 8 & 255, c >> 16 & 255]).flat(), btoa(text)];
}"""


def shrunk(blank: Page, picture: bytes) -> bytes:
    """``picture``, a PNG, as an indexed one; ``blank`` is any page without a policy."""
    width, height, palette, text = blank.evaluate(INDEXED, base64.b64encode(picture).decode())
    pixels = base64.b64decode(text)
    lines = b"".join(b"\0" + pixels[y * width : (y + 1) * width] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", head),
            _chunk(b"PLTE", bytes(palette)),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
