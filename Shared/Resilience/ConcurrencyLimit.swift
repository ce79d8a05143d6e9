import BulkheadCore

/// How many calls a server works on at once, found from how long they take: latency that grows beyond its own long-term
/// average means that calls queue inside, and the limit shrinks until they do not. For unary calls; the time of a stream says
/// nothing about load.
///
/// Source: the gradient of Netflix concurrency-limits, `Gradient2Limit.java`. Per sample, with `short` the sample and `long`
/// the exponential average: `next = limit · clamp(tolerance · long / short, 0.5 … 1) + queue`, smoothed, within bounds; no
/// change while fewer than half of the limit are in flight; `long` shrinks by 5 % while it is more than twice `short`. Added
/// here: a dropped call (late, refused further on) lowers the limit by a tenth.
package struct ConcurrencyLimit: Sendable, Hashable {
    /// The bounds and the pace of the limit.
    package struct Configuration: Sendable, Hashable {
        /// The limit never leaves these bounds; it starts at the lower one.
        package var bounds: ClosedRange<Int>
        /// Latency up to this multiple of the average is no sign of a queue.
        package var tolerance: Double
        /// Weight of a new limit against the old one, 0…1.
        package var smoothing: Double
        /// Calls that may queue, so that the limit can grow.
        package var queue: Double
        /// Samples over which the long-term average extends.
        package var memory: Int

        /// A configuration; the defaults are those of the source.
        package init(
            bounds: ClosedRange<Int> = 20 ... 200, tolerance: Double = 1.5, smoothing: Double = 0.2, queue: Double = 4,
            memory: Int = 600
        ) {
            precondition(bounds.lowerBound > 0 && memory > 0, "bug: concurrency bounds \(bounds), memory \(memory)")
            self.bounds = bounds
            self.tolerance = tolerance
            self.smoothing = smoothing
            self.queue = queue
            self.memory = memory
        }
    }

    package let configuration: Configuration
    /// Calls admitted and not ended.
    package private(set) var inFlight = 0
    private var estimate: Double
    /// Long-term average of the latency, nanoseconds.
    private var long = 0.0
    private var samples = 0

    /// A limit at its lower bound.
    package init(_ configuration: Configuration = Configuration()) {
        self.configuration = configuration
        estimate = Double(configuration.bounds.lowerBound)
    }

    /// Calls that may be in flight now.
    package var limit: Int { Int(estimate) }

    /// - Returns: false when the limit is reached: refuse the call. True: it is in flight until `ended`.
    package mutating func admit() -> Bool {
        guard inFlight < limit else { return false }
        inFlight += 1
        return true
    }

    /// An admitted call is over; to be said exactly once per call.
    /// - Parameters:
    ///   - latency: how long it took; nil when that says nothing (cancelled, refused).
    ///   - dropped: it came to nothing for lack of capacity.
    package mutating func ended(latency: Duration?, dropped: Bool = false) {
        precondition(inFlight > 0, "bug: more calls ended than were admitted")
        let busy = inFlight
        inFlight -= 1
        if dropped {
            adopt(estimate * 0.9)
        } else if let latency {
            sample(max(1, Double(latency.nanosecondsClamped)), busy)
        }
    }

    private mutating func sample(_ short: Double, _ busy: Int) {
        // The first samples weigh more, so that the average does not start from one odd call.
        samples = min(samples + 1, configuration.memory)
        long += (short - long) / Double(samples)
        if long > 2 * short { long *= 0.95 }
        guard Double(busy) >= estimate / 2 else { return }
        let gradient = max(0.5, min(1, configuration.tolerance * long / short))
        let next = estimate * gradient + configuration.queue
        adopt(estimate + (next - estimate) * configuration.smoothing)
    }

    private mutating func adopt(_ next: Double) {
        estimate = max(Double(configuration.bounds.lowerBound), min(Double(configuration.bounds.upperBound), next))
    }
}
