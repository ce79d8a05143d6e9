// Made by Tests/Support/sigv4_vectors.py with botocore 1.43.11; the first, second, third and sixth are of AWS's own test suite.
let awsVectors: [AWSVector] = [
    AWSVector(
        host: "example.amazonaws.com", service: "service", region: "us-east-1", method: "GET", target: "/",
        headers: [:], body: "", token: nil,
        authorization:
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
            + "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    AWSVector(
        host: "example.amazonaws.com", service: "service", region: "us-east-1", method: "POST", target: "/",
        headers: [:], body: "", token: nil,
        authorization:
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
            + "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    AWSVector(
        host: "example.amazonaws.com", service: "service", region: "us-east-1", method: "GET",
        target: "/?Param2=value2&Param1=value1",
        headers: [:], body: "", token: nil,
        authorization:
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
            + "Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    AWSVector(
        host: "example.amazonaws.com", service: "service", region: "us-east-1", method: "GET", target: "/?a=2&a=1&b=&c",
        headers: [:], body: "", token: nil,
        authorization:
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
            + "Signature=410da475f03ffbc5ab1061b9fcbcbdf49eb2e68810a0ef95bdaee6b4e058af8a"),
    AWSVector(
        host: "example.amazonaws.com", service: "service", region: "us-east-1", method: "GET",
        target: "/?%E1%88%B4=bar&x=a%20b%2Fc",
        headers: [:], body: "", token: nil,
        authorization:
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
            + "Signature=61c15a171fb75c86d3462175fa591dc963a7114a220c7e817df32d92984b9347"),
    AWSVector(
        host: "example.amazonaws.com", service: "service", region: "us-east-1", method: "POST", target: "/",
        headers: ["content-type": "application/x-www-form-urlencoded"], body: "Param1=value1", token: nil,
        authorization:
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=content-type;host;x-amz-date, "
            + "Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    AWSVector(
        host: "example.amazonaws.com", service: "service", region: "us-east-1", method: "GET", target: "/a%20b/c~d/e%E1%88%B4",
        headers: [:], body: "", token: nil,
        authorization:
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
            + "Signature=59a57bb48337ef6ce11e7e9d3ef224f8b5e0ab4990f38a0d8ee0cc65f2dd0d54"),
    AWSVector(
        host: "example.amazonaws.com:8443", service: "service", region: "us-east-1", method: "GET", target: "/x",
        headers: ["x-amz-meta": "one   two "], body: "", token: nil,
        authorization:
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date;x-amz-meta, "
            + "Signature=c2bfba140dcbffbbf068f560062b97b060af0a68176a9c1dae9ab9bc9456027d"),
    AWSVector(
        host: "bedrock-runtime.eu-central-1.amazonaws.com", service: "bedrock", region: "eu-central-1", method: "POST",
        target: "/model/anthropic.claude-3-5-sonnet-20241022-v2:0/converse-stream",
        headers: ["content-type": "application/json"], body: "{\"messages\":[]}", token: nil,
        authorization:
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, "
            + "Signature=d7a71bf9266b087001c33c55fa15a79d2975702fa1fb295f74c6b846e619ea8d"),
    AWSVector(
        host: "bedrock-runtime.eu-central-1.amazonaws.com", service: "bedrock", region: "eu-central-1", method: "POST",
        target: "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse",
        headers: ["content-type": "application/json"], body: "{\"messages\":[]}", token: "SESSION/TOKEN+with=signs",
        authorization:
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
            + "Signature=e9494d996e04be3271290bdebf3a803ed2fe99ceab3e8652452bb60ee2478102"),
    AWSVector(
        host: "bucket.s3.eu-west-1.amazonaws.com", service: "s3", region: "eu-west-1", method: "PUT", target: "/a%20b/c",
        headers: [:], body: "content", token: nil,
        authorization:
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
            + "Signature=2dfc031d927c996d2c0f3527916a3b862f408a7ced6f9042226b470f1e84fc5c"),
]
