import ArgumentParser
import BenchFigures
import BulkheadAPI
import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import CredentialsService
import NIOCore

/// A closed loop of calls to one destination through the credentials process, after a warm-up on the same link. With `--direct`
/// each is followed by the same request on a kept connection of this process, made by the HTTP client that credentials has.
struct Calls: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Call a destination as edge; print {seconds, through: {p50_us, p99_us, count}, direct: the same}.")

    @Argument(help: "Path of the socket of credentials.") var socket: String
    @Argument(help: "Name of the destination.") var destination: String
    @Option(help: "Path of the requests.") var path = "/"
    @Option(help: "A body, which makes them POST.") var body: String?
    @Option(help: "Calls to measure.") var count = 5000
    @Option(help: "Calls at once.") var inFlight = 1
    @Option(help: "Base URL of the destination, to be called directly as well.") var direct: String?
    @Option(help: "PEM file of the authority of --direct.") var ca: String?

    private var method: String { body == nil ? "GET" : "POST" }

    func run() async throws {
        let configuration = LinkConfiguration(
            peer: "credentials", caller: "edge", socketPath: socket, schemas: [CredentialsMethods.schema])
        let link = IPCLink(configuration: configuration, eventLoop: ProcessRuntime.eventLoop)
        let line = try direct.map { try DirectLine($0, ca: ca) }
        let client = CredentialsClient(link: link)
        _ = try await measure(client, line, max(inFlight, count / 10))
        let began = MonotonicTime.now()
        let (through, direct) = try await measure(client, line, count)
        let seconds = (MonotonicTime.now() - began).milliseconds / 1000
        print(#"{"seconds":\#(seconds),"through":\#(Figures(through).json),"direct":\#(Figures(direct).json)}"#)
        await link.close()
    }

    private typealias Taken = (through: [UInt64], direct: [UInt64])

    private func measure(_ client: CredentialsClient, _ line: DirectLine?, _ count: Int) async throws -> Taken {
        try await withThrowingTaskGroup(of: Taken.self) { group in
            for _ in 0 ..< inFlight { group.addTask { try await loop(client, line, count / inFlight) } }
            return try await group.reduce(into: ([], [])) { sum, taken in
                sum.through += taken.through
                sum.direct += taken.direct
            }
        }
    }

    private func loop(_ client: CredentialsClient, _ line: DirectLine?, _ count: Int) async throws -> Taken {
        var taken: Taken = ([], [])
        for _ in 0 ..< count {
            taken.through.append(try await timed { try await call(client) })
            guard let line else { continue }
            taken.direct.append(try await timed { try await line.call(method, path, body) })
        }
        return taken
    }

    private func timed(_ work: () async throws -> Void) async throws -> UInt64 {
        let start = MonotonicTime.now()
        try await work()
        return MonotonicTime.now().nanoseconds - start.nanoseconds
    }

    /// To the last byte of the answer.
    private func call(_ client: CredentialsClient) async throws {
        let options = CallOptions(deadline: .now() + .seconds(20), waitForReady: .seconds(6))
        let type = body == nil ? [] : [CredentialsAPI.Header(name: "content-type", value: "application/json")]
        let request = CredentialsAPI.CallRequest(
            destination: destination, method: method, path: path, headers: type, body: body.map { ByteBuffer(string: $0) })
        try await client.call(options) { writer, reader in
            try await writer.write(request)
            writer.finish()
            var status = 0
            while let reply = try await reader.next() { status = reply.status ?? status }
            guard status == 200 else { throw ValidationError("the destination answered \(status)") }
        }
    }
}

/// A way to the destination that does not lead through credentials.
struct DirectLine {
    private let client: OutboundClient
    private let origin: Origin

    init(_ url: String, ca: String?) throws {
        guard let url = AbsoluteURL(url) else { throw ValidationError("\(url) is no URL") }
        client = try OutboundClient.make(EgressConfiguration(caFile: ca))
        origin = Origin(url, allowsPrivate: true)
    }

    func call(_ method: String, _ path: String, _ body: String?) async throws {
        var request = OutboundRequest(method: method, target: SecretText(path))
        if let body {
            request.headers = [OutboundRequest.Header("content-type", SecretText("application/json"))]
            request.body = .whole(ByteBuffer(string: body))
        }
        let exchange = UpstreamExchange(client)
        exchange.start(request, to: origin, connectTimeout: .seconds(5))
        while true {
            switch await exchange.next() {
            case .head(let head, _):
                guard head.status == .ok else { throw ValidationError("the upstream answered \(head.status.code)") }
            case .part: continue
            case .end: return
            case .failed(let error): throw error
            }
        }
    }
}
