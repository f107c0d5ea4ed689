"""images.py: whatever a camera, a scanner or the web gives becomes upright RGB of one size; what cannot be used is named."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_s2s import images
from keras_s2s.reading import Rejected


def scene(width=60, height=40):
    """Red at the upper left, blue at the lower right, grey between."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    pixels[:height // 2, :width // 2], pixels[height // 2:, width // 2:] = (255, 0, 0), (0, 0, 255)
    return Image.fromarray(pixels)


def saved(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def corners(pixels):
    """The colour at the upper left and at the lower right of what is no bar."""
    size = len(pixels)
    return [name(pixels[at, other]) for at, other in ((size // 3, size // 6), (2 * size // 3, 5 * size // 6))]


def name(colour):
    red, green, blue = colour.astype(int)
    return "red" if red > blue + 100 else "blue" if blue > red + 100 else "grey"


def grey_name(colour):
    return "dark" if colour.mean() < 100 else "light"


@pytest.mark.parametrize("kind, options", [("PNG", {}), ("JPEG", {"quality": 95}), ("WEBP", {"lossless": True}), ("BMP", {}),
                                           ("TIFF", {}), ("GIF", {}), ("PPM", {}), ("JPEG", {"progressive": True})])
def test_every_usual_kind_of_file_is_read(kind, options):
    pixels = images.decode(saved(scene(), kind, **options), 32, "letterbox")
    assert pixels.shape == (32, 32, 3) and pixels.dtype == np.uint8 and corners(pixels) == ["red", "blue"]


@pytest.mark.parametrize("mode, kind", [("P", "PNG"), ("RGBA", "PNG"), ("CMYK", "TIFF"), ("CMYK", "JPEG")])
def test_every_mode_of_colours_becomes_rgb(mode, kind):
    assert corners(images.decode(saved(scene().convert(mode), kind), 32, "stretch")) == ["red", "blue"]


@pytest.mark.parametrize("mode, scale", [("L", 1), ("I;16", 257), ("I", 257), ("F", 1.0), ("1", None)])
def test_greyscale_of_any_depth_keeps_dark_and_light(mode, scale):
    values = np.full((20, 20), 30)
    values[10:] = 220
    if mode == "1":
        picture = Image.fromarray(values.astype(np.uint8)).convert("1", dither=Image.Dither.NONE)
    else:
        picture = Image.fromarray((values * scale).astype({"L": np.uint8, "I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    pixels = images.decode(saved(picture, "TIFF"), 16, "stretch")
    assert grey_name(pixels[3, 8]) == "dark" and grey_name(pixels[12, 8]) == "light"


def test_what_is_transparent_lies_over_white():
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[:10] = (255, 0, 0, 255)
    seen = images.decode(saved(Image.fromarray(pixels)), 20, "stretch")
    assert name(seen[4, 4]) == "red" and (seen[15, 4] == 255).all()
    palette = scene().convert("P")
    assert images.decode(saved(palette, "GIF", transparency=palette.getpixel((0, 0))), 32, "stretch")[3, 3].min() == 255


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_upright_however_the_camera_was_held(orientation):
    turned = {1: [], 2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180], 4: [Image.Transpose.FLIP_TOP_BOTTOM],
              5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_90], 7: [Image.Transpose.TRANSVERSE],
              8: [Image.Transpose.ROTATE_270]}[orientation]
    picture, exif = scene(), Image.Exif()
    for turn in turned:
        picture = picture.transpose(turn)
    exif[0x0112] = orientation
    assert corners(images.decode(saved(picture, "JPEG", quality=95, exif=exif), 32, "letterbox")) == ["red", "blue"]


def test_a_picture_becomes_a_square_as_it_is_asked_for():
    wide = scene(80, 20)
    bars = images.decode(saved(wide), 40, "letterbox")
    assert (bars[:14] == images.GREY).all() and (bars[-14:] == images.GREY).all() and name(bars[17, 5]) == "red"
    assert name(images.decode(saved(wide), 40, "stretch")[5, 5]) == "red"
    middle = images.decode(saved(wide), 40, "crop")
    assert name(middle[5, 5]) == "red" and name(middle[5, 35]) == "grey"


def test_of_an_animation_the_first_picture_is_taken():
    content = saved(scene(), "GIF", save_all=True, append_images=[Image.new("RGB", (60, 40), "green")], duration=50)
    assert corners(images.decode(content, 32, "stretch")) == ["red", "blue"]


def test_a_huge_jpeg_is_read_and_a_huge_png_is_refused_before_it_is_unpacked():
    assert corners(images.decode(saved(scene(9000, 6000), "JPEG"), 32, "stretch")) == ["red", "blue"]
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
                                           for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")))
    with pytest.raises(Rejected, match="a picture of more than 120 million pixels"):
        images.decode(bomb, 32, "stretch")


def test_a_picture_of_a_few_pixels_is_refused():
    with pytest.raises(Rejected, match="a picture of less than 4 pixels a side: 3 x 30"):
        images.decode(saved(scene().resize((3, 30))), 32, "stretch")


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"<svg/>", b"GIF89a"])
def test_what_is_no_picture_is_named(content):
    with pytest.raises(Rejected, match="not a picture that can be read|a damaged picture|a picture that is cut off"):
        images.decode(content, 32, "stretch")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"])
def test_a_cut_or_changed_file_is_refused_or_read_and_never_anything_else(kind):
    random, noise = np.random.default_rng(1), Image.fromarray(np.random.default_rng(2).integers(0, 256, (60, 60, 3), np.uint8))
    content, refused = saved(noise, kind), 0
    for number in range(60):
        broken = bytearray(content[:random.integers(10, len(content))] if number % 2 else content)
        for _ in range(0 if number % 2 else 8):
            broken[random.integers(len(broken))] = random.integers(256)
        try:
            assert images.decode(bytes(broken), 32, "crop").shape == (32, 32, 3)
        except Rejected as why:
            refused += 1
            assert why.reason.startswith(("not a picture", "a damaged picture", "a picture"))
    assert refused > 10


def test_pixels_come_back_from_their_png():
    pixels = np.random.default_rng(3).integers(0, 256, (16, 16, 3), np.uint8)
    np.testing.assert_array_equal(images.decode(images.to_png(pixels), 16, "stretch"), pixels)
