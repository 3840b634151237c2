"""Makes the images beside it with Pillow and tifffile; see README.md."""

import numpy
import tifffile
from PIL import Image, ImageCms

WIDTH, HEIGHT = 40, 24
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'


def ramp(channels, top, dtype):
    """Sample c of pixel (x, y) is (7x + 13y + 50c) mod 256, times top / 255."""
    y, x, c = numpy.mgrid[0:HEIGHT, 0:WIDTH, 0:channels]
    values = (7 * x + 13 * y + 50 * c) % 256 * (top / 255)
    return values.astype(dtype) if channels > 1 else values.astype(dtype)[:, :, 0]


def metadata():
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return exif, profile


def main():
    u8 = {n: ramp(n, 255, numpy.uint8) for n in (1, 2, 3, 4)}
    u16 = {n: ramp(n, 65535, numpy.uint16) for n in (1, 3, 4)}

    Image.fromarray(u8[1]).save("grey8.png")
    Image.fromarray(u8[2], "LA").save("grey_alpha8.png")
    Image.fromarray(u8[3]).save("rgb8.png")
    Image.fromarray(u8[4]).save("rgba8.png")
    Image.fromarray(u16[1]).save("grey16.png")
    Image.fromarray(u8[3]).save("rgb8.webp", lossless=True)
    Image.fromarray(u8[3]).save("rgb8.jpg", quality=100, subsampling=0)

    # 4 colours, by turns.
    palette = Image.fromarray((numpy.add.outer(range(HEIGHT), range(WIDTH)) % 4).astype(numpy.uint8), "P")
    palette.putpalette([10, 20, 30, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    palette.save("palette.png")
    palette.save("palette.tif")
    palette.save("palette.gif")
    Image.fromarray(((numpy.add.outer(range(HEIGHT), range(WIDTH)) % 2) * 255).astype(numpy.uint8)).convert("1").save(
        "bilevel.tif", compression="group4")

    tifffile.imwrite("rgb16.tif", u16[3], photometric="rgb")
    tifffile.imwrite("rgb16_big_endian.tif", u16[3], photometric="rgb", byteorder=">", tile=(16, 16))
    tifffile.imwrite("rgba16_tiled.tif", u16[4], photometric="rgb", tile=(16, 16), bigtiff=True, extrasamples=["unassalpha"])
    tifffile.imwrite("rgba16_premultiplied.tif", u16[4], photometric="rgb", tile=(16, 16), extrasamples=["assocalpha"])
    tifffile.imwrite("rgb32f.tif", ramp(3, 1, numpy.float32), photometric="rgb")
    tifffile.imwrite("rgb32f_tiled.tif", ramp(3, 1, numpy.float32), photometric="rgb", tile=(16, 16))
    tifffile.imwrite("grey32f_tiled.tif", ramp(1, 1, numpy.float32), photometric="minisblack", tile=(16, 16))
    tifffile.imwrite("grey8_white_is_zero.tif", 255 - u8[1], photometric="miniswhite", tile=(16, 16))
    tifffile.imwrite("rgb8_planes.tif", numpy.moveaxis(u8[3], 2, 0), photometric="rgb", planarconfig="separate")
    Image.fromarray(u8[3]).save("rgb8_lzw.tif", compression="tiff_lzw")

    # Left to right: white, cyan, magenta, yellow, black.
    inks = [(0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 255)]
    cmyk = Image.fromarray(numpy.repeat(numpy.array([inks], numpy.uint8), 8, 1).repeat(HEIGHT, 0), "CMYK")
    cmyk.save("cmyk.tif")
    cmyk.save("cmyk.jpg", quality=100)

    exif, profile = metadata()
    picture = Image.fromarray(u8[3])
    picture.save("metadata.jpg", exif=exif, icc_profile=profile, dpi=(300, 150), xmp=XMP, quality=100)
    picture.save("metadata.webp", exif=exif, icc_profile=profile, xmp=XMP, lossless=True)
    picture.save("metadata.tif", icc_profile=profile, dpi=(300, 150), tiffinfo={700: XMP, 274: 6})

    # Three pages, and what is none: a reduced image, a transparency mask, and one in a SubIFD.
    with tifffile.TiffWriter("pages.tif") as pages:
        options = {"photometric": "rgb", "metadata": None}
        pages.write(u8[3], tile=(16, 16), compression="zlib", **options)
        pages.write(u8[3][::2, ::2], tile=(16, 16), subfiletype=1, **options)
        pages.write(u8[3][:10, :20], subfiletype=2, **options)
        pages.write(u8[1] > 127, subfiletype=4, photometric="mask", metadata=None)
        pages.write(255 - u8[3], tile=(16, 16), subifds=1, **options)
        pages.write(u8[3][::2, ::2], **options)
    tifffile.imwrite("reduced_only.tif", u8[3], photometric="rgb", subfiletype=1)

    # Values that are no colours.
    tifffile.imwrite("array_five_channels.tif", ramp(5, 255, numpy.uint8), photometric="minisblack", planarconfig="contig")

    # What cannot be read.
    tifffile.imwrite("refused_f64.tif", ramp(3, 1, numpy.float64), photometric="rgb")
    tifffile.imwrite("refused_u32.tif", ramp(1, 1000, numpy.uint32), photometric="minisblack")
    tifffile.imwrite("refused_planes_in_tiles.tif", numpy.moveaxis(u8[3], 2, 0), photometric="rgb",
                     planarconfig="separate", tile=(16, 16))
    tifffile.imwrite("refused_lab.tif", u8[3], photometric="cielab")


main()
