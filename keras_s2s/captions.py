"""The layouts that captions come in: Flickr8k's CSV and token file as they are, and lines of path TAB caption.

    image,caption                                       1000268201.jpg#0<TAB>A child in a pink dress .
    1000268201.jpg,A child in a pink dress .            1000268201.jpg#1<TAB>A girl going into a wooden building .

Pictures lie beside the file, or in a folder beside it that is called as in those data sets.
"""

from __future__ import annotations

import csv
import os
import re

from keras_s2s.config import Data
from keras_s2s.media import Packer
from keras_s2s.reading import Rejected, by_tabs

FOLDERS = (b"", b"Images", b"images", b"Flicker8k_Dataset", b"flickr30k_images")
HEADS = {(b"image", b"caption"), (b"image_name", b"caption"), (b"file_name", b"caption"), (b"path", b"caption")}
NUMBER = re.compile(rb"#\d+$")  # of the caption, after the picture's name


class CaptionPacker(Packer):
    """Reads files of captions, and decodes each picture that they name."""

    @staticmethod
    def cut(line: bytes, most: int) -> list[bytes]:
        """A line without a TAB is one of a CSV."""
        if b"\t" in line:
            return by_tabs(line, most)
        try:
            fields = [field.encode() for fields in csv.reader([line.decode()], strict=True) for field in fields]
        except (UnicodeDecodeError, csv.Error):
            return line.split(b",", most - 1)
        if len(fields) > most:
            raise Rejected(f"more than {most} columns; a caption with a comma must stand in quotes")
        return fields

    def row(self, fields: list[bytes], folder: bytes, data: Data) -> tuple[str, str, str, int]:
        name, text = NUMBER.sub(b"", fields[0].strip()), fields[1]
        if (name.lower(), text.strip().lower()) in HEADS:
            raise Rejected("the names of the columns")
        places = [os.path.join(folder, place) for place in FOLDERS]
        found = next((place for place in places if os.path.exists(os.path.join(place, name))), folder)
        return super().row([name, text], found, data)
