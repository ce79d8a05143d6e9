import BulkheadAPI
import BulkheadCore
import NIOCore

/// A call that passed the policy, ready to go out.
struct AdmittedCall: Sendable {
    let destination: Destination
    /// nil when the destination has no secret.
    let injection: Injection?
    private let prepared: OutboundRequest

    /// - Throws: why the call may not be made, or not now.
    init(_ request: CredentialsAPI.CallRequest, _ destination: Destination, peer: String) throws(CallError) {
        let target = try destination.target(of: request, peer: peer)
        injection = try Self.injection(destination)
        try Self.checkBounds(request, destination)
        self.destination = destination
        let headers = try HeaderHygiene.outgoing(request.headers, own: injection?.header, allowed: destination.allowedHeaders)
        try Self.count(destination)
        prepared = OutboundRequest(method: target.method, target: SecretText(target.text), headers: headers)
    }

    /// The request with its body and the secret, but without an access token (`OAuthTokens`).
    /// - Throws: INVALID_ARGUMENT when the secret has no place in it.
    func request(_ body: OutboundBody) throws(CallError) -> OutboundRequest {
        var request = prepared
        request.body = body
        if let injection {
            try injection.apply(to: &request)
            injection.sign(&request, authority: destination.origin.authority, at: AuditTrail.wallMilliseconds())
        }
        return request
    }

    private static func injection(_ destination: Destination) throws(CallError) -> Injection? {
        switch destination.secret {
        case .none: return nil
        case .ready(let injection): return injection
        case .unusable(let error):
            destination.metrics.refused.add()
            throw error
        }
    }

    /// A call that will be made counts against the destination's rate; one that is refused before does not.
    private static func count(_ destination: Destination) throws(CallError) {
        guard let rate = destination.rate, let wait = rate.take() else { return }
        throw CallError(
            .resourceExhausted, reason: "rate_limited",
            message: "destination \(destination.configuration.name) takes \(rate.rule.rpm) calls a minute, its limit",
            retryAfter: wait, notProcessed: true)
    }

    private static func checkBounds(_ request: CredentialsAPI.CallRequest, _ destination: Destination) throws(CallError) {
        let limits = destination.configuration.limits
        if let bytes = request.body?.readableBytes, bytes > limits.maxRequest {
            throw StreamedRequestBody.tooLarge(limits.maxRequest)
        }
        guard destination.metrics.inFlight.value < limits.concurrency else {
            throw CallError(
                .resourceExhausted, reason: "rate_limited",
                message: "destination \(destination.configuration.name) has \(limits.concurrency) exchanges under way, its limit",
                retryAfter: .seconds(1), notProcessed: true)
        }
    }
}
