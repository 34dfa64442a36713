"""Makes the smallest ONNX files that say what they are, byte by byte."""

Dimension = int | str


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number * 8) + varint(value)
    return varint(number * 8 + 2) + varint(len(value)) + value


def tensor(name: str, shape: list[Dimension], element: int = 1) -> bytes:
    dimensions = [
        field(1, field(1, side) if isinstance(side, int) else field(2, side.encode()))
        for side in shape
    ]
    kind = field(1, element) + field(2, b"".join(dimensions))
    return field(1, name.encode()) + field(2, field(1, kind))


def onnx(
    inputs: list[bytes], outputs: list[bytes], weights: tuple[str, ...] = ("conv.weight",)
) -> bytes:
    graph = b"".join(field(5, field(8, name.encode()) + field(9, bytes(64))) for name in weights)
    graph += b"".join(field(11, one) for one in inputs)
    graph += b"".join(field(12, one) for one in outputs)
    return field(1, 8) + field(2, b"tests") + field(7, graph) + field(8, field(2, 17))


def yolo(height: Dimension = "height", width: Dimension = "width", batch: Dimension = "b") -> bytes:
    return onnx(
        [tensor("images", [batch, 3, height, width])], [tensor("output0", [batch, 56, "anchors"])]
    )


def centerface() -> bytes:
    """With sizes that are those of its tracing, and a weight among the inputs, as the real file."""
    names = zip(("537", "538", "539", "540"), (1, 2, 2, 10), strict=True)
    return onnx(
        [tensor("input.1", [10, 3, 32, 32]), tensor("conv.weight", [])],
        [tensor(name, [10, channels, 8, 8]) for name, channels in names],
    )
