import NIOCore

/// What Redis says to a command (RESP2).
package enum RedisReply: Sendable, Equatable {
    /// The key, or the element, is not there.
    case null
    /// A word, e.g. `OK`.
    case status(String)
    /// A refusal with its code in front, e.g. `OOM command not allowed …`. May quote arguments: not for logs as a whole.
    case error(String)
    case integer(Int)
    case bytes(ByteBuffer)
    case array([RedisReply])

    /// The code of a refusal, e.g. `OOM`, `WRONGTYPE`; nil for every other reply.
    package var errorCode: String? {
        guard case .error(let text) = self else { return nil }
        return String(text.prefix { $0 != " " }.prefix(32))
    }

    /// The number; nil for every other reply.
    package var integer: Int? { if case .integer(let value) = self { value } else { nil } }

    /// The bytes; nil for every other reply.
    package var bytes: ByteBuffer? { if case .bytes(let value) = self { value } else { nil } }

    /// The elements; nil for every other reply.
    package var array: [RedisReply]? { if case .array(let value) = self { value } else { nil } }
}

/// Why a command has no reply. A refusal by Redis is a reply: `RedisReply.error`.
package enum RedisFailure: Error, Sendable, Equatable {
    /// There is no usable connection now; nothing was sent and nothing waited.
    case away
    /// No reply within the command's time.
    case timeout
    /// The connection ended before the reply.
    case lost
    /// Too much waits for Redis already; nothing was sent.
    case busy
    /// What came is not RESP, or larger than replies may be.
    case garbled
    /// Redis refused AUTH, SELECT or PING; its code, e.g. `WRONGPASS`, `LOADING`.
    case refused(String)
}
