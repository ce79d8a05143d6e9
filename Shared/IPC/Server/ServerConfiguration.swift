import BulkheadCore
import NIOCore

/// Where a server listens and whom it lets in.
package struct ServerConfiguration: Sendable {
    /// The service that listens, as it names itself in the handshake.
    package var service: String
    /// At most 107 bytes. A stale socket file there is replaced (the caller holds the instance lock); anything else refused.
    package var socketPath: String
    /// The uids that may connect; others are closed before a byte is read.
    package var allowedUIDs: Set<UInt32>
    /// The services that may call, by the name of their handshake, each with the uids that may use the name (none: whoever
    /// was let in may); empty: any that passes the uid check.
    package var allowedCallers: [String: Set<UInt32>]
    /// A group whose members may connect besides `allowedUIDs` (the admin group); nil for none.
    package var allowedGID: UInt32?
    package var methods: [ServerMethod]
    package var schemas: [ServiceSchema]
    /// One message at most, 16 MiB by default.
    package var maxMessageBytes: Int
    /// Calls at once per connection, by class. A call that was cancelled keeps its place until its handler has returned.
    package var limits: ClassLimits
    /// What received bytes are counted against.
    package var memory: MemoryBudget
    /// The mode of the socket file, 0660 by default.
    package var socketMode: UInt32

    /// A server on `socketPath`; the limits have defaults.
    package init(
        service: String, socketPath: String, allowedUIDs: Set<UInt32>, allowedCallers: [String: Set<UInt32>] = [:],
        allowedGID: UInt32? = nil,
        methods: [ServerMethod], schemas: [ServiceSchema], maxMessageBytes: Int = 16 << 20,
        limits: ClassLimits = ClassLimits(), memory: MemoryBudget = .process, socketMode: UInt32 = 0o660
    ) {
        self.service = service
        self.socketPath = socketPath
        self.allowedUIDs = allowedUIDs
        self.allowedCallers = allowedCallers
        self.allowedGID = allowedGID
        self.methods = methods
        self.schemas = schemas
        self.maxMessageBytes = maxMessageBytes
        self.limits = limits
        self.memory = memory
        self.socketMode = socketMode
    }
}

/// What `status` shows of a server.
package struct ServerSnapshot: Sendable, Codable {
    /// Peers connected now.
    package var connections: Int
    /// Calls being served now.
    package var inFlight: Int
    /// Calls served since start, by method name.
    package var calls: [String: UInt64]
    /// Connections refused since start: foreign uid, garbage, protocol errors.
    package var rejected: UInt64

    /// A snapshot; all counts start at zero.
    package init(connections: Int = 0, inFlight: Int = 0, calls: [String: UInt64] = [:], rejected: UInt64 = 0) {
        self.connections = connections
        self.inFlight = inFlight
        self.calls = calls
        self.rejected = rejected
    }
}
