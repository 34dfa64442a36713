"""Receipts by HTTP: `POST /receipts`, on this machine alone unless told otherwise."""

import secrets
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import SecretStr

from infra.receipts.errors import TakingError
from infra.receipts.intake import Intake, Taken
from infra.receipts.raw import Format

#: A till sends a receipt, or those of some hours after it was cut off.
MOST_BYTES = 5 * 1024 * 1024

_FORMS: dict[str, Format] = {
    "application/json": "json",
    "application/x-ndjson": "json",
    "application/jsonl": "json",
    "text/csv": "csv",
}


def create_receipts(intake: Intake, token: SecretStr | None, now_ms: Callable[[], int]) -> FastAPI:
    """The application. With a `token`, `Authorization: Bearer TOKEN` is asked for."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.middleware("http")
    async def guarded(
        request: Request, call_next: Callable[[Request], Awaitable[JSONResponse]]
    ) -> JSONResponse:
        if token is not None and not _is_right(request.headers.get("authorization", ""), token):
            return _refused(401, "give the token as `Authorization: Bearer TOKEN`")
        return await call_next(request)

    @app.get("/health")
    async def health() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.post("/receipts")
    async def receipts(request: Request) -> JSONResponse:
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        form = _FORMS.get(kind)
        if form is None:
            return _refused(415, f"send one of {', '.join(_FORMS)}")
        body = await _body(request)
        if body is None:
            return _refused(413, f"send {MOST_BYTES} bytes at the most")
        try:
            taken = await intake.take(body, form, "http", now_ms())
        except TakingError as error:
            return JSONResponse({"detail": str(error)}, 503, {"Retry-After": "5"})
        return JSONResponse(_told(taken))

    return app


async def _body(request: Request) -> bytes | None:
    """All of it, or None where it is too large; no more of it is read then."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _is_right(header: str, token: SecretStr) -> bool:
    wanted = f"Bearer {token.get_secret_value()}"
    return secrets.compare_digest(header.encode(), wanted.encode())


def _refused(code: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, code)


def _told(taken: Taken) -> dict[str, object]:
    return {
        "accepted": taken.accepted,
        "repeated": taken.repeated,
        "refused": taken.refused.total(),
        "reasons": dict(taken.refused),
        "first": [
            {"place": place, "reason": reason, "detail": detail}
            for place, reason, detail in taken.told
        ],
    }
