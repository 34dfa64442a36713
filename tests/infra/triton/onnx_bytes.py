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


def fsanet() -> bytes:
    return onnx([tensor("input", [1, 3, 64, 64])], [tensor("output", [1, 3])])


def ir() -> bytes:
    """A pose network of OpenVINO, whose output's name stands at the layer before the result."""

    def port(number: int, sides: list[int], names: str = "") -> str:
        dims = "".join(f"<dim>{side}</dim>" for side in sides)
        return f'<port id="{number}" precision="FP32" names="{names}">{dims}</port>'

    image, people = [-1, 3, -1, -1], [-1, 56, -1]
    return (
        '<?xml version="1.0"?><net name="main" version="11"><layers>'
        f'<layer id="0" name="x" type="Parameter"><output>{port(0, image, "images")}</output>'
        f'</layer><layer id="1" name="head" type="Concat"><input>{port(0, image)}</input>'
        f"<output>{port(1, people, 'output0')}</output></layer>"
        f'<layer id="2" name="output0/sink" type="Result"><input>{port(0, people)}</input></layer>'
        '</layers><edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>'
        '<edge from-layer="1" from-port="1" to-layer="2" to-port="0"/></edges></net>'
    ).encode()
