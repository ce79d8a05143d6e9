extension CircuitBreaker {
    /// The right to make one call, and the debt to record its end once.
    package struct Permit: Sendable, Hashable {
        /// The state's generation in which the permit was given.
        package let generation: UInt64
        /// Number of the call; every call of a breaker has its own.
        package let serial: UInt64
        /// The same number when the call is a probe, or nil for a call in normal operation.
        package let probe: UInt64?
        /// The window's bucket that counted the call when it was issued.
        let bucket: UInt64
    }

    /// The answer to "may I call?".
    package enum Admission: Sendable, Hashable {
        case permit(Permit)
        /// Call again after this time: the end of the cooldown, or a moment when the probes are out.
        case rejected(retryAfter: Duration)
    }

    /// What a call's end says about the peer.
    package enum Outcome: Sendable, CaseIterable {
        /// The peer is alive and did its work, even if the answer was a refusal.
        case success
        /// The peer, or the way to it, is broken.
        case failure
        /// Says nothing: cancelled by the caller, not enough time given, refused for overload.
        case neutral
    }
}
