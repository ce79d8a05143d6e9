import BulkheadCore
import CredentialsService
import NIOCore
import Testing

/// A request and the header that AWS's own library gives it.
struct AWSVector: Sendable {
    var host: String
    var service: String
    var region: String
    var method: String
    var target: String
    var headers: [String: String]
    var body: String
    var token: String?
    var authorization: String
}

/// 2015-08-30 12:36:00 UTC, the moment of AWS's test suite.
private let moment: Int64 = 1_440_938_160_000

private func signed(
    _ spec: InjectionSpec, _ value: String, previous: String? = nil, _ request: OutboundRequest, host: String = "h",
    at now: Int64 = 1_614_265_330_999
) throws -> [String: [String]] {
    var request = request
    let injection = Injection(
        spec, value: SecretBytes(Array(value.utf8)), previous: previous.map { SecretBytes(Array($0.utf8)) })
    try injection.apply(to: &request)
    injection.sign(&request, authority: host, at: now)
    return Dictionary(grouping: request.headers, by: \.name).mapValues { $0.map(\.value.joined) }
}

private func post(_ body: String, _ headers: [(String, String)] = []) -> OutboundRequest {
    OutboundRequest(
        method: "POST", target: SecretText("/x"), headers: headers.map { OutboundRequest.Header($0.0, SecretText($0.1)) },
        body: .whole(ByteBuffer(string: body)))
}

@Test("requests to AWS get the signature that AWS's own library gives them", arguments: awsVectors)
func aws(_ vector: AWSVector) throws {
    var spec = InjectionSpec(preset: .awsSigV4)
    spec.aws = AWSScope(region: vector.region, service: vector.service)
    var request = post(vector.body, vector.headers.map { ($0.key, $0.value) })
    request.method = vector.method
    request.target = SecretText(vector.target)
    let value = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" + (vector.token.map { ":\($0)" } ?? "")
    let headers = try signed(spec, value, request, host: vector.host, at: moment)
    #expect(headers["authorization"] == [vector.authorization])
    #expect(headers["x-amz-date"] == ["20150830T123600Z"])
    #expect(headers["x-amz-security-token"] == vector.token.map { [$0] })
}

@Test("a caller's own signature headers never reach AWS")
func awsOwn() throws {
    var spec = InjectionSpec(preset: .awsSigV4)
    spec.aws = AWSScope(region: "us-east-1", service: "bedrock")
    let own = [("X-Amz-Date", "mine"), ("Authorization", "mine"), ("X-Amz-Security-Token", "mine"), ("X-Amz-Other", "kept")]
    let headers = try signed(spec, "AKIDEXAMPLE:secret-of-the-key", post("", own))
    #expect(!headers.values.joined().contains("mine") && headers["X-Amz-Other"] == ["kept"])
    #expect(headers["authorization"]?.first?.contains("SignedHeaders=host;x-amz-date;x-amz-other,") == true)
}

@Test(
    "a value that is no AWS key is refused without being shown",
    arguments: ["AKIDEXAMPLE", ":secret-alone", "AKID EXAMPLE:secret"])
func awsBroken(_ value: String) throws {
    var spec = InjectionSpec(preset: .awsSigV4)
    spec.aws = AWSScope(region: "us-east-1", service: "bedrock")
    let error = #expect(throws: CallError.self) { try signed(spec, value, post("")) }
    #expect(error?.code == .failedPrecondition && error?.message.contains("secret-alone") == false)
}

@Test("a body is signed with an HMAC as its destination says")
func hmac() throws {
    var spec = InjectionSpec(preset: .hmac)
    spec.hmac = HMACSpec(header: "X-Hub-Signature-256", template: "sha256={signature}")
    let hub = try signed(spec, "shared-secret-value", post(#"{"a":1}"#, [("x-hub-signature-256", "mine")]))
    #expect(
        hub["X-Hub-Signature-256"] == ["sha256=9232812dd1361d1a5fd08e6bb56fb7b0b6eda4597d91392e9f225068814aa8ce"]
            && hub["x-hub-signature-256"] == nil)
    spec.hmac = HMACSpec(
        header: "X-Sign", template: "t={timestamp},v1={signature}", algorithm: .sha512, encoding: .base64,
        content: .timestampAndBody,
        timestampHeader: "X-Time")
    let timed = try signed(spec, "shared-secret-value", post(#"{"a":1}"#))
    #expect(
        timed["X-Sign"] == [
            "t=1614265330,v1=abRMxs48NhpPoRblYbOOD/yQXhZb6PPr6Bwot32OX6tLYx3xwf7LLc8TKgpQWWNFUOdSgxkUeG3xQM1UIPUeiQ=="
        ] && timed["X-Time"] == ["1614265330"])
}

@Test("webhooks are signed as the standard says, with both keys while two are in force")
func webhooks() throws {
    let spec = InjectionSpec(preset: .standardWebhooks)
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    let body = #"{"test": 2432232314}"#
    let one = try signed(
        spec, key, post(body, [("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek"), ("webhook-signature", "v1,mine")]))
    #expect(one["webhook-signature"] == ["v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="])
    #expect(one["webhook-id"] == ["msg_p5jXN8AQM9LWM0D4loKWxJek"] && one["webhook-timestamp"] == ["1614265330"])
    let two = try signed(spec, key, previous: "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB", post(body))
    #expect(two["webhook-signature"]?.first?.split(separator: " ").count == 2)
    #expect(two["webhook-id"]?.first?.hasPrefix("msg_") == true)
    #expect(throws: CallError.self) { try signed(spec, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", post(body)) }
}
