import BulkheadCore
import BulkheadJSON
import HTTPTypes

/// Answers `GET /v1/call`: the destinations the key may call, by what the configuration says of them. Names, never values: with it
/// a client finds the one destination that an address and the name of a secret stand for.
struct DestinationList: Sendable {
    let services: EdgeServices

    func serve(_ exchange: Exchange) async throws {
        let question = AdmissionRequest(route: exchange.route, method: exchange.request.method.rawValue, counts: false)
        guard case .run(let caller) = try await services.admission.admit(question, exchange.request.headers, exchange.scope)
        else {
            throw EdgeError(.internal, message: "Session replayed a request that has no Idempotency-Key.")
        }
        exchange.identify(caller, endUser: nil)
        let allowed = services.destinations.all.filter { $0.isForEdge && caller.destinations.contains($0.name) }
        var fields = HTTPFields()
        AnswerFields.addDegraded(caller.degraded, to: &fields)
        var writer = JSONWriter()
        Self.write(allowed, to: &writer)
        try await exchange.reply.send(WholeReply(status: 200, fields: fields, body: writer.buffer))
    }

    private static func write(_ entries: [DestinationEntry], to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("object", "list")
            writer.array("data") { writer in
                for entry in entries { writer.object { write(entry, to: &$0) } }
            }
        }
    }

    private static func write(_ entry: DestinationEntry, to writer: inout JSONWriter) {
        writer.field("name", entry.name)
        writer.field("base_url", entry.baseURL)
        if entry.secret.isEmpty {
            writer.nullField("secret")
            writer.nullField("preset")
        } else {
            writer.field("secret", entry.secret)
            writer.field("preset", entry.preset)
        }
        list("methods", entry.methods, to: &writer)
        list("paths", entry.paths, to: &writer)
    }

    /// Null where everything is allowed.
    private static func list(_ name: String, _ values: [String], to writer: inout JSONWriter) {
        if values.isEmpty { return writer.nullField(name) }
        writer.array(name) { writer in for value in values { writer.value(value) } }
    }
}
