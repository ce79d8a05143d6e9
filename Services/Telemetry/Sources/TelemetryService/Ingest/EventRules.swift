import BulkheadAPI

/// What is true of every stored event, whatever a producer sent.
enum EventRules {
    /// Bytes kept of a text.
    private static let textLimit = 256
    /// Above any real amount; sums of a million of them still fit 64 bits.
    private static let amountLimit = 1 << 42
    /// The year 2262 ends what 64 bits of nanoseconds hold; 2100 is enough.
    private static let timeLimit = 4_102_444_800_000_000_000

    /// The event with amounts in range and texts of bounded length.
    static func sane(_ event: TelemetryAPI.RequestEvent) -> TelemetryAPI.RequestEvent {
        var sane = event
        sane.startedUnixNS = min(max(0, event.startedUnixNS), timeLimit)
        sane.durationUS = amount(event.durationUS)
        sane.firstTokenUS = event.firstTokenUS.map(amount)
        sane.overheadUS = event.overheadUS.map(amount)
        sane.inputTokens = amount(event.inputTokens)
        sane.outputTokens = amount(event.outputTokens)
        sane.costNanousd = event.costNanousd.map(amount)
        sane.attempts = min(max(0, event.attempts), 1_000_000)
        sane.status = (0 ..< 1000).contains(event.status) ? event.status : 0
        cutTexts(&sane)
        if !event.degraded.isEmpty { sane.degraded = event.degraded.prefix(8).map { String($0.prefix(32)) } }
        return sane
    }

    private static func cutTexts(_ event: inout TelemetryAPI.RequestEvent) {
        cut(&event.requestID)
        cut(&event.traceID)
        cut(&event.tenant)
        cut(&event.user)
        cut(&event.keyID)
        cut(&event.route)
        cut(&event.alias)
        cut(&event.provider)
        cut(&event.model)
        cut(&event.errorCode)
        cut(&event.cache)
    }

    /// The record with numbers in range and texts of bounded length.
    static func sane(_ record: TelemetryAPI.CredentialRecord) -> TelemetryAPI.CredentialRecord {
        var sane = record
        sane.seq = max(0, record.seq)
        sane.atUnixMS = min(max(0, record.atUnixMS), timeLimit / 1_000_000)
        sane.status = (0 ..< 1000).contains(record.status) ? record.status : 0
        sane.redactions = amount(record.redactions)
        cut(&sane.event)
        cut(&sane.decision)
        cut(&sane.peer)
        cut(&sane.destination)
        cut(&sane.secret)
        cut(&sane.method)
        cut(&sane.reason)
        cut(&sane.requestID)
        cut(&sane.tenant)
        return sane
    }

    private static func cut(_ text: inout String) {
        if text.utf8.count > textLimit { text = String(decoding: text.utf8.prefix(textLimit), as: UTF8.self) }
    }

    /// Whether a status counts as an error. A caller that left (499) made none.
    static func isError(_ status: Int) -> Bool { status >= 400 && status != 499 }

    /// Whether an answer came from the cache.
    static func isCacheHit(_ cache: String) -> Bool { ["exact", "normalized", "semantic", "stale"].contains(cache) }

    private static func amount(_ value: Int) -> Int { min(max(0, value), amountLimit) }
}
