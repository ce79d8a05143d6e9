import BulkheadCore
import BulkheadResilience
import Testing

/// What a breaker keeps count of, and that it comes back, over random traces.
@Suite("Circuit breaker, accounts and recovery over random traces")
struct BreakerAccountTests {
    @Test("P2: every permit is given back exactly once, whatever ends the call, and nothing stays taken")
    func permits() {
        forAll(ownerTrace) { configuration, events in
            var owner = PermitOwner(configuration)
            for event in events {
                owner.apply(event)
                if let what = owner.violation { return what }
            }
            // The owner stops: all calls are cancelled, some for the second time.
            for event in [OwnerEvent.stop, .stop] { owner.apply(event) }
            if owner.acquired != owner.released { return "\(owner.acquired) acquired, \(owner.released) released" }
            return owner.violation
        }
    }

    @Test("P4: from every state a healthy peer and time lead to closed, within cooldown, lease and a call per good probe")
    func recovery() {
        let pace = Duration.milliseconds(100)
        forAll(breakerTrace) { configuration, events in
            var world = BreakerWorld(configuration)
            for event in events { _ = world.apply(event) }
            // Calls in flight are never heard of again.
            var breaker = world.breaker
            var now = world.time
            breaker.force(.automatic, now: now)
            let wait = configuration.openForMax + configuration.probeLease
            let bound = now + wait + pace * (configuration.halfOpenSuccesses + 2)
            while breaker.state != .closed {
                guard now <= bound else { return "still \(breaker.state) after \(bound - world.time)" }
                if case .permit(let permit) = breaker.admit(now: now) { breaker.record(permit, outcome: .success, now: now) }
                now = now + pace
            }
            return nil
        }
    }

    @Test("P9: the window's sums are those of its buckets, and those of the calls made")
    func sums() {
        forAll(breakerTrace) { configuration, events in
            var world = BreakerWorld(configuration)
            var ledger = CallLedger(bucket: configuration.window / 10)
            for event in events {
                let seen = world.apply(event)
                let window = world.breaker.window
                var sum = OutcomeWindow.Counts()
                for bucket in window.buckets {
                    sum = .init(
                        issued: sum.issued + bucket.issued, failed: sum.failed + bucket.failed, slow: sum.slow + bucket.slow)
                    if bucket.issued < max(bucket.failed, bucket.slow) || min(bucket.failed, bucket.slow) < 0 {
                        return "bucket \(bucket)"
                    }
                }
                if sum != window.sum { return "buckets \(sum), sum \(window.sum)" }
                if let expected = ledger.sum(world, event, seen), expected != window.sum {
                    return "window \(window.sum), calls \(expected)"
                }
            }
            return nil
        }
    }
}

/// Every call of the closed state with the bucket it belongs to: that of its issue, or of its failure or slow mark.
struct CallLedger {
    struct Entry {
        var bucket: UInt64
        var isFailed = false
        var isSlow = false
    }

    let bucketLength: Duration
    private var epoch = 0
    private var entries: [UInt64: Entry] = [:]

    init(bucket: Duration) { bucketLength = bucket }

    /// What the window has to hold after an event that concerns it, or nil.
    mutating func sum(_ world: BreakerWorld, _ event: BreakerEvent, _ seen: BreakerWorld.Seen) -> OutcomeWindow.Counts? {
        if world.epoch != epoch { (epoch, entries) = (world.epoch, [:]) }
        guard world.breaker.state == .closed else { return nil }
        guard let call = seen.call, call.epoch == epoch else { return nil }
        let present = world.time.nanoseconds / UInt64(bucketLength.nanosecondsClamped)
        note(call, event, present)
        let live = entries.values.filter { $0.bucket + 10 > present }
        return .init(issued: live.count, failed: live.count(where: \.isFailed), slow: live.count(where: \.isSlow))
    }

    private mutating func note(_ call: BreakerWorld.Call, _ event: BreakerEvent, _ present: UInt64) {
        let serial = call.permit.serial
        let isSlow = entries[serial]?.isSlow == true
        switch event {
        case .admit: entries[serial] = Entry(bucket: present)
        case .slow: entries[serial] = Entry(bucket: present, isSlow: true)
        case .end(_, .neutral): if !isSlow { entries[serial] = nil }
        case .end(_, .failure):
            let isInWindow = entries[serial].map { $0.bucket + 10 > present } ?? false
            entries[serial] = Entry(bucket: present, isFailed: true, isSlow: isSlow && isInWindow)
        default: break
        }
    }
}
