"""Makes the arrays beside it with NumPy; see README.md."""

import numpy

HEIGHT, WIDTH = 24, 40


def ramp(channels, top, dtype, height=HEIGHT, width=WIDTH):
    """Sample c of pixel (x, y) is (7x + 13y + 50c) mod 256, times top / 255."""
    y, x, c = numpy.mgrid[0:height, 0:width, 0:channels]
    values = (7 * x + 13 * y + 50 * c) % 256 * (top / 255)
    return values.astype(dtype) if channels > 1 else values.astype(dtype)[:, :, 0]


def save_as(name, array, version):
    with open(name, "wb") as file:
        numpy.lib.format.write_array(file, array, version=version)


def main():
    for dtype, top in ("u1", 255), ("u2", 65535), ("f4", 1):
        for channels in 1, 3, 4, 5:
            numpy.save(f"{dtype}_{channels}.npy", ramp(channels, top, dtype))
    save_as("u1_3_version2.npy", ramp(3, 255, "u1"), (2, 0))
    save_as("f4_3_version3.npy", ramp(3, 1, "f4"), (3, 0))

    # What is refused.
    rgb = ramp(3, 1, "f4", 4, 6)
    for dtype in "f2", "f8", ">f4", ">u2", "<i2", "<c8", "|b1":
        numpy.save(f"refused_{dtype.strip('<>|')}{'_big_endian' if '>' in dtype else ''}.npy", rgb.astype(dtype))
    numpy.save("refused_fortran_order.npy", numpy.asfortranarray(rgb))
    numpy.save("refused_text.npy", rgb[:2, :2].astype("U4"))
    numpy.save("refused_objects.npy", numpy.array([[None, {}]], dtype=object), allow_pickle=True)
    fields = numpy.zeros((2, 2), dtype=[("Höhe", "<f4"), ("b", "|u1")])
    save_as("refused_fields.npy", fields, (3, 0))  # NumPy's choice for names beyond Latin-1
    numpy.save("refused_scalar.npy", numpy.float32(1))
    numpy.save("refused_row.npy", rgb[0, :, 0])
    numpy.save("refused_empty.npy", rgb[:0])
    numpy.save("refused_channels_first.npy", numpy.moveaxis(ramp(3, 255, "u1", 2, 65), -1, 0))
    numpy.save("refused_batch.npy", rgb[numpy.newaxis])
    numpy.savez("refused_archive.npz", rgb)

    # As it is of an image of up to 64 pixels a side, whose channels nothing tells from its rows.
    numpy.save("taken_channels_first.npy", numpy.moveaxis(ramp(3, 255, "u1"), -1, 0))


main()
