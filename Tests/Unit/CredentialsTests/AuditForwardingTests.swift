import CredentialsService
import Foundation
import Synchronization
import Testing

private final class Told: Sendable {
    let list = Mutex<[(event: AuditEvent, seq: UInt64, at: Int64)]>([])
    var all: [(event: AuditEvent, seq: UInt64, at: Int64)] { list.withLock { $0 } }
    func take(_ event: AuditEvent, _ seq: UInt64, _ at: Int64) { list.withLock { $0.append((event, seq, at)) } }
}

@Test("every record is told on with the number and time it has in the trail, and what is not recorded is not")
func toldOn() throws {
    let (folder, told) = (try TemporaryFolder(), Told())
    let trail = try AuditTrail(folder: folder.path, forward: told.take)
    try trail.record(AuditEvent("call", "allow", peer: "edge", destination: "up"))
    try trail.record(AuditEvent("honeytoken", "deny", peer: "edge", secret: "A_KEY"))
    try trail.record(AuditEvent(endOf: CallOutcome(decision: 1), peer: "edge", destination: "up", request: "r"))
    let kept = try trail.tail(10).map { try JSONDecoder().decode(AuditRecord.self, from: Data($0.utf8)) }
    #expect(told.all.map(\.seq) == kept.map(\.seq) && told.all.map(\.at) == kept.map(\.at))
    #expect(told.all.map(\.event.event) == ["call", "honeytoken", "end"])
}

@Test("the end of a call is on record with the address that it went to")
func address() async throws {
    let upstream = try ScriptedUpstream { connection in
        while connection.head() != nil { connection.answer("200 OK", [], "well") }
    }
    let (ends, source) = AsyncStream.makeStream(of: CallOutcome.self, bufferingPolicy: .unbounded)
    let rig = try await CallRig(port: upstream.port, "preset: bearer", value: "sk-a-value-of-a-test") { event, _, _ in
        if let outcome = event.outcome { source.yield(outcome) }
    }
    for _ in 0 ..< 2 { #expect(try await rig.call().status == 200) }
    var iterator = ends.makeAsyncIterator()
    for _ in 0 ..< 2 {
        let outcome = try #require(await iterator.next())
        #expect(outcome.address == "127.0.0.1" && outcome.status == 200)
    }
}

@Test("all values that were in force before are taken out of answers as long as they are kept")
func formerValues() async throws {
    let former = (1 ... 3).map { "sk-value-number-\($0)-of-before" }
    let text = "now sk-value-in-force-now, before " + former.joined(separator: ", ")
    let upstream = try ScriptedUpstream { connection in
        while connection.head() != nil { connection.answer("200 OK", [], text) }
    }
    let rig = try await CallRig(port: upstream.port, "preset: bearer", value: "sk-value-in-force-now", former: former)
    #expect(try await rig.call().body == "now [redacted], before [redacted], [redacted], [redacted]")
}
