"""Prints the table of Tests/Unit/CredentialsTests/AWSVectors.swift: requests and the `Authorization` that botocore gives them.

Needs botocore; run by hand when a case is added: python3 Tests/Support/sigv4_vectors.py > Tests/Unit/CredentialsTests/AWSVectors.swift
"""

from __future__ import annotations

import datetime
from unittest import mock

import botocore
from botocore.auth import SigV4Auth, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2015, 8, 30, 12, 36, 0, tzinfo=datetime.timezone.utc)
KEY = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
RUNTIME = "bedrock-runtime.eu-central-1.amazonaws.com"
MODEL = "/model/anthropic.claude-3-5-sonnet-20241022-v2"
JSON = {"content-type": "application/json"}
# host, service, region, method, target, headers, body, session token
CASES = [
    ("example.amazonaws.com", "service", "us-east-1", "GET", "/", {}, "", None),
    ("example.amazonaws.com", "service", "us-east-1", "POST", "/", {}, "", None),
    ("example.amazonaws.com", "service", "us-east-1", "GET", "/?Param2=value2&Param1=value1", {}, "", None),
    ("example.amazonaws.com", "service", "us-east-1", "GET", "/?a=2&a=1&b=&c", {}, "", None),
    ("example.amazonaws.com", "service", "us-east-1", "GET", "/?%E1%88%B4=bar&x=a%20b%2Fc", {}, "", None),
    ("example.amazonaws.com", "service", "us-east-1", "POST", "/", {"content-type": "application/x-www-form-urlencoded"}, "Param1=value1", None),
    ("example.amazonaws.com", "service", "us-east-1", "GET", "/a%20b/c~d/e%E1%88%B4", {}, "", None),
    ("example.amazonaws.com:8443", "service", "us-east-1", "GET", "/x", {"x-amz-meta": "one   two "}, "", None),
    (RUNTIME, "bedrock", "eu-central-1", "POST", f"{MODEL}:0/converse-stream", JSON, '{"messages":[]}', None),
    (RUNTIME, "bedrock", "eu-central-1", "POST", f"{MODEL}%3A0/converse", JSON, '{"messages":[]}', "SESSION/TOKEN+with=signs"),
    ("bucket.s3.eu-west-1.amazonaws.com", "s3", "eu-west-1", "PUT", "/a%20b/c", {}, "content", None),
]


class Fixed(datetime.datetime):
    @classmethod
    def utcnow(cls) -> datetime.datetime:
        return NOW.replace(tzinfo=None)

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return NOW if tz else NOW.replace(tzinfo=None)


def signed(host: str, service: str, region: str, method: str, target: str, headers: dict[str, str], body: str, token: str | None) -> str:
    request = AWSRequest(method=method, url=f"https://{host}{target}", data=body.encode(), headers=dict(headers))
    auth = (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials(*KEY, token), service, region)
    with mock.patch("botocore.auth.datetime", mock.Mock(datetime=Fixed)), mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: NOW.replace(tzinfo=None), create=True):
        auth.add_auth(request)
    return str(request.headers["Authorization"])


def main() -> None:
    print("// Made by Tests/Support/sigv4_vectors.py with botocore " + botocore.__version__ + "; the first, second, third and sixth are of AWS's own test suite.")
    print("let awsVectors: [AWSVector] = [")
    for case in CASES:
        host, service, region, method, target, headers, body, token = case
        listed = ", ".join(f'"{name}": "{value}"' for name, value in headers.items()) or ":"
        text = body.replace('"', '\\"')
        session = "nil" if token is None else f'"{token}"'
        print("    AWSVector(")
        print(f'        host: "{host}", service: "{service}", region: "{region}", method: "{method}", target: "{target}",')
        print(f'        headers: [{listed}], body: "{text}", token: {session},')
        authorization = signed(*case)
        head, signature = authorization.split(", Signature=")
        print(f'        authorization: "{head}, "\n            + "Signature={signature}"),')
    print("]")


if __name__ == "__main__":
    main()
