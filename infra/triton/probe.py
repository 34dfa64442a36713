"""A real inference on the model server: what shows that it works, when its health pages cannot.

The server's health stays true while the process that runs the model is dead; only an answer tells.
"""

import asyncio

import grpc
import numpy as np
from tritonclient.grpc import aio as triton
from tritonclient.utils import InferenceServerException

from infra.triton.errors import ProbeError, StubDeadError

MODEL = "shopper_detector"
#: Small, so that a probe every few seconds costs a busy machine about 5 ms.
_SIDE_PX = 64
#: A frame takes 30 to 100 ms, and each camera has one in line: a server this slow does not work.
TIMEOUT_S = 5.0

#: What the server (2.51) answers for a model whose stub is dead.
_STUB_DEAD = "is not healthy"


async def probe(url: str, *, model: str = MODEL, timeout_s: float = TIMEOUT_S) -> None:
    """Sends one grey frame to the server at `url` (host:port of gRPC) and reads the answer.

    Raises:
        StubDeadError: the server says that the process of the model is dead.
        ProbeError: no answer within `timeout_s`, or not the detector's.
    """
    image = triton.InferInput("IMAGE", [1, _SIDE_PX, _SIDE_PX, 3], "UINT8")
    image.set_data_from_numpy(np.full((1, _SIDE_PX, _SIDE_PX, 3), 128, np.uint8))
    count = triton.InferRequestedOutput("COUNT")
    client = triton.InferenceServerClient(url)
    try:
        async with asyncio.timeout(timeout_s):
            result = await client.infer(model, [image], outputs=[count], client_timeout=timeout_s)
    except (InferenceServerException, grpc.RpcError, TimeoutError) as error:
        why = str(error) or f"no answer within {timeout_s:g} s"
        kind = StubDeadError if _STUB_DEAD in why else ProbeError
        raise kind(
            f"the model server at {url} did not answer for {model} ({why}); "
            "see its log in the state folder"
        ) from error
    finally:
        await client.close()
    people = result.as_numpy("COUNT")
    if people is None or people.shape != (1, 1):
        raise ProbeError(
            f"the model {model} at {url} answered something else than the detector; "
            "prepare the models again"
        )
