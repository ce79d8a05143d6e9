import BulkheadConfig

/// Bounds of one destination.
package struct DestinationLimits: Sendable, Equatable {
    /// Time to connect, TLS included, unless the call asks for less.
    package var connect: Duration
    /// Time of a whole exchange, from its first byte to its last; nil: as long as the caller waits.
    package var total: Duration?
    /// How long an upstream that has the whole request may be silent; nil: as long as the caller waits.
    package var idle: Duration?
    /// Bytes of a request's body.
    package var maxRequest: Int
    /// Bytes of a response's body.
    package var maxResponse: Int
    /// Exchanges at once.
    package var concurrency: Int

    /// Reads `limits` of a destination.
    init(_ section: ConfigSection) {
        connect = section.duration("connect", default: .seconds(10), in: .milliseconds(10) ... .seconds(60))
        total = section.optionalDuration("total", in: .milliseconds(10) ... .seconds(86_400))
        idle = section.optionalDuration("idle", in: .milliseconds(10) ... .seconds(86_400))
        maxRequest = section.size("max_request", default: 512 << 20, in: 0 ... 1 << 40)
        maxResponse = section.size("max_response", default: 1 << 30, in: 1024 ... 1 << 40)
        concurrency = section.int("concurrency", default: 4096, in: 1 ... 65536)
    }
}
