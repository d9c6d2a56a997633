"""What clients send to the Videos API, as JSON or as a form: SDK 2 sends both, SDK 3 only forms with all in strings."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from assay.api.errors import ApiError

_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_KEY = re.compile(r"([^\[\]]{1,64})((?:\[[^\[\]]{0,64}\])*)\Z")
_DEEPEST = 4
_LISTS = {"storyboard": "Beat", "characters": "Named"}  # fields that are lists of objects
_PROMPT = 4000  # characters, as the generators take them


def _storable(text: object) -> object:
    if isinstance(text, str) and ("\0" in text or any(0xD800 <= ord(letter) <= 0xDFFF for letter in text)):
        raise ValueError("it has characters that are no text")
    return text


Text = Annotated[str, BeforeValidator(_storable)]
Prompt = Annotated[Text, Field(min_length=1, max_length=_PROMPT)]
Seconds = Annotated[float, Field(gt=0, le=60)]


class _Body(BaseModel):
    """Unknown names are refused: a wish that is silently dropped is a lie."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class Beat(_Body):
    """What is seen from a second on."""

    at: Annotated[float, Field(gt=0, lt=60)]
    prompt: Prompt


class Named(_Body):
    """A character of one's own."""

    id: Annotated[Text, Field(min_length=1, max_length=60)]


class Making(_Body):
    """What every wish for a video may say."""

    prompt: Prompt
    model: Annotated[Text, Field(min_length=1, max_length=120)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    negative_prompt: Prompt | None = None
    expand: bool = False
    preview: bool = False
    user: Annotated[Text, Field(max_length=200)] | None = None
    safety_identifier: Annotated[Text, Field(max_length=200)] | None = None

    @property
    def end_user(self) -> str | None:
        """For whom the client acts, as it says."""
        return self.safety_identifier or self.user


class Creation(Making):
    """`POST /v1/videos`."""

    seconds: Seconds | None = None
    size: Annotated[str, Field(pattern=r"^[0-9]{2,4}x[0-9]{2,4}$")] | None = None
    input_reference: Any = None  # a file, or {"image_url": ...}
    storyboard: Annotated[list[Beat], Field(max_length=59)] = []
    characters: Annotated[list[Named], Field(max_length=1)] = []  # its picture is the first frame; so there is one


class Remix(Making):
    """`POST /v1/videos/{id}/remix`."""

    strength: Annotated[float, Field(ge=0, lt=1)] = 0.6


class Edit(Remix):
    """`POST /v1/videos/edits`."""

    video: Any  # a file, or {"id": ...}


class Extension(Making):
    """`POST /v1/videos/extensions`."""

    video: Any  # a file, or {"id": ...}
    seconds: Seconds = 2.0  # what is added


B = TypeVar("B", bound=_Body)


def body(model: type[B]) -> Callable[[Request], AsyncIterator[B]]:
    """A dependency that reads a body of that model, from JSON or a form; ApiError 400 or 415 where it cannot.

    Uploads are closed, and their temporary files gone, when the request has been answered.
    """

    async def read(request: Request) -> AsyncIterator[B]:
        try:
            yield await _asked(request, model)
        finally:
            await request.close()

    return read


def body_at_once(model: type[B]) -> Callable[[Request], Awaitable[B]]:
    """The same for a body that no upload belongs to: what was uploaded all the same is gone before the route begins."""

    async def read(request: Request) -> B:
        try:
            return await _asked(request, model)
        finally:
            await request.close()

    return read


async def _asked(request: Request, model: type[B]) -> B:
    fields = await _fields(request)
    if "video_id" in fields and "video" in model.model_fields:
        fields["video"] = {"id": fields.pop("video_id")}
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _invalid(error) from None


async def _fields(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _FORMS:
        try:
            form = await request.form(max_files=2, max_fields=300)
        except HTTPException as error:
            raise ApiError(400, "invalid_form", "the form cannot be read") from error
        return nested(list(form.multi_items()))
    if kind not in ("", "application/json"):
        raise ApiError(415, "unsupported_media_type", f"send application/json or {_FORMS[0]}")
    try:
        sent = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "invalid_json", "the body is not JSON") from error
    if not isinstance(sent, dict):
        raise ApiError(400, "invalid_json", "the body is not a JSON object")
    return sent


def nested(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Form fields as an object: `video[id]` and `storyboard[0][prompt]` are nested. Raises ApiError."""
    made: dict[str, Any] = {}
    for key, value in pairs:
        match = _KEY.match(key)
        steps = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])] if match else []
        if not steps or len(steps) > _DEEPEST:
            raise ApiError(400, "invalid_form", f"{key[:80]!r} is no name of a field")
        inner = made
        for step in steps[:-1]:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                raise ApiError(400, "invalid_form", f"{steps[0]!r} is given twice, in two forms")
        if steps[-1] in inner:
            raise ApiError(400, "invalid_form", f"{key[:80]!r} is given twice")
        inner[steps[-1]] = value
    return {name: _listed(value) for name, value in made.items()}


def _listed(value: Any) -> Any:
    """Objects whose names are numbers, or nothing at all, are lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(each) for name, each in value.items()}
    if set(inner) == {""}:
        return [inner[""]]  # `characters[][id]`: a list of one
    if inner and all(name.isdigit() and len(name) < 4 for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def _invalid(error: ValidationError) -> ApiError:
    fault = error.errors(include_input=False, include_context=False, include_url=False)[0]
    name = ".".join(str(part) for part in fault["loc"]) or None
    code = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}.get(fault["type"])
    return ApiError(400, code or "invalid_value", f"{name}: {fault['msg']}", name and name[:80])


def documented_body(model: type[BaseModel], *files: str) -> dict[str, Any]:
    """The `openapi_extra=` of a route: the same object as JSON or as a form; `files` may be uploads there."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})
    for name, part in _LISTS.items():
        if part in parts:
            schema["properties"][name]["items"] = parts[part]
    as_json, as_form = _with(schema, files, _reference), _with(schema, files, _upload)
    for name in _LISTS:
        as_form["properties"].pop(name, None)  # sent as storyboard[0][at], which OpenAPI cannot say
    content = {"application/json": {"schema": as_json}, "multipart/form-data": {"schema": as_form}}
    return {"requestBody": {"required": True, "content": content}}


def _with(schema: Mapping[str, Any], files: tuple[str, ...], shape: Callable[[str], Any]) -> dict[str, Any]:
    return {**schema, "properties": {**schema["properties"], **{name: shape(name) for name in files}}}


def _reference(name: str) -> dict[str, Any]:
    key = "id" if name == "video" else "image_url"
    return {"type": "object", "properties": {key: {"type": "string"}}, "required": [key]}


def _upload(_: str) -> dict[str, Any]:
    return {"type": "string", "format": "binary"}


def is_file(value: object) -> bool:
    """True for an uploaded file."""
    return isinstance(value, UploadFile)
