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
