import ArgumentParser
import BenchFigures
import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import Crypto
import Foundation
import NIOCore

/// A closed loop of admissions and their ends, after a warm-up. Without `--keyed` an end travels with the next admission, as edge
/// sends it; with it each request has an Idempotency-Key of its own and is admitted, dispatched and settled, one after the other.
struct Admissions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Admit requests of an API key, read from standard input; print {seconds, took: {p50_us, p99_us, count}}.")

    @Argument(help: "Path of the socket of session.") var socket: String
    @Option(help: "Requests to measure.") var count = 20_000
    @Option(help: "Requests at once.") var inFlight = 1
    @Flag(help: "Each with an Idempotency-Key of its own.") var keyed = false

    func run() async throws {
        guard let key = readLine(strippingNewline: true), !key.isEmpty else {
            throw ValidationError("standard input holds no API key")
        }
        let configuration = LinkConfiguration(
            peer: "session", caller: "edge", socketPath: socket, schemas: [SessionMethods.schema])
        let link = IPCLink(configuration: configuration, eventLoop: ProcessRuntime.eventLoop)
        let client = SessionClient(link: link)
        let asker = Asker(client: client, digest: ByteBuffer(bytes: SHA256.hash(data: Array(key.utf8))))
        _ = try await measure(asker, max(inFlight, count / 10))
        let began = MonotonicTime.now()
        let took = try await measure(asker, count)
        let seconds = (MonotonicTime.now() - began).milliseconds / 1000
        print(#"{"seconds":\#(seconds),"took":\#(Figures(took).json)}"#)
        await link.close()
    }

    private func measure(_ asker: Asker, _ count: Int) async throws -> [UInt64] {
        try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for _ in 0 ..< inFlight {
                group.addTask { try await keyed ? asker.keyed(count / inFlight) : asker.plain(count / inFlight) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }
}

/// Asks as edge does.
struct Asker: Sendable {
    let client: SessionClient
    let digest: ByteBuffer
    private let run = Int.random(in: 1 ... .max)

    init(client: SessionClient, digest: ByteBuffer) {
        self.client = client
        self.digest = digest
    }

    /// Nanoseconds of each admission.
    func plain(_ count: Int) async throws -> [UInt64] {
        var ended: [SessionAPI.SettleRequest] = []
        var took: [UInt64] = []
        for _ in 0 ..< count {
            var request = request()
            request.settled = ended
            let began = MonotonicTime.now()
            let reply = try await client.admit(request, options())
            took.append(MonotonicTime.now().nanoseconds - began.nanoseconds)
            ended = [end(try admitted(reply), answer: nil)]
        }
        for last in ended { _ = try await client.settle(last, options()) }
        return took
    }

    /// Nanoseconds from each admission until its answer is kept.
    func keyed(_ count: Int) async throws -> [UInt64] {
        var took: [UInt64] = []
        let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: 1024)
        for _ in 0 ..< count {
            var request = request()
            request.idempotencyKey = name() + name()
            request.requestDigest = digest
            let began = MonotonicTime.now()
            let reply = try admitted(try await client.admit(request, options()))
            _ = try await client.dispatch(.init(admissionID: reply.admissionID, fence: reply.fence), options())
            let answer = SessionAPI.StoredAnswer(status: 200, contentType: "application/json", body: body)
            _ = try await client.settle(end(reply, answer: answer), options())
            took.append(MonotonicTime.now().nanoseconds - began.nanoseconds)
        }
        return took
    }

    private func request() -> SessionAPI.AdmitRequest {
        var request = SessionAPI.AdmitRequest(
            keyDigest: digest, route: "/v1/chat/completions", model: "assistant", estimatedTokens: 1100, edgeRun: run)
        request.leaseMS = 660_000
        request.proposedID = name()
        request.assumedTokens = 1024
        return request
    }

    private func end(_ reply: SessionAPI.AdmitReply, answer: SessionAPI.StoredAnswer?) -> SessionAPI.SettleRequest {
        SessionAPI.SettleRequest(
            admissionID: reply.admissionID, keyID: reply.keyID, status: 200, inputTokens: 76, outputTokens: 200,
            costNanousd: 10_000, answer: answer, fence: reply.fence)
    }

    private func admitted(_ reply: SessionAPI.AdmitReply) throws -> SessionAPI.AdmitReply {
        guard reply.verdict == .admitted else { throw ValidationError("session said \(reply.verdict): \(reply.reason)") }
        return reply
    }

    private func name() -> String { TraceContext.digits(QuickRandom.next(), 16) }

    private func options() -> CallOptions { CallOptions(deadline: .now() + .seconds(20), waitForReady: .seconds(6)) }
}
