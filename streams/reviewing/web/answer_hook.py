"""Answers that come by HTTP, from whoever shares the secret: they go to the topic of answers, and by it to the case."""

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from streams.reviewing.store import NoSuchCase
from streams.reviewing.web.console import Console
from streams.reviewing.web.entry import address_of
from streams.wire.codec import MalformedRecord, read_answer
from streams.wire.webhook import NotSigned, check

MOST_BYTES = 16_384

log = structlog.get_logger()


async def take_answer(console: Console, request: Request) -> Response:
    """Take one, as its topic would hold it: 202 once it is sure to get there. Sent again it changes nothing."""
    secret = console.settings.console.answers_secret
    if not secret:
        return PlainTextResponse("No answers are taken here.", 404)
    body = await _body(request)
    if body is None:
        return PlainTextResponse(f"An answer has at most {MOST_BYTES:,} bytes.", 413)
    try:
        check(request.headers, body, secret, console.clock().timestamp())
        answer = read_answer(body)
        await run_in_threadpool(console.store.pass_on, answer)
    except NotSigned as error:
        log.warning("answer_not_signed", why=str(error), address=address_of(request))
        return PlainTextResponse(str(error), 401)
    except MalformedRecord as error:
        return PlainTextResponse(str(error), 400)
    except NoSuchCase:
        return PlainTextResponse("Nobody has asked this.", 404)
    return Response(status_code=202)


async def _body(request: Request) -> bytes | None:
    """All of it; None where it is too long."""
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > MOST_BYTES:
            return None
    return bytes(read)
