"""The $batch envelope: what we write the sandbox reads, and the reverse."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncd.connectors.dataverse.batch import Operation, decode, encode
from syncd.sandbox import multipart
from syncd.sandbox.answers import Answer

PATH = "/api/data/v9.2/"
TYPE = 'multipart/mixed; boundary="B1"'

targets = st.from_regex(r"\A[a-z]{1,12}\([0-9a-f-]{1,36}\)\Z")
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40)
operations = st.builds(
    Operation,
    method=st.sampled_from(["POST", "PATCH", "DELETE"]),
    path=targets.map(PATH.__add__),
    body=st.none() | texts.filter(lambda text: "B1" not in text),
    etag=st.none() | st.from_regex(r'\AW/"[0-9]{1,9}"\Z'),
)
bodies = st.binary(max_size=60).map(lambda body: body.replace(b"\r", b"").replace(b"\n", b""))
quoting = st.sampled_from([b"--batchresponse_1", b"x--batchresponse_1--"])
answers = st.builds(
    Answer,
    status=st.sampled_from([200, 204, 400, 404, 412, 429, 500, 503]),
    headers=st.just({"OData-Version": "4.0"}),
    content=bodies | st.tuples(quoting, bodies).map(b"".join),
)


@given(st.lists(operations, min_size=1, max_size=20))
def test_the_sandbox_reads_what_we_write(sent: list[Operation]) -> None:
    """Every operation arrives with its method, target, precondition and body, in order."""
    read = multipart.read(TYPE, encode(sent, "B1"))

    arrived = [
        (part.method, PATH + part.target, part.headers.get("if-match"), part.body, part.content_id)
        for part in read
        if isinstance(part, multipart.Part)
    ]
    assert arrived == [
        (one.method, one.path, one.etag, (one.body or "").encode(), str(number))
        for number, one in enumerate(sent, 1)
    ]


def written(given_: list[Answer], *, ids: bool = True) -> tuple[str, bytes]:
    """Write answers as the sandbox does."""
    parts = [
        multipart.Part("GET", "x", {}, b"", str(number) if ids else None)
        for number, _ in enumerate(given_, 1)
    ]
    return multipart.write(list(zip(parts, given_, strict=True)))


def clean(answer: Answer) -> bool:
    """Whether no line of the content is a delimiter: then nothing is ambiguous."""
    return not answer.content.startswith(b"--batchresponse_1")


@given(st.lists(answers.filter(clean), min_size=1, max_size=20), st.booleans())
def test_we_read_what_the_sandbox_writes(given_: list[Answer], ids: bool) -> None:  # noqa: FBT001  # drawn
    """By Content-ID or by position, and also where a body quotes the boundary."""
    content_type, body = written(given_, ids=ids)

    read = decode(content_type, body, len(given_))

    assert [(part.status, part.body.strip()) for part in read if part] == [
        (one.status, one.content.strip()) for one in given_
    ]


@given(st.lists(answers.filter(clean), min_size=1, max_size=6), st.data())
def test_an_answer_that_is_cut_short_never_tells_a_lie(
    given_: list[Answer], data: st.DataObject
) -> None:
    """What arrives whole is right; the rest is unknown."""
    content_type, body = written(given_)
    cut = data.draw(st.integers(0, len(body) - 1))

    read = decode(content_type, body[:cut], len(given_))

    for part, answer in zip(read, given_, strict=True):
        assert part is None or (part.status, part.body.strip()) == (
            answer.status,
            answer.content.strip(),
        )


def test_a_body_that_quotes_the_boundary_and_is_cut_there_is_not_believed() -> None:
    """What looks like the end is in the middle of a body."""
    content_type, body = written([Answer(400, content=b"x--batchresponse_1-- and so on")])
    cut = body.index(b" and so on")

    read = decode(content_type, body[:cut], 1)

    assert read == [None]


def test_answers_are_matched_by_id_and_not_by_place() -> None:
    """A server may answer in another order, or leave one out."""
    parts = [multipart.Part("GET", "x", {}, b"", number) for number in ("3", "1")]
    content_type, body = multipart.write(list(zip(parts, [Answer(404), Answer(204)], strict=True)))

    read = decode(content_type, body, 3)

    assert [part and part.status for part in read] == [204, None, 404]


def test_two_answers_to_one_operation_are_none() -> None:
    """They contradict each other, so nothing is known."""
    parts = [multipart.Part("GET", "x", {}, b"", "1") for _ in range(2)]
    content_type, body = multipart.write(list(zip(parts, [Answer(404), Answer(204)], strict=True)))

    read = decode(content_type, body, 2)

    assert read == [None, None]


def test_plain_line_feeds_are_read_too() -> None:
    """Some gateways rewrite line ends (dataverse-web-api.md section 3.2: accept LF and CRLF)."""
    content_type, body = written([Answer(204), Answer(412, content=b"{}")])

    read = decode(content_type, body.replace(b"\r\n", b"\n"), 2)

    assert [(part.status, part.body) for part in read if part] == [(204, b""), (412, b"{}")]


def test_an_answer_that_is_no_multipart_says_nothing() -> None:
    """HTML of a proxy is no outcome."""
    read = decode("text/html", b"<html>all is well</html>", 2)

    assert read == [None, None]


def test_headers_of_a_part_are_its_own() -> None:
    """Retry-After and ETag are found in any case; others are not there."""
    content_type, body = written([Answer(429, {"retry-after": "9"})])

    (part,) = decode(content_type, body, 1)

    assert part is not None
    assert (part.header("Retry-After"), part.header("ETag")) == ("9", None)
