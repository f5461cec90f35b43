"""RingCentral's error bodies."""

from tests.support.independent.account import Json
from tests.support.independent.http_wire import Response, json_response

STATUS = {
    "CMN-101": 400,
    "CMN-102": 404,
    "CMN-106": 400,
    "CMN-406": 400,
    "CMN-401": 403,
    "CMN-408": 403,
    "CMN-301": 429,
    "CMN-304": 429,
    "CMN-203": 500,
    "InvalidMultipartRequest": 400,
    "SUB-406": 403,
    "SUB-505": 403,
    "SUB-508": 400,
    "SUB-525": 400,
    "AGW-404": 403,
    "CMN-211": 503,
    "OAU-128": 401,
    "OAU-149": 401,
    "OAU-213": 401,
}


class ApiFailure(Exception):
    """The request is refused with an error code of RingCentral's."""

    def __init__(self, code: str, message: str, parameter: str = "") -> None:
        super().__init__(code, message)
        self.status = STATUS[code]
        self.body = error_body(code, message, parameter)


class OAuthFailure(Exception):
    """A request to an OAuth endpoint is refused, in the form of RFC 6749."""

    def __init__(self, status: int, error: str, code: str, description: str) -> None:
        super().__init__(code, description)
        self.status = status
        self.body: Json = {
            "error": error,
            "error_description": description,
            "errors": [{"errorCode": code, "message": description}],
        }


def error_body(code: str, message: str, parameter: str = "") -> Json:
    """Return the body of an API error, whose `errors` repeats the first error."""
    first: Json = {"errorCode": code, "message": message}
    if parameter:
        first["parameterName"] = parameter
    return {**first, "errors": [first]}


def not_found(parameter: str) -> ApiFailure:
    return ApiFailure("CMN-102", f"Resource for parameter [{parameter}] is not found", parameter)


def invalid(parameter: str) -> ApiFailure:
    return ApiFailure("CMN-101", f"Parameter [{parameter}] value is invalid", parameter)


def not_permitted(permission: str) -> ApiFailure:
    failure = ApiFailure("CMN-401", f"The application needs to have [{permission}] permission")
    failure.body["errors"][0]["permissionName"] = permission
    return failure


def failure_response(failure: ApiFailure | OAuthFailure) -> Response:
    response = json_response(failure.status, failure.body)
    if failure.status == 401:
        response.headers.append(("WWW-Authenticate", 'Bearer realm="RC-platform"'))
    return response
