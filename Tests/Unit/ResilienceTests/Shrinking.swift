import BulkheadResilience
import Testing

/// Leaves out as many events of a failing trace as possible: halves, quarters … single events, until none can go.
func shrunk<Event>(_ trace: [Event], while fails: ([Event]) -> Bool) -> [Event] {
    var trace = trace
    var chunk = max(1, trace.count / 2)
    while true {
        var hasShrunk = false
        var start = 0
        while start < trace.count {
            var shorter = trace
            shorter.removeSubrange(start ..< min(start + chunk, trace.count))
            if fails(shorter) {
                trace = shorter
                hasShrunk = true
            } else {
                start += chunk
            }
        }
        if chunk == 1, !hasShrunk { return trace }
        if !hasShrunk { chunk /= 2 }
    }
}

/// Traces each property is tried on; ten properties make more than 100 000.
let tracesPerProperty: UInt64 = 12_000

/// Makes a subject and a trace from every seed and asks for a violation; the first one found is shrunk and reported.
func forAll<Subject, Event>(
    seeds: Range<UInt64> = 0 ..< tracesPerProperty, _ make: (inout SplitMix64) -> (Subject, [Event]),
    sourceLocation: SourceLocation = #_sourceLocation, violation: (Subject, [Event]) -> String?
) {
    for seed in seeds {
        var random = SplitMix64(seed: seed)
        let (subject, events) = make(&random)
        guard violation(subject, events) != nil else { continue }
        let least = shrunk(events) { violation(subject, $0) != nil }
        let steps = least.enumerated().map { "  \($0 + 1). \($1)" }.joined(separator: "\n")
        let what = violation(subject, least) ?? "bug: a shrunk trace no longer fails"
        Issue.record("\(what)\nseed \(seed), \(subject), trace:\n\(steps)", sourceLocation: sourceLocation)
        return
    }
}

@Suite("Shrinking")
struct ShrinkingTests {
    @Test("A failing trace is shrunk to the events that matter, in order")
    func shrinks() {
        let least = shrunk(Array(0 ..< 200)) { $0.contains(17) && $0.contains(130) && $0.count >= 3 }
        #expect(least.count == 3 && least.contains(17) && least.contains(130) && least == least.sorted())
    }

    @Test("Enough traces are tried")
    func enough() { #expect(tracesPerProperty * 10 >= 100_000) }
}
