import BulkheadAPI
import BulkheadCore
import EdgeService
import Testing

@Suite("Key memory")
struct KeyMemoryTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)

    private func reply(_ id: String, limit: Int = 0, remaining: Int = 0) -> SessionAPI.AdmitReply {
        SessionAPI.AdmitReply(
            verdict: .admitted, admissionID: "adm", keyID: id, tenant: "t",
            requests: SessionAPI.RateLimit(limit: limit, remaining: remaining))
    }

    @Test("A key is known for 15 minutes after session's last word, and not a moment longer")
    func age() {
        var memory = KeyMemory()
        let key = KeyDigest(key: "bh_a")
        memory.remember(key, reply("k"), now: start)
        guard case .admitted(let verdict) = memory.admit(key, counts: true, now: start + KeyMemory.age) else {
            return #expect(Bool(false), "it should be known")
        }
        #expect(verdict.tenant == "t" && verdict.admissionID.isEmpty)
        #expect(memory.admit(key, counts: true, now: start + KeyMemory.age + .nanoseconds(1)) == .unknown)
        #expect(memory.count == 0)
    }

    @Test("What a key may call is remembered with it")
    func destinations() {
        var memory = KeyMemory()
        let key = KeyDigest(key: "bh_a")
        var known = reply("k")
        known.destinations = ["stripe"]
        memory.remember(key, known, now: start)
        guard case .admitted(let verdict) = memory.admit(key, counts: true, now: start) else {
            return #expect(Bool(false), "it should be known")
        }
        #expect(verdict.destinations == ["stripe"])
    }

    @Test("A key session refused is forgotten, one it never saw is unknown")
    func refused() {
        var memory = KeyMemory()
        let key = KeyDigest(key: "bh_a")
        memory.remember(key, reply("k"), now: start)
        memory.forget(key)
        #expect(memory.admit(key, counts: true, now: start) == .unknown)
        #expect(memory.admit(KeyDigest(key: "bh_b"), counts: true, now: start) == .unknown)
    }

    @Test("Without session a key has what remained to it, refilled at its rate")
    func limits() {
        var memory = KeyMemory()
        let key = KeyDigest(key: "bh_a")
        memory.remember(key, reply("k", limit: 3, remaining: 2), now: start)
        #expect(isAdmitted(memory.admit(key, counts: true, now: start)))
        #expect(isAdmitted(memory.admit(key, counts: true, now: start)))
        guard case .limited(let wait, .requests) = memory.admit(key, counts: true, now: start) else {
            return #expect(Bool(false), "it should be limited")
        }
        #expect(wait == .seconds(20))
        #expect(isAdmitted(memory.admit(key, counts: false, now: start)))
        #expect(isAdmitted(memory.admit(key, counts: true, now: start + .seconds(20))))
    }

    @Test("At its bound the keys seen longest ago are forgotten")
    func bound() {
        var memory = KeyMemory(capacity: 20)
        for number in 0 ..< 25 {
            memory.remember(KeyDigest(key: "\(number)"), reply("k\(number)"), now: start + .seconds(number))
        }
        #expect(memory.count <= 20)
        #expect(!memory.knows(KeyDigest(key: "0"), now: start + .seconds(25)))
        #expect(memory.knows(KeyDigest(key: "24"), now: start + .seconds(25)))
    }

    private func isAdmitted(_ answer: KeyMemory.Answer) -> Bool { if case .admitted = answer { true } else { false } }
}

@Test("while session is away an asserted user is that of each request, never of the one before")
func assertedUser() throws {
    var memory = KeyMemory()
    let key = KeyDigest(key: "bh_asserts")
    let start = MonotonicTime(nanoseconds: 1_000_000_000)
    var reply = SessionAPI.AdmitReply(verdict: .admitted, keyID: "key_1", tenant: "acme", user: "alice", assertsUsers: true)
    memory.remember(key, reply, now: start)
    guard case .admitted(let verdict) = memory.admit(key, counts: true, now: start) else {
        Issue.record("a key seen just now is known")
        return
    }
    #expect(verdict.user.isEmpty && memory.owner(key, assertedUser: "bob", now: start)?.user == "bob")
    // A key of a user's own is that user's, whomever the request names.
    reply.assertsUsers = false
    memory.remember(key, reply, now: start)
    guard case .admitted(let own) = memory.admit(key, counts: true, now: start) else { return }
    #expect(own.user == "alice" && memory.owner(key, assertedUser: "bob", now: start)?.user == "alice")
}
