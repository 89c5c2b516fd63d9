"""What schemathesis cannot know of ackd."""

import json
import re

import schemathesis

# An answer may be held back for as long as the client asks, up to 55 s. Nobody waits for that here; what is no wait is left as
# it is, to be refused.
SHORT = "1"
WAIT = re.compile(r"[0-9]+|([0-9]+(ms|s|m|h|d))+")


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.query and WAIT.fullmatch(str(case.query.get("wait", ""))):
        case.query["wait"] = SHORT
    if case.headers and re.fullmatch(rf"wait=({WAIT.pattern})", str(case.headers.get("Prefer", ""))):
        case.headers["Prefer"] = f"wait={SHORT}"
    if isinstance(case.body, dict) and WAIT.fullmatch(str(case.body.get("wait", ""))):
        case.body["wait"] = case.body["wait"] if isinstance(case.body["wait"], int) else f"{SHORT}s"


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    """The schema is that of a line; two of them are a body."""
    line = json.dumps(value).encode()
    return line + b"\n" + line + b"\n"


@schemathesis.deserializer("application/x-ndjson")
def first_line(context, response):
    return json.loads(response.content.splitlines()[0])
