"""The errors of AWS clients, and what each means for the caller."""

from __future__ import annotations

import botocore.exceptions
import botocore.parsers

AWS_ERRORS: tuple[type[Exception], type[Exception], type[Exception]] = (
    botocore.exceptions.ClientError,
    botocore.exceptions.BotoCoreError,
    botocore.parsers.ResponseParserError,
)
"""What a client raises if AWS refuses a request or can't be reached."""

_DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
_INVALID_CREDENTIALS = (
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "ExpiredTokenException",
    "ExpiredToken",
    "AuthFailure",
)
_THROTTLED = ("LimitExceededException", "ThrottlingException", "Throttling", "ProvisionedThroughputExceededException")
_UNREACHABLE = (
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    # Something else than AWS answers, such as a proxy.
    botocore.parsers.ResponseParserError,
)
_HINTS = (
    (botocore.exceptions.ProxyConnectionError, "HTTPS_PROXY, HTTP_PROXY and NO_PROXY"),
    (botocore.exceptions.SSLError, "AWS_CA_BUNDLE"),
)


def error_code(error: Exception) -> str:
    """Return the code of AWS' answer, or an empty text if the error is not an answer of AWS."""
    if isinstance(error, botocore.exceptions.ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def is_denied(error: Exception) -> bool:
    """Say whether a permission is missing."""
    return error_code(error) in _DENIED


def has_invalid_credentials(error: Exception) -> bool:
    """Say whether AWS rejected the credentials."""
    return error_code(error) in _INVALID_CREDENTIALS


def is_unreachable(error: Exception) -> bool:
    """Say whether the request got no answer of AWS."""
    return isinstance(error, _UNREACHABLE)


def what_to_check(error: Exception) -> str:
    """Return what a user checks if a request got no answer."""
    return next((hint for kind, hint in _HINTS if isinstance(error, kind)), "--region and the network")


def is_throttled(error: Exception) -> bool:
    """Say whether AWS had too many requests."""
    return error_code(error) in _THROTTLED


def is_not_found(error: Exception) -> bool:
    """Say whether the stream or the DynamoDB table does not exist."""
    return error_code(error) == "ResourceNotFoundException"


def is_failed_condition(error: Exception) -> bool:
    """Say whether DynamoDB did not write because the condition of the write is not met."""
    return error_code(error) == "ConditionalCheckFailedException"


def is_existing(error: Exception) -> bool:
    """Say whether the DynamoDB table can't be created because it exists, or is being created."""
    return error_code(error) == "ResourceInUseException"


def is_invalid_request(error: Exception) -> bool:
    """Say whether AWS or boto3 finds a value in the request invalid, so that it is invalid the next time, too."""
    return error_code(error) == "ValidationException" or is_unknown_parameter(error)


def is_unknown_parameter(error: Exception) -> bool:
    """Say whether the installed boto3 is too old for a parameter."""
    return isinstance(error, botocore.exceptions.ParamValidationError)


def one_line(error: Exception) -> str:
    """Return the error's text as one sentence."""
    return " ".join(str(error).split()).rstrip(".") + "."
