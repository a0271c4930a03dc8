"""Multipart forms."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.web.forms import MAX_FIELD_BYTES, MAX_PARTS
from plugin_sdk import MULTIPART, Request, Response, Route

PATH = "/api/plugins/x/do"
TYPE = "multipart/form-data; boundary=BOUND"


def part(content: bytes, disposition: str, *more: str) -> bytes:
    head = "\r\n".join([f"Content-Disposition: form-data; {disposition}", *more])
    return b"--BOUND\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--BOUND--\r\n"


@pytest.fixture
def upload(site):
    kept: list[Request] = []

    def handler(request: Request):
        kept.append(request)
        assert request.form is not None
        return {
            "fields": dict(request.form.fields),
            "files": [
                [f.name, f.filename, f.content_type, f.size, len(f.file.read())]
                for f in request.form.files
            ],
        }

    route = Route("POST", "/do", handler, access="open", consumes=(MULTIPART,), max_body=4_000_000)
    site.add("x", route)

    def send(body: bytes, content_type: str = TYPE):
        return site.post(PATH, body=body, Content_Type=content_type)

    send.kept = kept
    send.site = site
    return send


def test_fields_and_files(upload):
    reply = upload(
        form(
            part("grün".encode(), 'name="colour"'),
            part(b"a\r\nb", 'name="lines"'),
            part(b"\x00" * 5, 'name="pic"; filename="x.png"', "Content-Type: image/png"),
            part(b"", 'name="pic"; filename="../../etc/passwd"'),
        )
    )
    assert reply.json == {
        "fields": {"colour": "grün", "lines": "a\r\nb"},
        "files": [
            ["pic", "x.png", "image/png", 5, 5],
            ["pic", "../../etc/passwd", "text/plain", 0, 0],
        ],
    }


def test_large_files_leave_memory_and_are_closed_afterwards(upload):
    content = b"z" * 1_500_000
    reply = upload(
        form(part(content, 'name="f"; filename="f"'), part(b"s", 'name="g"; filename="g"'))
    )
    assert [each[3:] for each in reply.json["files"]] == [[1_500_000, 1_500_000], [1, 1]]
    large, small = upload.kept[0].form.files
    assert large.file.closed
    assert small.file.closed
    assert large.file._rolled  # it was beside the memory, not in it


def test_uploads_live_as_long_as_the_answer_that_is_made_of_them(site):
    def handler(request: Request):
        upload = request.form.file("f")
        return Response.stream(iter(lambda: upload.file.read(3), b""))

    site.add("x", Route("POST", "/do", handler, access="open", consumes=(MULTIPART,)))
    body = form(part(b"0123456789", 'name="f"; filename="f"'))
    assert site.post(PATH, body=body, Content_Type=TYPE).body == b"0123456789"


def test_files_are_closed_when_the_form_turns_out_bad(upload, monkeypatch):
    from host.web import forms

    made = []
    real = forms.UploadedFile.__init__

    def noted(self, *args):
        real(self, *args)
        made.append(self)

    monkeypatch.setattr(forms.UploadedFile, "__init__", noted)
    assert upload(part(b"x", 'name="f"; filename="f"') + b"--BOUND nonsense").status == 400
    assert [each.file.closed for each in made] == [True]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form(), "multipart/form-data"),
        (form(), "multipart/form-data; boundary="),
        (form(), f"multipart/form-data; boundary={'x' * 71}"),
        (form(), "multipart/form-data; boundary=ü"),
        (b"", TYPE),
        (b"nonsense", TYPE),
        (b"--BOUND", TYPE),
        (b"--BOUND\r\n\r\n", TYPE),
        (part(b"x", 'name="a"'), TYPE),
        (form(part(b"x", 'nix="a"')), TYPE),
        (form(part(b"\xff", 'name="a"')), TYPE),
        (form(part(b"x", 'name="a"', "Content-Transfer-Encoding: base64")), TYPE),
        (form(part(b"x", "name=\"a\"; filename*=nix''%ff")), TYPE),
        (form(part(b"x", 'name="a"', "X: " + "y" * 9000)), TYPE),
        (form(part(b"x", 'name="a"; filename="f"', "Content-Type: täxt")), TYPE),
        (form(*[part(b"", 'name="a"')] * (MAX_PARTS + 1)), TYPE),
    ],
)
def test_bad_forms_are_400(upload, body, content_type):
    reply = upload(body, content_type)
    assert (reply.status, reply.json["error"]) == (400, "INVALID_REQUEST")
    assert upload.site.log.records == []


def test_as_many_parts_as_may_be(upload):
    assert upload(form(*[part(b"", 'name="a"')] * MAX_PARTS)).status == 200


def test_a_field_is_no_file(upload):
    assert upload(form(part(b"x" * MAX_FIELD_BYTES, 'name="a"'))).status == 200
    assert upload(form(part(b"x" * (MAX_FIELD_BYTES + 1), 'name="a"'))).status == 413


def test_the_whole_has_a_limit(upload):
    assert upload(form(part(b"x" * 4_000_000, 'name="f"; filename="f"'))).status == 413
    environ = upload.site.environ("POST", PATH)
    import io

    body = form(part(b"x" * 4_000_000, 'name="f"; filename="f"'))
    environ.update({"CONTENT_TYPE": TYPE, "wsgi.input": io.BytesIO(body),
                    "wsgi.input_terminated": True})  # fmt: skip
    assert upload.site.call(environ).status == 413


def test_an_absent_form(upload, site):
    assert upload.site.post(PATH).status == 400
    assert upload.site.post(PATH, body=b"x").status == 415
    assert upload.site.post(PATH, json={}).status == 415
    route = Route("POST", "/do", lambda r: [r.form], access="open", consumes=(MULTIPART,),
                  body_required=False)  # fmt: skip
    site.add("x", route)
    assert site.post(PATH).json == [None]


pieces = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"--BOUND", b"--BOUND\r\n", b"--BOUND--", b"\r\n", b"\r\n\r\n", b"--",
                     b'Content-Disposition: form-data; name="a"',
                     b'Content-Disposition: form-data; name="a"; filename="b"',
                     b"Content-Type: text/plain; charset=nix", b"Content-Disposition: \xff",
                     b"Content-Type: \xff"]),
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(pieces, max_size=12).map(b"".join))
def test_no_form_is_a_fault_of_the_host(upload, body):
    assert upload(body).status in (200, 400)
    assert upload.site.log.records == []


def test_a_form_without_a_boundary_is_told_what_it_lacks(upload):
    message = upload(form(), "multipart/form-data").json["message"]
    assert "must name the boundary" in message
