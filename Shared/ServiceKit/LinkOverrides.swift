import BulkheadConfig
import BulkheadIPC

extension LinkConfiguration {
    /// Changes what `suite.links` says about this link; the rest keeps its default.
    mutating func apply(_ change: LinkOverride) {
        breaker.failures = change.failures ?? breaker.failures
        breaker.failureRatio = change.failureRatio ?? breaker.failureRatio
        breaker.minRequests = change.minRequests ?? breaker.minRequests
        breaker.window = change.window ?? breaker.window
        breaker.openFor = change.openFor ?? breaker.openFor
        breaker.openForMax = max(change.openForMax ?? breaker.openForMax, breaker.openFor)
        breaker.slowRatio = change.slowRatio ?? breaker.slowRatio
        if let slowAfter = change.slowAfter {
            slow = SlowThresholds(control: min(slow.control, slowAfter), unary: slowAfter)
            // A probe may be as slow as a call may be before it is counted, and then some.
            breaker.probeLease = slowAfter * 2
        }
        limits.control = change.maxControl ?? limits.control
        limits.unary = change.maxUnary ?? limits.unary
        limits.stream = change.maxStream ?? limits.stream
    }
}
