import BulkheadAPI
import BulkheadCore
import GRDB

/// The rows of `event`.
enum EventTable {
    static func insert(_ event: TelemetryAPI.RequestEvent, spanID: String, producer: String, _ db: Database) throws {
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO event (span_id, producer, started_ns, duration_us, first_token_us, overhead_us, request_id, trace_id,
                    tenant, user, key_id, route, alias, provider, model, status, error_code, cache, streamed, attempts,
                    input_tokens, output_tokens, cost_nanousd, degraded, possible_duplicate)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        // As many as there are question marks; GRDB would count them for each event.
        insert.setUncheckedArguments([
            spanID, producer, event.startedUnixNS, event.durationUS, event.firstTokenUS, event.overheadUS, event.requestID,
            event.traceID, event.tenant, event.user, event.keyID, event.route, event.alias, event.provider, event.model,
            event.status, event.errorCode, event.cache, event.streamed, event.attempts, event.inputTokens,
            event.outputTokens, event.costNanousd, event.degraded.isEmpty ? "" : event.degraded.joined(separator: ","),
            event.possibleDuplicate,
        ])
        try insert.execute()
    }

    /// FNV-1a over who reported the event and its number: 16 hexadecimal digits, never zero.
    static func spanID(producer: String, instance: String, sequence: Int) -> String {
        var text = producer + "/" + instance + "/" + String(sequence)
        let hash = text.withUTF8 { bytes in
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0100_0000_01b3 }
            return hash
        }
        return TraceContext.digits(max(1, hash), 16)
    }
}
