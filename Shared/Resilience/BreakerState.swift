import BulkheadCore

extension CircuitBreaker {
    /// What `links` and `breakers` show.
    package enum State: String, Sendable, Codable, CaseIterable {
        case closed
        case open
        case halfOpen = "half-open"
        case forcedOpen = "forced-open"
        case forcedClosed = "forced-closed"
    }

    /// The operator's will.
    package enum Override: Sendable, CaseIterable {
        case automatic
        case open
        case closed
    }

    /// The automatic state underneath an override.
    package enum Phase: Sendable, Hashable {
        case closed
        case open(until: MonotonicTime)
        case halfOpen(HalfOpen)
    }

    /// What is known while probes are out.
    package struct HalfOpen: Sendable, Hashable {
        /// Good probes so far.
        package internal(set) var successes = 0
        /// Probes without a result; at most ten.
        package internal(set) var leases: [Lease] = []

        /// Probes that may be out at once: a returning peer is loaded step by step.
        package var places: Int {
            switch successes {
            case 0: 1
            case 1: 3
            default: 10
            }
        }
    }

    /// The place of one probe, until its result or until it expires.
    package struct Lease: Sendable, Hashable {
        /// The probe's serial number, and when its place is free again without a result.
        package let probe: UInt64
        package let expires: MonotonicTime
    }
}
