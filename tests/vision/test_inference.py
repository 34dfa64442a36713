"""Requests and answers of Triton by the bytes."""

import grpc
import numpy as np
import pytest
from tritonclient.grpc import InferInput, InferRequestedOutput, service_pb2
from tritonclient.utils import InferenceServerException

from vision.inference import InferenceCall, request, shared_request, tensors_of

OUTPUTS = ("COUNT", "SCORES")


def test_a_shared_frames_request_is_what_tritons_own_client_says() -> None:
    given = InferInput("IMAGE", [1, 4, 6, 3], "UINT8")
    given.set_shared_memory("ours", 72)
    asked = service_pb2.ModelInferRequest.FromString(
        shared_request("people", OUTPUTS, "ours", (1, 4, 6, 3), 72)
    )
    assert asked.inputs == [given._get_tensor()]  # noqa: SLF001
    assert asked.outputs == [InferRequestedOutput(name)._get_tensor() for name in OUTPUTS]  # noqa: SLF001
    assert asked.model_name == "people"
    assert not asked.raw_input_contents


def test_a_request_that_carries_its_bytes_is_what_tritons_own_client_says() -> None:
    words = np.array([[b"abc"]], dtype=np.object_)
    given = InferInput("JPEG", [1, 1], "BYTES")
    given.set_data_from_numpy(words)
    asked = service_pb2.ModelInferRequest.FromString(
        request("people", OUTPUTS, "JPEG", "BYTES", (1, 1), b"\3\0\0\0abc")
    )
    assert asked.inputs == [given._get_tensor()]  # noqa: SLF001
    assert asked.raw_input_contents == [given._get_content()]  # noqa: SLF001


def test_an_answer_is_read_by_its_names() -> None:
    answer = service_pb2.ModelInferResponse()
    for name, datatype, array in (
        ("COUNT", "INT32", np.array([[1]], np.int32)),
        ("SCORES", "FP32", np.array([[0.5]], np.float32)),
        ("NONE", "FP32", np.zeros((1, 0, 4), np.float32)),
        ("WORDS", "BYTES", np.zeros(1, np.uint8)),
    ):
        answer.outputs.add(name=name, datatype=datatype, shape=array.shape)
        answer.raw_output_contents.append(array.tobytes())
    found = tensors_of(answer.SerializeToString())
    assert set(found) == {"COUNT", "SCORES", "NONE"}
    assert found["COUNT"].tolist() == [[1]]
    assert found["SCORES"].tolist() == [[0.5]]
    assert found["NONE"].shape == (1, 0, 4)


async def test_a_server_that_refuses_is_told_as_tritons_client_tells_it() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    call = InferenceCall(f"127.0.0.1:{port}", [])
    try:
        with pytest.raises(InferenceServerException) as caught:
            await call.infer(b"", 5.0)
    finally:
        await call.close()
        await server.stop(None)
    assert caught.value.status() == "StatusCode.UNIMPLEMENTED"
    assert caught.value.message()
