import BulkheadConfig
import BulkheadCore
import CredentialsService
import Foundation
import NIOCore
import Testing

/// The way out alone: requests without policy, audit and redaction.
struct EgressRig {
    let client: OutboundClient
    private let names: [String: [String]]

    /// What came of one exchange.
    struct Outcome {
        var status = 0
        var reason = ""
        var headers: [String: String] = [:]
        var body = ""
        var trailers: [String: String]?
        var error: CallError?
        var wasRepeated = false
    }

    /// - Parameter names: what names resolve to; others do not.
    init(
        _ names: [String: [String]] = [:], proxy: String? = nil, trustsTestAuthority: Bool = true,
        peer: @escaping @Sendable (any Channel) -> SocketAddress? = { $0.remoteAddress }
    ) throws {
        self.names = names
        let caFile = trustsTestAuthority ? try TestCertificates.shared.get().path("ca.pem") : nil
        client = try OutboundClient.make(
            EgressConfiguration(proxy: proxy.flatMap { AbsoluteURL($0) }, caFile: caFile),
            lookup: { host, port in try (names[host] ?? []).map { try SocketAddress(ipAddress: $0, port: port) } }, peer: peer)
    }

    /// With names that resolve in turn to each of the answers, kept not at all.
    init(_ name: String, answers: [[String]]) throws {
        names = [:]
        let queue = NamesInTurn(answers)
        client = try OutboundClient.make(
            EgressConfiguration(), lookup: { _, port in try queue.next().map { try SocketAddress(ipAddress: $0, port: port) } },
            keeps: .zero)
    }

    static func origin(
        _ url: String, allowsPrivate: Bool = true, minimumTLS: TLSFloor = .v12, pins: [String] = []
    ) throws -> Origin {
        Origin(try #require(AbsoluteURL(url)), allowsPrivate: allowsPrivate, minimumTLS: minimumTLS, pins: pins)
    }

    func send(
        _ origin: Origin, _ method: String = "GET", _ path: String = "/x", headers: [OutboundRequest.Header] = [],
        body: String? = nil, timeout: Duration = .seconds(10)
    ) async -> Outcome {
        let exchange = UpstreamExchange(client)
        let request = OutboundRequest(
            method: method, target: SecretText(path), headers: headers, body: body.map { .whole(ByteBuffer(string: $0)) } ?? .none
        )
        exchange.start(request, to: origin, connectTimeout: timeout)
        defer { exchange.cancel() }
        return await Self.outcome(exchange)
    }

    private static func outcome(_ exchange: UpstreamExchange) async -> Outcome {
        var outcome = Outcome()
        while true {
            switch await exchange.next() {
            case .head(let head, let reason):
                (outcome.status, outcome.reason) = (Int(head.status.code), reason)
                for header in head.headers { outcome.headers[header.name.lowercased()] = header.value }
            case .part(let bytes): outcome.body += String(buffer: bytes)
            case .end(let trailers):
                outcome.trailers = trailers.map { Dictionary($0.map { ($0.name, $0.value) }) { first, _ in first } }
                outcome.wasRepeated = exchange.wasRepeated
                return outcome
            case .failed(let error):
                outcome.error =
                    outcome.status == 0
                    ? OutboundFailure.beforeResponse(error, place: "up", wasSent: exchange.wasSent)
                    : OutboundFailure.midResponse(error, place: "up")
                return outcome
            }
        }
    }
}

/// Answers of a name server, one after the other; the last one stays.
private final class NamesInTurn: @unchecked Sendable {
    private let lock = NSLock()
    private var answers: [[String]]

    init(_ answers: [[String]]) { self.answers = answers }

    func next() -> [String] { lock.withLock { answers.count > 1 ? answers.removeFirst() : answers.first ?? [] } }
}
