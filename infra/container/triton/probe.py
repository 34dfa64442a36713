"""The model server's health check: one real inference, by the standard library alone.

The server's own health pages stay true while the process that runs the model is dead, so only an
answer counts. When there is none although the server says that it is ready, the model is loaded
anew, which starts that process again; the next check then tells whether it helped.
"""

import json
import sys
import urllib.request

_MODEL = "shopper_detector"
_SIDE_PX = 16
_INFER_TIMEOUT_S = 5.0
#: Loading the network takes seconds on a GPU.
_LOAD_TIMEOUT_S = 20.0


def _post(url: str, body: dict[str, object], timeout_s: float) -> bytes:
    request = urllib.request.Request(  # noqa: S310 - the address is our own, and http
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
        return bytes(answer.read())


def infer(base: str) -> None:
    """Sends one grey picture. Raises OSError or ValueError where the detector does not answer."""
    image = {
        "name": "IMAGE",
        "shape": [1, _SIDE_PX, _SIDE_PX, 3],
        "datatype": "UINT8",
        "data": [128] * (_SIDE_PX * _SIDE_PX * 3),
    }
    body: dict[str, object] = {
        "inputs": [image],
        "outputs": [{"name": "COUNT"}],
    }
    answer = json.loads(_post(f"{base}/v2/models/{_MODEL}/infer", body, _INFER_TIMEOUT_S))
    outputs = answer.get("outputs", [])
    if [output.get("shape") for output in outputs] != [[1, 1]]:
        raise ValueError(f"{_MODEL} answered something else than the detector: {answer}")


def reload(base: str) -> None:
    """Unloads the model and loads it again. Raises OSError where the server refuses."""
    with urllib.request.urlopen(f"{base}/v2/health/ready", timeout=_INFER_TIMEOUT_S):  # noqa: S310
        pass
    model = f"{base}/v2/repository/models/{_MODEL}"
    _post(f"{model}/unload", {}, _LOAD_TIMEOUT_S)
    _post(f"{model}/load", {}, _LOAD_TIMEOUT_S)


def main(base: str) -> int:
    """0 where the detector answered."""
    try:
        infer(base)
    except (OSError, ValueError) as error:
        print(f"no inference ({error})", file=sys.stderr)
    else:
        return 0
    try:
        reload(base)
    except OSError as error:
        print(f"the model was not loaded anew ({error})", file=sys.stderr)
    else:
        print("the model was loaded anew", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"))
