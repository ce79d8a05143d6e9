import BulkheadAPI
import BulkheadCore
import NIOCore
import SessionService
import Testing

@Suite("Kept streams")
struct KeptStreamTests {
    @Test("IK30 a completed stream is read again with the same pieces, numbers and end, in replies of a bounded size")
    func replay() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.stream("k", as: "i-1")
        for first in stride(from: 1, through: 991, by: 10) { try await bench.append(run, first ... first + 9, bytes: 1_000) }
        #expect(try await bench.end(run, lastSeq: 1_000))
        guard case .attach(let stream, after: 0) = try await bench.claim("k", as: "i-2", { $0.streams = true }) else {
            return #expect(Bool(false), "not attached")
        }
        #expect(stream.id == run.stream && stream.fence == Int64(run.fence) && stream.head.requestID == "req-i-1")
        let replies = try await bench.read(stream.id)
        #expect(replies.numbers == Array(1 ... 1_000))
        #expect(replies.pieces.allSatisfy { $0.bytes == ByteBuffer(repeating: UInt8(truncatingIfNeeded: $0.seq), count: 1_000) })
        #expect(
            replies.count > 3 && replies.allSatisfy { $0.pieces.reduce(0) { $0 + ($1.bytes?.readableBytes ?? 0) } <= 262_144 })
        #expect(replies.end == SessionAPI.StreamEnd(lastSeq: 1_000))
        #expect(replies.first?.head?.headers == ["x-bulkhead-cache: miss"] && replies.dropFirst().allSatisfy { $0.head == nil })
        #expect(try await bench.read(stream.id, after: 995).numbers == [996, 997, 998, 999, 1_000])
        #expect(try await bench.read(stream.id, after: 1_000).end == SessionAPI.StreamEnd(lastSeq: 1_000))
    }

    @Test("IK31 who attaches to a running stream gets what follows its place, then what is added, without gap or repetition")
    func follow() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.stream("k", as: "i-1")
        try await bench.append(run, 1 ... 5)
        #expect(try await bench.claim("k", as: "i-2") { $0.streams = true }.isRunning, "without a place")
        let place = "\(run.stream).\(run.fence).3"
        let outcome = try await bench.claim("k", as: "i-3") { request in
            request.streams = true
            request.lastEventID = place
        }
        guard case .attach(let stream, after: 3) = outcome else { return #expect(Bool(false), "not attached: \(outcome)") }
        #expect(stream.head.status == 200 && stream.head.contentType == "text/event-stream")
        let replies = Replies()
        async let following: Void = bench.follow(stream.id, after: 3, into: replies)
        await replies.reach(1)
        for seq in 6 ... 40 { try await bench.append(run, seq ... seq) }
        #expect(try await bench.end(run, lastSeq: 40))
        try await following
        #expect(replies.all.numbers == Array(4 ... 40))
        #expect(replies.all.pieces.allSatisfy { $0.bytes == ClaimBench.piece($0.seq) })
        #expect(replies.all.end == SessionAPI.StreamEnd(lastSeq: 40))
    }

    @Test("IK31 many follow one stream and all get all of it")
    func manyFollow() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.stream("k", as: "i-1")
        let all = try await withThrowingTaskGroup(of: [Int].self) { group in
            for _ in 0 ..< 50 { group.addTask { try await bench.read(run.stream).numbers } }
            for seq in 1 ... 100 { try await bench.append(run, seq ... seq) }
            #expect(try await bench.end(run, lastSeq: 100))
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(all.count == 50 && all.allSatisfy { $0 == Array(1 ... 100) })
    }

    @Test("IK31 places: of the present run, a bare number, and none of a stream that was completed")
    func places() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.stream("k", as: "i-1")
        try await bench.append(run, 1 ... 9)
        #expect(try await place(bench, "4") == 4)
        #expect(try await place(bench, "0") == 0)
        #expect(try await bench.end(run, lastSeq: 9))
        #expect(try await place(bench, "\(run.stream).\(run.fence).9") == 9)
        #expect(try await place(bench, "") == 0)
        #expect(try await place(bench, "10") == nil, "beyond the end")
    }

    /// Where the claim attaches; nil: the place is gone.
    private func place(_ bench: ClaimBench, _ last: String, _ key: String = "k") async throws -> Int64? {
        let outcome = try await bench.claim(key, as: "i-\(UInt32.random(in: .min ... .max))") { request in
            request.streams = true
            request.lastEventID = last
        }
        switch outcome {
        case .attach(_, let after): return after
        case .streamGone: return nil
        default: throw CallError(.internal, message: "\(outcome)")
        }
    }

    @Test("IK34 a place in another stream or another run is gone, and so is every place once nothing is kept; nothing runs")
    func gone() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.stream("k", as: "i-1")
        try await bench.append(run, 1 ... 3)
        for text in ["st_other.1.2", "\(run.stream).2.2", "\(run.stream).1", "nonsense", "-1", "1.2.3.4", "\(run.stream).1.x"] {
            #expect(try await place(bench, text) == nil, "\(text)")
        }
        bench.clock.move(ClaimTable.lease)
        let unknown = try await bench.claim("k", as: "i-2") { request in
            request.streams = true
            request.lastEventID = "\(run.stream).\(run.fence).3"
        }
        #expect(unknown.isUnknown)
        let again = try await bench.admitted("k", as: "i-3") { request in
            request.streams = true
            request.rerunsUnknown = true
        }
        #expect(again.stream != run.stream)
        #expect(try await place(bench, "\(run.stream).\(run.fence).3") == nil)
        #expect(try await place(bench, "3", "unused") == nil)
        #expect(try await bench.rows("claim") == 1)
        let fresh = try await bench.claim("unused", as: "i-4") { request in
            request.streams = true
            request.lastEventID = "0"
        }
        guard case .admitted = fresh else { return #expect(Bool(false), "who has nothing may run: \(fresh)") }
    }

    @Test(
        "IK33 a stream of another tenant, or another user of the same, is not found, in the words of one that never was; names cannot be guessed"
    )
    func authorised() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.stream("k", as: "i-1")
        try await bench.append(run, 1 ... 3)
        let foreign = await #expect(throws: CallError.self) { _ = try await bench.read(run.stream, tenant: "other") }
        let absent = await #expect(throws: CallError.self) { _ = try await bench.read("st_absent") }
        #expect(foreign == absent && foreign?.code == .notFound)
        for owner in [ClaimOwner.user("eve"), ClaimOwner.endUser("ada"), ClaimOwner.tenant, ""] {
            let other = await #expect(throws: CallError.self) { _ = try await bench.read(run.stream, owner: owner) }
            #expect(other == absent, "\(owner)")
        }
        let other = try await bench.stream("k2", as: "i-2")
        #expect(run.stream.utf8.count == 27 && other.stream != run.stream)
        #expect(try await bench.end(run, lastSeq: 3))
        bench.clock.move(ClaimBench.retention)
        let expired = await #expect(throws: CallError.self) { _ = try await bench.read(run.stream) }
        #expect(expired == absent, "expired and not purged is absent")
    }

    @Test("IK35 a stream above the most that is kept is full, its end is not retained, and its pieces go")
    func full() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.stream("k", as: "i-1")
        var seq = 1
        while try await !bench.append(run, seq ... seq, bytes: 1 << 20).isFull { seq += 1 }
        #expect(seq == 17, "16 pieces of 1 MiB are kept")
        #expect(try await bench.append(run, 30 ... 30).isFull, "what was on its way is refused in the same words")
        let replies = Replies()
        async let following: Void = bench.follow(run.stream, into: replies)
        await replies.reach(1)
        #expect(try await bench.end(run, lastSeq: 30))
        try await following
        #expect(replies.all.end == SessionAPI.StreamEnd(lastSeq: 16, incomplete: true, truncated: true))
        #expect(try await bench.claim("k", as: "i-2") { $0.streams = true } == .notRetained(requestID: "req-i-1"))
        bench.clock.move(60_000)
        _ = try await bench.administration.purge(IdempotencySelection())
        #expect(try await bench.rows("stream_piece") == 0)
        #expect(try await bench.rows("claim") == 1)
    }

    @Test("IK35 a stream of more pieces than are kept is full")
    func tooMany() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.stream("k", as: "i-1")
        for first in stride(from: 1, to: 100_000, by: 10_000) {
            #expect(try await bench.append(run, first ... first + 9_999, bytes: 4).isFull == false)
        }
        #expect(try await bench.append(run, 100_001 ... 100_001, bytes: 4).isFull)
        #expect(try await bench.end(run, lastSeq: 100_001))
        let replies = try await bench.read(run.stream)
        #expect(replies.numbers == Array(1 ... 100_000) && replies.end?.truncated == true)
    }

    @Test("IK35 an end that names pieces that were never kept, or says so itself, is not retained")
    func truncated() async throws {
        let bench = try await ClaimBench()
        for (key, last, isTruncated) in [("missing", 5, false), ("told", 3, true)] {
            let run = try await bench.stream(key, as: "i-\(key)")
            try await bench.append(run, 1 ... 3)
            #expect(try await bench.end(run, lastSeq: last, truncated: isTruncated))
            #expect(try await bench.claim(key, as: "i-2") { $0.streams = true } == .notRetained(requestID: "req-i-\(key)"))
        }
    }

    @Test("IK41 a stream that broke off is read again as it was, up to where it broke off")
    func brokenOff() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.stream("k", as: "i-1")
        try await bench.append(run, 1 ... 4)
        #expect(try await bench.end(run, lastSeq: 4, incomplete: true))
        guard case .attach = try await bench.claim("k", as: "i-2", { $0.streams = true }) else {
            return #expect(Bool(false), "not attached")
        }
        let replies = try await bench.read(run.stream)
        #expect(replies.numbers == [1, 2, 3, 4] && replies.end == SessionAPI.StreamEnd(lastSeq: 4, incomplete: true))
    }

    @Test("A stream whose maker is gone ends as incomplete after the lease; one given free ends at once")
    func abandoned() async throws {
        let bench = try await ClaimBench()
        let lost = try await bench.stream("lost", as: "i-1")
        try await bench.append(lost, 1 ... 2)
        let replies = Replies()
        async let following: Void = bench.follow(lost.stream, into: replies)
        await replies.reach(1)
        bench.clock.move(ClaimTable.lease)
        try await following
        #expect(replies.all.numbers == [1, 2] && replies.all.end == SessionAPI.StreamEnd(lastSeq: 2, incomplete: true))
        let freed = try await bench.stream("freed", as: "i-2")
        try await bench.append(freed, 1 ... 1)
        let others = Replies()
        async let other: Void = bench.follow(freed.stream, into: others)
        await others.reach(1)
        #expect(try await bench.settle(freed, nil))
        try await other
        #expect(others.all.end == SessionAPI.StreamEnd(lastSeq: 1, incomplete: true))
    }

    @Test("Pieces that come again change nothing, those that overlap add what is new, and a gap is refused")
    func repeated() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.stream("k", as: "i-1")
        for _ in 0 ..< 2 { #expect(try await bench.append(run, 1 ... 3) == SessionAPI.AppendStreamReply()) }
        try await bench.append(run, 2 ... 5)
        let gap = await #expect(throws: CallError.self) { try await bench.append(run, 7 ... 8) }
        #expect(gap?.code == .invalidArgument && gap?.reason == "stream_gap")
        #expect(try await bench.end(run, lastSeq: 5))
        #expect(
            try await bench.append(run, 4 ... 5) == SessionAPI.AppendStreamReply(), "what is kept may come again after the end")
        #expect(try await bench.append(run, 6 ... 6).staleFence)
        #expect(try await bench.read(run.stream).numbers == [1, 2, 3, 4, 5])
    }

    @Test("A stream that was answered with something else is replayed as that")
    func otherAnswer() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.stream("k", as: "i-1")
        #expect(try await bench.settle(run, "no such model", status: 404))
        guard case .replay(let kept) = try await bench.claim("k", as: "i-2", { $0.streams = true }) else {
            return #expect(Bool(false), "no replay")
        }
        #expect(kept.status == 404 && kept.body == ByteBuffer(string: "no such model"))
    }

    @Test("Of more followers than there may be the last is refused, and a place is free again when one leaves")
    func followers() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.stream("k", as: "i-1")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0 ..< StreamFollowers.maximum { group.addTask { _ = try await bench.read(run.stream) } }
            while bench.desk.followers.count < StreamFollowers.maximum { await Task.yield() }
            let refused = await #expect(throws: CallError.self) { _ = try await bench.read(run.stream) }
            #expect(refused?.code == .resourceExhausted)
            try await bench.append(run, 1 ... 1)
            #expect(try await bench.end(run, lastSeq: 1))
            try await group.waitForAll()
        }
        #expect(try await bench.read(run.stream).numbers == [1])
    }
}
