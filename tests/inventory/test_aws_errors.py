"""What the errors of AWS clients mean."""

from __future__ import annotations

from collections.abc import Callable

import botocore.exceptions
import pytest
from botocore.parsers import ResponseParserError

from kcl_flowlog.inventory import aws_errors
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, error_code, one_line
from tests.support.ec2 import UNREACHABLE, client_error

TIMEOUT = botocore.exceptions.ReadTimeoutError(endpoint_url="https://ec2")
OLD_BOTO3 = botocore.exceptions.ParamValidationError(report="Unknown parameter")
WITHOUT_ERROR = botocore.exceptions.ClientError({}, "Describe")

QUESTIONS: dict[Callable[[Exception], bool], tuple[str, ...]] = {
    aws_errors.is_denied: ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation"),
    aws_errors.has_invalid_credentials: (
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "ExpiredTokenException",
        "ExpiredToken",
        "AuthFailure",
    ),
    aws_errors.is_not_found: ("ResourceNotFoundException",),
    aws_errors.is_failed_condition: ("ConditionalCheckFailedException",),
}


@pytest.mark.parametrize("code", [*(code for codes in QUESTIONS.values() for code in codes), "RequestLimitExceeded"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_code_answers_its_own_question_only(question: Callable[[Exception], bool], code: str) -> None:
    """Throttling answers no question: it passes by itself."""
    error = client_error(code)

    assert isinstance(error, AWS_ERRORS)
    assert (code in QUESTIONS[question]) == question(error)


@pytest.mark.parametrize(
    ("error", "is_unreachable"),
    [
        (UNREACHABLE, True),
        (TIMEOUT, True),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="https://ec2"), True),
        # A proxy answers in place of AWS.
        (ResponseParserError("no XML"), True),
        (OLD_BOTO3, False),
        (client_error("AccessDenied"), False),
    ],
)
def test_a_request_without_an_answer_is_unreachable(error: Exception, is_unreachable: bool) -> None:
    """A refusal is an answer."""
    assert is_unreachable == aws_errors.is_unreachable(error)


@pytest.mark.parametrize(
    ("error", "is_unknown"), [(OLD_BOTO3, True), (UNREACHABLE, False), (client_error("AccessDenied"), False)]
)
def test_a_parameter_that_boto3_rejects_is_unknown(error: Exception, is_unknown: bool) -> None:
    """AWS never saw that request."""
    assert is_unknown == aws_errors.is_unknown_parameter(error)


@pytest.mark.parametrize(
    ("error", "code"),
    [(client_error("AccessDenied"), "AccessDenied"), (WITHOUT_ERROR, ""), (UNREACHABLE, ""), (OSError(), "")],
)
def test_only_an_answer_has_a_code(error: Exception, code: str) -> None:
    """The code of all other errors is empty."""
    assert code == error_code(error)


@pytest.mark.parametrize("text", ["No such command", "No\nsuch  command.", " No such command. "])
def test_an_error_is_one_sentence(text: str) -> None:
    """Whatever its line breaks."""
    assert "No such command." == one_line(OSError(text))
