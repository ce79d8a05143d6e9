import CredentialsService
import Foundation
import Testing

/// A trail of `count` records, closed again.
private func trail(_ count: Int) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let trail = try AuditTrail(folder: folder.path)
    for index in 0 ..< count {
        try trail.record(AuditEvent("call", "allow", peer: "edge", destination: "d\(index)", method: "GET"))
    }
    trail.flush()
    return folder
}

private func problem(_ folder: TemporaryFolder) throws -> String? { try AuditTrail(folder: folder.path).verify().problem }

private func lines(_ folder: TemporaryFolder) throws -> [String] {
    String(decoding: try folder.read("audit.log"), as: UTF8.self).split(separator: "\n").map { "\($0)\n" }
}

private func replace(_ folder: TemporaryFolder, _ lines: [String]) throws {
    try folder.write("audit.log", Array(lines.joined().utf8))
}

@Test("a decision is in the file when it is made, and the end of its call with the next write")
func written() throws {
    let folder = try TemporaryFolder()
    let trail = try AuditTrail(folder: folder.path)
    var event = AuditEvent("call", "allow", peer: "edge", destination: "up", method: "GET", request: "r1")
    (event.uid, event.pid, event.host, event.path) = (1000, 42, "api.test", "/v1/customers/sk-secret")
    let decision = try trail.record(event)
    #expect(decision == 1)
    let first = try #require(try lines(folder).last)
    let record = try JSONDecoder().decode(AuditRecord.self, from: Data(first.utf8))
    #expect(record.uid == 1000 && record.pid == 42 && record.host == "api.test" && record.request == "r1")
    #expect(record.path?.count == 16 && !first.contains("sk-secret"))
    var outcome = CallOutcome(decision: decision)
    (outcome.status, outcome.bytes, outcome.milliseconds, outcome.redactions) = (200, 1234, 5, 2)
    try trail.record(AuditEvent(endOf: outcome, peer: "edge", destination: "up", request: "r1"))
    #expect(try lines(folder).count == 1)
    try trail.record(AuditEvent("call", "deny", peer: "edge", destination: "up", reason: "destination_denied"))
    #expect(try lines(folder).count == 3)
    let end = try JSONDecoder().decode(AuditRecord.self, from: Data(try lines(folder)[1].utf8))
    #expect(end.of == 1 && end.status == 200 && end.bytes == 1234 && end.ms == 5 && end.redactions == 2)
    #expect(trail.verify() == AuditVerification(records: 3, problem: nil))
}

@Test("a trail that was written anew without the key is found at its first record, whatever its hashes say")
func forged() throws {
    let (folder, other) = (try trail(3), try trail(3))
    let running = try AuditTrail(folder: folder.path)
    for name in ["audit.log", "audit.anchor"] { try folder.write(name, try other.read(name)) }
    #expect(running.verify().problem == "record 1 is missing, was changed, or does not follow record 0")
    #expect(try problem(folder)?.contains("record 1 ") == true)
}

