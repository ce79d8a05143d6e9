import BulkheadResilience

/// Everything one link is made of: where it goes and how it protects its process.
package struct LinkConfiguration: Sendable {
    /// The service at the other end, checked in the handshake.
    package var peer: String
    /// The service that dials.
    package var caller: String
    /// Path of the peer's socket; at most 107 bytes.
    package var socketPath: String
    /// The schemas the caller was built with.
    package var schemas: [ServiceSchema]
    package var breaker: CircuitBreaker.Configuration
    /// Calls in flight at most, by class; beyond it a call fails at once with RESOURCE_EXHAUSTED.
    package var limits: ClassLimits
    /// From when on a running call counts as slow.
    package var slow: SlowThresholds
    /// What received bytes are counted against.
    package var memory: MemoryBudget
    /// The id of a connection's first stream: odd. Another than 1 shows what happens near the last one.
    package var firstStream: UInt32
    /// The uids the peer's socket directory may be owned by; nil: this process's own uid or root.
    package var allowedOwners: [UInt32]?

    /// A link from `caller` to `peer`; the protection has defaults.
    package init(
        peer: String, caller: String, socketPath: String, schemas: [ServiceSchema],
        breaker: CircuitBreaker.Configuration = CircuitBreaker.Configuration(), limits: ClassLimits = ClassLimits(),
        slow: SlowThresholds = SlowThresholds(), memory: MemoryBudget = .process, firstStream: UInt32 = 1,
        allowedOwners: [UInt32]? = nil
    ) {
        self.peer = peer
        self.caller = caller
        self.socketPath = socketPath
        self.schemas = schemas
        self.breaker = breaker
        self.limits = limits
        self.slow = slow
        self.memory = memory
        self.firstStream = firstStream
        self.allowedOwners = allowedOwners
    }
}
