import BulkheadJSON
import NIOCore
import NIOHTTP1

/// The last requests and counts since the start, for tests that ask what a gateway really sent.
struct RequestLog: Sendable {
    /// Older requests are forgotten, the counts go on.
    static let kept = 1000
    /// Larger bodies are left out of a record.
    static let largestBody = 64 << 10

    /// What became of a request.
    enum Outcome: String { case running, answered, broken, aborted }

    private struct Record {
        var number: Int
        var head: HTTPRequestHead
        var model: String
        var body: ByteBuffer
        var outcome: Outcome
    }

    // A ring: request n stands at (n - 1) % kept.
    private var records: [Record] = []
    private var total = 0
    private var outcomes: [Outcome: Int] = [:]
    private var models: [String: Int] = [:]
    private var forgotten = 0

    /// Notes a request that has arrived.
    /// - Returns: its number, counted from 1.
    mutating func add(_ head: HTTPRequestHead, model: String, body: ByteBuffer) -> Int {
        total += 1
        outcomes[.running, default: 0] += 1
        if models[model] != nil || models.count < Self.kept { models[model, default: 0] += 1 }
        let record = Record(number: total, head: head, model: model, body: body, outcome: .running)
        if records.count < Self.kept { records.append(record) } else { records[(total - 1) % Self.kept] = record }
        return total
    }

    /// Notes what became of request `number`.
    mutating func finish(_ number: Int, _ outcome: Outcome) {
        outcomes[.running, default: 0] -= 1
        outcomes[outcome, default: 0] += 1
        let place = (number - 1) % Self.kept
        if records.indices.contains(place), records[place].number == number { records[place].outcome = outcome }
    }

    /// Shows none of the records so far any more; numbers and counts go on.
    mutating func forget() { forgotten = total }

    func writeCounters(_ writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("requests", total)
            for outcome in [Outcome.running, .answered, .broken, .aborted] {
                writer.field(outcome.rawValue, outcomes[outcome] ?? 0)
            }
            writer.object("models") { writer in
                for (model, count) in models.sorted(by: { $0.key < $1.key }) { writer.field(model, count) }
            }
        }
    }

    func writeRecords(_ writer: inout JSONWriter) {
        writer.array { writer in
            for record in records.sorted(by: { $0.number < $1.number }) where record.number > forgotten {
                write(record, &writer)
            }
        }
    }

    private func write(_ record: Record, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("number", record.number)
            writer.field("method", record.head.method.rawValue)
            writer.field("path", Self.withoutSecrets(uri: record.head.uri))
            writer.field("model", record.model)
            writer.field("outcome", record.outcome.rawValue)
            writer.object("headers") { writer in
                for (name, value) in record.head.headers {
                    writer.field(name.lowercased(), Self.mayBeSecret(name.lowercased()) ? "(not recorded)" : value)
                }
            }
            writer.field("body_bytes", record.body.readableBytes)
            writer.field("body", recordedBody(record.body))
        }
    }

    private func recordedBody(_ body: ByteBuffer) -> JSON {
        guard body.readableBytes <= Self.largestBody else { return nil }
        return (try? JSON.parse(body)) ?? .string(String(buffer: body))
    }

    private static func mayBeSecret(_ header: String) -> Bool {
        ["auth", "key", "token", "secret", "cookie"].contains { header.contains($0) } && header != "idempotency-key"
    }

    private static func withoutSecrets(uri: String) -> String {
        uri.contains("key=") ? String(uri.prefix { $0 != "?" }) + "?(not recorded)" : uri
    }
}
