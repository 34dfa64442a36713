"""Reading an ONNX file's signature, and opening its sizes."""

import onnx_bytes as make
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.triton.onnx_file import (
    OnnxError,
    Signature,
    Tensor,
    read_signature,
    with_free_sizes,
)


def test_a_signature() -> None:
    assert read_signature(make.yolo(width=640)) == Signature(
        (Tensor("images", (None, 3, None, 640), True),),
        (Tensor("output0", (None, 56, None), True),),
    )


def test_weights_are_no_inputs() -> None:
    signature = read_signature(make.centerface())
    assert [one.name for one in signature.inputs] == ["input.1"]
    assert [one.shape for one in signature.outputs][3] == (10, 10, 8, 8)


def test_sizes_are_opened_and_nothing_else() -> None:
    before = make.centerface()
    after = with_free_sizes(before)
    signature = read_signature(after)
    assert signature.inputs == (Tensor("input.1", (None, 3, None, None), True),)
    assert [one.shape for one in signature.outputs] == [
        (None, channels, None, None) for channels in (1, 2, 2, 10)
    ]
    assert with_free_sizes(after) == after
    assert after.endswith(make.field(8, make.field(2, 17)))
    assert make.field(9, bytes(64)) in after


@pytest.mark.parametrize("cut", [1, 20, 100, 150])
def test_a_truncated_file_is_told(cut: int) -> None:
    with pytest.raises(OnnxError):
        read_signature(make.yolo()[:-cut])


@pytest.mark.parametrize(
    "data", [b"", b"hello world, this is text\n", bytes(100), b"\xff" * 100, make.field(7, 5)]
)
def test_what_is_no_onnx_is_told(data: bytes) -> None:
    with pytest.raises(OnnxError):
        read_signature(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        signature = read_signature(data)
    except OnnxError:
        return
    assert signature.outputs


@given(st.integers(0, len(make.yolo()) - 1), st.integers(0, 255))
def test_a_spoiled_file_is_read_or_refused(at: int, byte: int) -> None:
    data = bytearray(make.yolo())
    data[at] = byte
    try:
        signature = read_signature(bytes(data))
    except OnnxError:
        return
    assert signature.outputs