@Test("a missing, replaced or older anchor is named by the running process and by the next one", arguments: [0, 1, 2])
func anchor(_ kind: Int) throws {
    let folder = try trail(2)
    let older = try folder.read("audit.anchor")
    let running = try AuditTrail(folder: folder.path)
    try running.record(AuditEvent("set", "done", secret: "A_KEY"))
    running.flush()
    switch kind {
    case 0: try FileManager.default.removeItem(atPath: folder.path + "/audit.anchor")
    case 1: try folder.write("audit.anchor", try trail(3).read("audit.anchor"))
    default: try folder.write("audit.anchor", older)
    }
    #expect(running.verify().problem?.contains("audit.anchor") == true)
    // An older anchor that still fits is what a killed process leaves.
    if kind < 2 { #expect(try problem(folder)?.contains("record 4 says") == true) }
}

@Test("a trail whose log was removed is found")
func removed() throws {
    let folder = try trail(2)
    try FileManager.default.removeItem(atPath: folder.path + "/audit.log")
    #expect(try problem(folder)?.contains("record 1 says") == true)
}

@Test("half a record that a killed process left is taken away, and the trail goes on")
func torn() throws {
    let folder = try trail(2)
    try folder.write("audit.log", try folder.read("audit.log") + Array("{\"seq\":3,\"at\":17".utf8))
    let next = try AuditTrail(folder: folder.path)
    try next.record(AuditEvent("set", "done", secret: "A_KEY"))
    #expect(next.verify() == AuditVerification(records: 4, problem: nil))
    #expect(try lines(folder)[2].contains("\"event\":\"repair\""))
}

@Test("bytes that somebody else appends are found")
func appended() throws {
    let folder = try trail(2)
    let running = try AuditTrail(folder: folder.path)
    try folder.write("audit.log", try folder.read("audit.log") + Array("{\"seq\":3}\n".utf8))
    #expect(running.verify().problem?.contains("not written by this process") == true)
}

@Test("full files are put aside, the chain goes on over them, and the oldest are dropped on record")
func rotated() throws {
    let folder = try TemporaryFolder()
    func open() throws -> AuditTrail { try AuditTrail(folder: folder.path, limits: AuditLimits(fileBytes: 2000, kept: 2)) }
    var trail = try open()
    for index in 0 ..< 60 {
        try trail.record(AuditEvent("call", "allow", peer: "edge", destination: "d\(index)"))
        trail.flush()
        if index == 30 {
            #expect(trail.verify().problem == nil)
            trail = try open()
        }
    }
    let found = trail.verify()
    #expect(found.problem == nil && (5 ..< 60).contains(found.records), "\(found)")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix("audit.log.") }.sorted()
    #expect(names.count == 2)
    #expect(try open().verify().problem == nil)
    try FileManager.default.removeItem(atPath: "\(folder.path)/\(names[0])")
    #expect(trail.verify().problem?.contains("are missing") == true)
}

@Test("an untouched trail is in order, also after it was continued by another process")
func untouched() throws {
    let folder = try trail(5)
    let next = try AuditTrail(folder: folder.path)
    try next.record(AuditEvent("set", "done", secret: "A_KEY"))
    #expect(next.verify() == AuditVerification(records: 6, problem: nil))
    let last = try #require(try next.tail(1).last)
    let record = try JSONDecoder().decode(AuditRecord.self, from: Data(last.utf8))
    #expect(record.seq == 6 && record.event == "set" && record.secret == "A_KEY" && record.destination == nil)
}

@Test("a change of any byte of the trail is found, and the record is named")
func changed() throws {
    let folder = try trail(3)
    let good = try folder.read("audit.log")
    let running = try AuditTrail(folder: folder.path)
    for index in good.indices {
        var bad = good
        bad[index] ^= 1
        try folder.write("audit.log", bad)
        let found = running.verify()
        #expect(found.problem != nil, "byte \(index)")
        let line = good[..<index].count { $0 == UInt8(ascii: "\n") }
        #expect(found.records == UInt64(line), "byte \(index)")
    }
}

@Test(
    "removed, swapped and repeated records are found",
    arguments: [[0, 2, 3], [1, 2, 3], [0, 2, 1, 3], [0, 0, 1, 2, 3], [0, 1, 1, 2, 3]])
func rearranged(_ order: [Int]) throws {
    let folder = try trail(4)
    let running = try AuditTrail(folder: folder.path)
    let all = try lines(folder)
    try replace(folder, order.map { all[$0] })
    #expect(running.verify().problem != nil)
}

@Test("an end that was cut off is found by the running process and by the next one, and stays on record")
func cut() throws {
    let folder = try trail(4)
    let running = try AuditTrail(folder: folder.path)
    try replace(folder, Array(try lines(folder).dropLast()))
    #expect(running.verify().problem?.contains("cut off") == true)
    #expect(try problem(folder)?.contains("lost or cut off") == true)
    #expect(try problem(folder)?.contains("lost or cut off") == true)
}

@Test("a half-written last line is found")
func incomplete() throws {
    let folder = try trail(2)
    let running = try AuditTrail(folder: folder.path)
    try folder.write("audit.log", try folder.read("audit.log").dropLast(5))
    #expect(running.verify().problem != nil)
}

@Test("names from outside cannot break a record's form")
func hostile() throws {
    let folder = try TemporaryFolder()
    let trail = try AuditTrail(folder: folder.path)
    try trail.record(
        AuditEvent(
            "call", "deny", peer: "edge", destination: "\"},\n{\"seq\":9", request: "\u{1F600}\\\0", tenant: "\",\"hash\":\"x"))
    try trail.record(AuditEvent("call", "allow", peer: "edge"))
    #expect(trail.verify() == AuditVerification(records: 2, problem: nil))
    let record = try JSONDecoder().decode(AuditRecord.self, from: Data(try trail.tail(2)[0].utf8))
    #expect(record.destination == "\"},\n{\"seq\":9" && record.tenant == "\",\"hash\":\"x")
}
